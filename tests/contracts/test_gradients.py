"""The gradient checker proves every layer and loss, at random shapes drawn from their names."""

import hashlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_dl import nn
from jaxopt_dl.gradcheck import check_gradients
from tests.contracts.gradient_cases import LAYERS, LOSSES

SAMPLE = 1
MANY = 200


def random_of(name: str, draw: int) -> np.random.Generator:
    digest = hashlib.sha256(f"{name} {draw}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:4], "big"))


def check_layer(name: str, draw: int) -> None:
    random = random_of(name, draw)
    layer, spec = LAYERS[name](random)
    rows = int(random.integers(2, 4))
    integers = name == "embedding"
    kind = jnp.int32 if integers else jnp.float32
    key = jax.random.key(draw)
    params, state = layer.init(key, jax.ShapeDtypeStruct(spec, kind))
    shape = (rows, *spec)
    x = random.integers(0, 5, shape) if integers else random.normal(size=shape)
    x = jnp.asarray(x, kind)

    def loss(leaves, state, weights):
        # Integers are no parameters, so they are not among the leaves.
        inputs = x if integers else leaves["x"]
        y, _ = layer.apply(leaves["params"], state, inputs, training=True, key=key)
        return jnp.sum(weights * jnp.sin(y))

    y, _ = jax.eval_shape(
        lambda p, s, x: layer.apply(p, s, x, training=True, key=key), params, state, x
    )
    weights = random.normal(size=y.shape)
    leaves = {"params": params} if integers else {"params": params, "x": x}
    report = check_gradients(loss, leaves, args=(state, weights), points=())
    assert report.verdict == "pass", f"{name}, draw {draw}: {layer.kind} on {spec}\n{report}"


def check_loss(name: str, draw: int) -> None:
    loss, inputs = LOSSES[name]
    random = random_of(name, draw)
    outputs, targets = inputs(random)
    weights = random.normal(size=len(outputs))
    report = check_gradients(
        lambda z, y, weights: jnp.sum(weights * loss(z, y)), outputs, args=(targets, weights)
    )
    assert report.verdict == "pass", f"{name}, draw {draw}: {outputs.shape}\n{report}"


def check_many(check, name: str) -> None:
    for draw in range(SAMPLE, MANY):
        check(name, draw)
        if draw % 20 == 0:  # every shape is a new program
            jax.clear_caches()


@pytest.mark.parametrize("draw", range(SAMPLE))
@pytest.mark.parametrize("name", LAYERS)
def test_the_gradients_of_layers_are_right(name, draw):
    check_layer(name, draw)


@pytest.mark.parametrize("draw", range(SAMPLE))
@pytest.mark.parametrize("name", LOSSES)
def test_the_gradients_of_losses_are_right(name, draw):
    check_loss(name, draw)


@pytest.mark.slow
@pytest.mark.parametrize("name", LAYERS)
def test_the_gradients_of_layers_are_right_at_200_shapes(name):
    check_many(check_layer, name)


@pytest.mark.slow
@pytest.mark.parametrize("name", LOSSES)
def test_the_gradients_of_losses_are_right_at_200_shapes(name):
    check_many(check_loss, name)


def test_every_layer_of_the_library_is_checked():
    not_layers = {"lift", "sequential", "summary"}
    factories = {
        name
        for name in nn.__all__
        if getattr(getattr(nn, name), "__annotations__", {}).get("return") is nn.Layer
    }
    assert {"dense", "conv", "mlp"} <= factories
    assert factories - not_layers <= set(LAYERS)
