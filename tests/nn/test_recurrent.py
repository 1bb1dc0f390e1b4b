"""Recurrent layers against their equations, one time after another."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_dl import nn

FACTORIES = [nn.rnn, nn.gru, nn.lstm]
each = pytest.mark.parametrize("factory", FACTORIES, ids=lambda f: f.__name__)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def reference(kind, params, x):
    """All outputs `(batch, time, features)`, step by step in NumPy."""
    w, u, b = (np.asarray(params[n]) for n in ("kernel", "recurrent_kernel", "bias"))
    features = u.shape[0]
    h = c = np.zeros((x.shape[0], features))
    outputs = []
    for t in range(x.shape[1]):
        a = np.split(x[:, t] @ w + b, u.shape[1] // features, axis=1)
        p = np.split(h @ u, u.shape[1] // features, axis=1)
        if kind == "rnn":
            h = np.tanh(a[0] + p[0])
        elif kind == "gru":
            r, z = sigmoid(a[0] + p[0]), sigmoid(a[1] + p[1])
            h = (1 - z) * np.tanh(a[2] + r * p[2]) + z * h
        else:
            i, f, g, o = (a[k] + p[k] for k in range(4))
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
        outputs.append(h)
    return np.stack(outputs, axis=1)


@each
def test_it_follows_its_equations(factory, key, x64):
    layer = factory(3, bias_init=nn.normal(stddev=0.5))
    params, state = layer.init(key, jax.ShapeDtypeStruct((5, 2), jnp.float64))
    x = np.random.default_rng(0).normal(size=(4, 5, 2))
    y, _ = layer.apply(params, state, jnp.asarray(x), training=True)
    expected = reference(factory.__name__, params, x)
    np.testing.assert_allclose(y, expected, rtol=1e-10, atol=1e-12)
    last, _ = factory(3, sequences=False).apply(params, state, jnp.asarray(x), training=True)
    np.testing.assert_array_equal(last, y[:, -1])


@each
def test_later_inputs_do_not_reach_earlier_outputs(factory, key):
    layer = factory(3)
    params, state = layer.init(key, (5, 2))
    x = jax.random.normal(key, (1, 5, 2))
    early, _ = layer.apply(params, state, x, training=False)
    late, _ = layer.apply(params, state, x.at[:, 3:].add(1.0), training=False)
    np.testing.assert_array_equal(early[:, :3], late[:, :3])
    assert not np.array_equal(early[:, 3:], late[:, 3:])


@each
def test_recurrent_weights_start_orthogonal_gate_by_gate(factory, key):
    params, _ = factory(4).init(key, (5, 2))
    for block in np.split(np.asarray(params["recurrent_kernel"]), params["bias"].size // 4, axis=1):
        np.testing.assert_allclose(block @ block.T, np.eye(4), atol=1e-5)


@pytest.mark.parametrize(("weight", "value"), [(1.1, 1.618e6), (0.9, 1.369e-7)])
def test_one_operation_per_time_step_explodes_or_vanishes_van_04(weight, value, x64):
    layer = nn.rnn(1, activation=lambda z: z, sequences=False)
    params = {
        "kernel": jnp.ones((1, 1)),
        "recurrent_kernel": jnp.full((1, 1), weight),
        "bias": jnp.zeros(1),
    }
    x = jnp.zeros((1, 151, 1))
    grad = jax.grad(lambda x: layer.apply(params, {}, x, training=False)[0].sum())(x)
    np.testing.assert_allclose(grad[0, 0, 0], value, rtol=1e-3)


@each
@pytest.mark.parametrize("spec", [(2,), (0, 2), (4, 5, 2)])
def test_what_is_no_sequence_raises(factory, spec, key):
    with pytest.raises(ValueError, match=r"must have shape \(batch, time, features\)"):
        factory(3).init(key, spec)


def test_the_activation_must_be_a_function():
    with pytest.raises(TypeError, match="rnn: `activation`"):
        nn.rnn(3, activation="tanh")
