"""Flax Linen, Flax NNX and Equinox models, with dropout and batch norm in training mode."""

# ruff: noqa: E731  a loss of one line reads best beside its parameters

import equinox as eqx
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from tests.gradcheck.suite._cases import bug, correct, normal, rule

IMAGES = normal(1, 4, 6, 6, 2)
X, Y = normal(2, 6, 5), normal(3, 6, 2)
LABELS = np.array([0, 1, 1, 0, 1, 0])


def mean_square(out, y):
    return jnp.mean((out - y) ** 2)


class LinenNet(nn.Module):
    dropout: float = 0.0
    norm: bool = False

    @nn.compact
    def __call__(self, x, training=True):
        x = nn.Dense(6)(x)
        if self.norm:
            x = nn.BatchNorm(use_running_average=not training)(x)
        x = nn.gelu(x)
        x = nn.Dropout(self.dropout, deterministic=not training)(x)
        return nn.Dense(2)(nn.LayerNorm()(x))


def linen_case(model, loss):
    variables = model.init(jax.random.key(0), jnp.asarray(X, jnp.float32), training=False)
    return {"function": loss, "params": variables["params"], "args": (X, Y)}


@correct()
def linen_network():
    model = LinenNet()
    return linen_case(model, lambda p, x, y: mean_square(model.apply({"params": p}, x), y))


@correct()
def linen_dropout_with_a_fixed_key():
    model = LinenNet(dropout=0.4)
    key = {"dropout": jax.random.key(5)}
    loss = lambda p, x, y: mean_square(model.apply({"params": p}, x, rngs=key), y)
    return linen_case(model, loss)


@correct()
def linen_batch_norm_in_training():
    model = LinenNet(norm=True)
    variables = model.init(jax.random.key(1), jnp.asarray(X, jnp.float32))

    def loss(p, stats, x, y):
        out, changed = model.apply({"params": p, "batch_stats": stats}, x, mutable="batch_stats")
        return mean_square(out, y), changed

    args = (variables["batch_stats"], X, Y)
    return {"function": loss, "params": variables["params"], "args": args, "has_aux": True}


class LinenConvNet(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.Conv(4, (3, 3))(x))
        x = nn.max_pool(x, (2, 2), strides=(2, 2))
        return nn.Dense(2)(x.reshape(len(x), -1))


@correct(at_kink=True)
def linen_convolutional_network():
    model = LinenConvNet()
    params = model.init(jax.random.key(2), jnp.asarray(IMAGES, jnp.float32))["params"]
    loss = lambda p, x, y: mean_square(model.apply({"params": p}, x), y)
    return {"function": loss, "params": params, "args": (IMAGES, Y[:4])}


@correct()
def linen_attention():
    model = nn.MultiHeadDotProductAttention(num_heads=2, qkv_features=4)
    x = normal(4, 2, 5, 4)
    params = model.init(jax.random.key(3), jnp.asarray(x, jnp.float32))["params"]
    loss = lambda p, x: mean_square(model.apply({"params": p}, x), x)
    return {"function": loss, "params": params, "args": (x,)}


def lstm_loss(p, x, carry=None):
    out = nn.RNN(nn.LSTMCell(3)).apply({"params": p}, x, initial_carry=carry)
    return jnp.mean(out[:, -1] ** 2)  # pyright: ignore


def lstm_from_zero(p, x):
    return lstm_loss(p, x, (jnp.zeros((2, 3), x.dtype), jnp.zeros((2, 3), x.dtype)))


def lstm_params(x):
    return nn.RNN(nn.LSTMCell(3)).init(jax.random.key(4), jnp.asarray(x, jnp.float32))["params"]


@correct()
def linen_lstm():
    x = normal(5, 2, 6, 4)
    return {"function": lstm_from_zero, "params": lstm_params(x), "args": (x,)}


@correct(truth=lambda p, x: lstm_from_zero(p, x.astype(np.float64)), noise=1e-4)
def linen_lstm_with_a_carry_of_float32():
    """The loop's initial carry is float32 whatever the parameters are: float64 ones fail."""
    x = normal(5, 2, 6, 4).astype(np.float32)
    return {"function": lstm_loss, "params": lstm_params(x), "args": (x,)}


class NnxNet(nnx.Module):
    def __init__(self, rngs, dropout=0.0, activation=nnx.tanh):
        self.first = nnx.Linear(5, 6, rngs=rngs)
        self.dropout = nnx.Dropout(dropout, rngs=rngs)
        self.norm = nnx.BatchNorm(6, rngs=rngs)
        self.last = nnx.Linear(6, 2, rngs=rngs)
        self.activation = activation

    def __call__(self, x):
        return self.last(self.dropout(self.activation(self.norm(self.first(x)))))


def nnx_case(model):
    graph, params, rest = nnx.split(model, nnx.Param, ...)
    loss = lambda p, x, y: mean_square(nnx.merge(graph, p, rest, copy=True)(x), y)
    return {"function": loss, "params": params, "args": (X, Y)}


