"""Scatter of the gradients of single examples, against NumPy in float64."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_dl import optim, telemetry

RNG = np.random.default_rng(2)
X, Y = RNG.normal(size=(11, 3)), RNG.normal(size=11)
PARAMS = {"w": np.array([0.5, -1.0, 2.0]), "b": np.array(0.1)}


def loss(params, batch):
    x, y = batch
    return jnp.mean((x @ params["w"] + params["b"] - y) ** 2) / 2


def by_hand():
    """Gradients of every example, `(11, 4)`: those of w, then that of b."""
    off = X @ PARAMS["w"] + PARAMS["b"] - Y
    return np.concatenate([off[:, None] * X, off[:, None]], axis=1)


def columns(tree):
    return np.append(tree["w"], tree["b"])


@functools.cache
def measured():
    with jax.enable_x64(True):
        found = telemetry.gradient_statistics(loss, PARAMS, (X, Y))
        return jax.tree.map(np.asarray, found)


@pytest.mark.parametrize("chunk", [1, 4, 32])
def test_mean_and_variance_do_not_depend_on_the_chunks(chunk, x64):
    measure = jax.jit(functools.partial(telemetry.gradient_statistics, loss, chunk=chunk))
    found, expected = measure(PARAMS, (X, Y)), by_hand()
    np.testing.assert_allclose(columns(found.mean), expected.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(columns(found.variance), expected.var(axis=0, ddof=1), rtol=1e-12)


def test_gd_13_the_standard_error_is_that_of_the_gradients_per_example(x64):
    alone = optim.gradient_noise({"g": jnp.asarray(by_hand())})
    found = measured()
    np.testing.assert_allclose(found.standard_error, alone, rtol=1e-12)
    total = by_hand().var(axis=0, ddof=1).sum()
    np.testing.assert_allclose(found.total_variance, total, rtol=1e-12)


def test_the_noise_scale_takes_the_signal_without_its_bias():
    found, gradients = measured(), by_hand()
    total = gradients.var(axis=0, ddof=1).sum()
    signal = (gradients.mean(axis=0) ** 2).sum()
    np.testing.assert_allclose(found.norm, np.sqrt(signal), rtol=1e-12)
    np.testing.assert_allclose(found.noise_scale, total / (signal - total / 11), rtol=1e-12)


def test_a_signal_below_the_noise_gives_an_infinite_scale():
    found = telemetry.gradient_statistics(
        lambda w, x: jnp.mean(w * x), jnp.float32(1), jnp.array([1.0, -1.0])
    )
    assert float(found.noise_scale) == np.inf


def test_a_small_scatter_around_a_large_mean_is_not_lost():
    x = (1e4 + 0.1 * RNG.normal(size=100)).astype(np.float32)
    found = telemetry.gradient_statistics(lambda w, x: jnp.mean(w * x), jnp.float32(1), x, chunk=8)
    expected = np.var(x.astype(np.float64), ddof=1)
    assert float(found.total_variance) == pytest.approx(expected, rel=0.01)


def test_half_precision_is_summed_in_float32():
    x = jnp.arange(64, dtype=jnp.bfloat16)
    one = jnp.ones((), jnp.bfloat16)
    found = telemetry.gradient_statistics(lambda w, x: jnp.mean(w * x), one, x)
    assert found.mean.dtype == jnp.float32
    assert float(found.total_variance) == pytest.approx(np.var(np.arange(64), ddof=1), rel=1e-5)


def total_loss(w, x):
    return jnp.sum(w * x)


def normalized_loss(w, x):
    return jnp.mean((w * (x - jnp.mean(x))) ** 2)


@pytest.mark.parametrize("function", [total_loss, normalized_loss])
def test_examples_that_do_not_add_up_to_the_batch_are_refused(function):
    with pytest.raises(ValueError, match="mean over examples must be the gradient of the batch"):
        telemetry.gradient_statistics(function, jnp.float32(1), jnp.array([1.0, 2.0, 5.0]))


@pytest.mark.parametrize(
    ("params", "batch", "options", "says"),
    [
        (jnp.ones(()), jnp.ones(1), {}, "at least 2 examples"),
        (jnp.ones(()), (jnp.ones(2), jnp.ones(3)), {}, "share their first axis"),
        (jnp.ones((), jnp.int32), jnp.ones(2), {}, "floating-point"),
        (jnp.ones(()), jnp.ones(2), {"chunk": 0}, "`chunk` must be at least 1"),
    ],
)
def test_wrong_arguments_are_named(params, batch, options, says):
    with pytest.raises((TypeError, ValueError), match=says):
        telemetry.gradient_statistics(lambda w, x: jnp.mean(w * x), params, batch, **options)
