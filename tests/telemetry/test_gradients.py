"""Gradient norms layer by layer, and what they are called."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_dl import nn, telemetry


def test_a_chain_of_sigmoids_shrinks_by_4_per_layer_at_least_van_03(x64):
    net = nn.sequential(*[layer for _ in range(11) for layer in (nn.dense(1), nn.lift(nn.sigmoid))])
    params, _ = net.init(jax.random.key(0), jax.ShapeDtypeStruct((1,), jnp.float64))
    # Weight 1 and a bias that keeps every unit at its steepest point.
    params = {
        name: {"kernel": jnp.ones((1, 1)), "bias": jnp.full(1, 0.0 if i == 0 else -0.5)}
        for i, name in enumerate(sorted(params))
    }

    def last_output(params):
        return net.apply(params, {}, jnp.zeros((1, 1)), training=False)[0].sum()

    biases = {name: {"bias": grad["bias"]} for name, grad in jax.grad(last_output)(params).items()}
    norms = [float(norm) for norm in telemetry.gradient_norms(biases).values()]
    np.testing.assert_allclose(norms[0] / norms[-1], 9.54e-7, rtol=1e-3)
    np.testing.assert_allclose(np.divide(norms[:-1], norms[1:]), 0.25, rtol=1e-9)


def test_norms_are_taken_over_all_leaves_of_a_layer():
    grads = {"a": {"kernel": jnp.array([[2.0, 1.0]]), "bias": jnp.array([2.0])}, "b": jnp.ones(4)}
    norms = jax.jit(telemetry.gradient_norms)(grads)
    assert {layer: float(norm) for layer, norm in norms.items()} == {"a": 3.0, "": 2.0}


def test_nested_layers_keep_their_path():
    grads = {"block": {"00_dense": {"kernel": jnp.ones((1, 1))}}}
    assert list(telemetry.gradient_norms(grads)) == ["block/00_dense"]


@pytest.mark.parametrize(
    ("norm", "word"),
    [
        (1e-9, "vanishing"),
        (1e5, "exploding"),
        (np.nan, "non-finite"),
        (np.inf, "non-finite"),
        (1.0, "ok"),
        (0.0, "vanishing"),
    ],
)
def test_norms_have_names_van_05(norm, word):
    assert telemetry.health({"layer": {"kernel": jnp.array([norm])}}) == {"layer": word}


def test_limits_are_the_users_van_05():
    grads = {"kernel": jnp.array([0.5])}
    assert telemetry.health(grads, low=0.6, high=0.7)[""] is telemetry.Health.VANISHING
    assert telemetry.health(grads, low=0.1, high=0.4)[""] is telemetry.Health.EXPLODING


@pytest.mark.parametrize("limits", [{"low": -1.0}, {"low": 1.0, "high": 0.5}, {"high": np.nan}])
def test_limits_out_of_range_raise(limits):
    with pytest.raises(ValueError, match="^health: "):
        telemetry.health({"kernel": jnp.ones(1)}, **limits)


def test_traced_gradients_have_no_words():
    with pytest.raises(TypeError, match="Take `gradient_norms` inside the program"):
        jax.jit(telemetry.health)({"kernel": jnp.ones(1)})


@pytest.mark.parametrize("function", [telemetry.gradient_norms, telemetry.health])
def test_no_gradients_raise(function):
    with pytest.raises(ValueError, match="must hold at least one array"):
        function({})