@correct()
def nnx_network_with_batch_norm():
    return nnx_case(NnxNet(nnx.Rngs(0)))


@correct()
def nnx_network_with_dropout():
    """Merging anew restores the counter of the keys: each call draws the same mask."""
    return nnx_case(NnxNet(nnx.Rngs(1), dropout=0.5))


class EquinoxNet(eqx.Module):
    layers: list
    dropout: eqx.nn.Dropout
    scale: jax.Array

    def __init__(self, key, rate=0.0):
        first, second = jax.random.split(key)
        self.layers = [eqx.nn.Linear(5, 6, key=first), eqx.nn.Linear(6, 2, key=second)]
        self.dropout = eqx.nn.Dropout(rate)
        self.scale = jnp.ones(())

    def __call__(self, x, key=None):
        h = self.dropout(jax.nn.silu(self.layers[0](x)), key=key)
        return self.scale * self.layers[1](h)


def equinox_case(model, loss):
    params, static = eqx.partition(model, eqx.is_inexact_array)
    function = lambda p, x, y: loss(eqx.combine(p, static), x, y)
    return {"function": function, "params": params, "args": (X, Y)}


@correct()
def equinox_network():
    loss = lambda model, x, y: mean_square(jax.vmap(model)(x), y)
    return equinox_case(EquinoxNet(jax.random.key(6)), loss)


@correct()
def equinox_dropout_with_a_fixed_key():
    keys = jax.random.split(jax.random.key(7), len(X))
    loss = lambda model, x, y: mean_square(jax.vmap(model)(x, keys), y)
    return equinox_case(EquinoxNet(jax.random.key(8), rate=0.3), loss)


@correct()
def equinox_model_itself_as_parameters():
    """The module holds only arrays, so that it is the pytree of parameters."""
    model = eqx.nn.Linear(5, 2, key=jax.random.key(9))
    loss = lambda model, x, y: mean_square(jax.vmap(model)(x), y)
    return {"function": loss, "params": model, "args": (X, Y)}


@correct()
def equinox_recurrent_cell():
    cell = eqx.nn.GRUCell(5, 3, key=jax.random.key(10))

    def loss(p, x):
        last, _ = jax.lax.scan(lambda h, row: (p(row, h), None), jnp.zeros(3), x)
        return jnp.sum(last**2)

    return {"function": loss, "params": cell, "args": (X,)}


@correct()
def optax_loss_with_labels():
    def loss(p, x, labels):
        logits = jnp.tanh(x @ p["kernel"]) @ p["head"]
        return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(logits, labels))

    params = {"kernel": normal(6, 5, 4), "head": normal(7, 4, 2)}
    return {"function": loss, "params": params, "args": (X, LABELS)}


@correct()
def optax_penalties():
    loss = lambda p: jnp.sum(optax.huber_loss(p["x"], 0.1 * p["x"])) + optax.global_norm(p) ** 2
    return {"function": loss, "params": {"x": normal(8, 4), "y": normal(9, 3)}}


def wrong_tanh(x):
    return jnp.tanh(x)


def wrong_tanh_jvp(primals, tangents):
    (x,), (dx,) = primals, tangents
    y = jnp.tanh(x)
    return y, (1 - y) * dx


def activation():
    function = jax.custom_jvp(wrong_tanh)
    function.defjvp(wrong_tanh_jvp)
    return function


WRONG_TANH = rule(wrong_tanh, wrong_tanh_jvp)


class LinenWithActivation(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(2)(activation()(nn.Dense(4, name="below")(x)))


@bug({"below/kernel", "below/bias"}, WRONG_TANH)
def linen_network_with_a_wrong_activation():
    model = LinenWithActivation()
    params = model.init(jax.random.key(11), jnp.asarray(X, jnp.float32))["params"]
    loss = lambda p, x, y: mean_square(model.apply({"params": p}, x), y)
    return {"function": loss, "params": params, "args": (X, Y)}


@bug({"layers/0/weight", "layers/0/bias"}, WRONG_TANH)
def equinox_network_with_a_wrong_activation():
    keys = jax.random.split(jax.random.key(12))
    model = eqx.nn.Sequential(
        [
            eqx.nn.Linear(5, 4, key=keys[0]),
            eqx.nn.Lambda(activation()),
            eqx.nn.Linear(4, 2, key=keys[1]),
        ]
    )
    return equinox_case(model, lambda model, x, y: mean_square(jax.vmap(model)(x), y))


@bug({"first/kernel", "norm/bias", "norm/scale"}, WRONG_TANH)
def nnx_network_with_a_wrong_activation():
    """The bias before the batch norm has gradient 0, with the right rule and the wrong one."""
    return nnx_case(NnxNet(nnx.Rngs(2), activation=activation()))
