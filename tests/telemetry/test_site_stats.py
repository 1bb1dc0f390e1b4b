"""Numbers of sites, of activations and of gradients, against NumPy and the notes."""

import statistics

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_dl import telemetry

NORMAL = np.array(
    [[statistics.NormalDist().inv_cdf((i + 0.5) / 20_000)] for i in range(20_000)], np.float32
)
X = np.array([[1.0, 0.0, -2.0], [3.0, 0.0, 0.0]], np.float32)


def stats_of(function, *args):
    @jax.jit
    def measured(*args):
        _, sites = telemetry.tap(function)(*args)
        return telemetry.site_stats(sites, telemetry.batch_axes(function, *args))

    return measured(*args)


@pytest.mark.parametrize(
    ("activation", "site", "mean", "mean_square"),
    [
        (jax.nn.relu, "relu", 0.398942, 0.5),
        (jnp.tanh, "tanh", 0.0, 0.394294),
        (jax.nn.sigmoid, "logistic", 0.5, 0.293379),
    ],
)
def test_init_06_moments_of_activations(activation, site, mean, mean_square):
    found = stats_of(lambda x: activation(x), NORMAL)[site]
    assert float(found.mean) == pytest.approx(mean, abs=2e-5)
    assert float(found.mean_square) == pytest.approx(mean_square, abs=2e-4)


def test_init_02_units_with_equal_weights_are_one_unit():
    def loss(w, x):
        return jnp.mean(jnp.tanh(x @ w["a"]) @ w["b"])

    x = np.random.default_rng(0).normal(size=(20, 64)).astype(np.float32)
    w = {"a": jnp.full((64, 32), 0.1), "b": jnp.full((32, 10), 0.1)}
    seen = jax.jit(telemetry.tap_gradients(loss))(w, x)
    axes = telemetry.batch_axes(loss, w, x)
    for sites in (seen.activations, seen.gradients):
        assert telemetry.site_symmetry(sites, axes)["tanh"] == (32, 1, 1)


def test_van_03_the_gradient_shrinks_to_a_quarter_per_sigmoid():
    def chain(z):
        for _ in range(10):
            z = jax.nn.sigmoid(z) - 0.5
        return jnp.sum(z)

    seen = jax.jit(telemetry.tap_gradients(chain))(jnp.zeros(1))
    gradients = [float(g[0]) for g in seen.gradients.values()]
    np.testing.assert_allclose(np.divide(gradients[:-1], gradients[1:]), 0.25, rtol=1e-6)
    assert float(seen.param_gradients[0]) == pytest.approx(9.54e-7, rel=1e-3)


def test_norms_of_gradients_by_layer():
    def loss(w, x):
        with jax.named_scope("head"):
            return jnp.sum(jnp.tanh(x @ w))

    seen = jax.jit(telemetry.tap_gradients(loss))(jnp.zeros((3, 2)), X)
    assert float(telemetry.gradient_norms(seen.gradients)["head"]) == pytest.approx(np.sqrt(8))


def test_dead_units_are_zero_for_every_example():
    found = stats_of(lambda x: jax.nn.relu(x), X)["relu"]
    assert (float(found.dead), float(found.zeros)) == pytest.approx((2 / 3, 4 / 6))


def test_the_batch_axis_may_be_any():
    found = stats_of(lambda x: jnp.tanh(x.T), X)["tanh"]
    np.testing.assert_allclose(found.unit_mean, np.tanh(X).mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(found.unit_std, np.tanh(X).std(axis=0), rtol=1e-6)
    assert float(found.dead) == pytest.approx(1 / 3)
    assert float(found.std) == pytest.approx(np.tanh(X).std(), rel=1e-6)


def test_saturation_is_measured_at_both_ends_and_only_where_there_are_ends():
    x = jnp.array([[-9.0, 0.0], [9.0, 1.0]])
    found = stats_of(lambda x: jnp.tanh(x) + jax.nn.sigmoid(x) + jnp.sin(x), x)
    assert float(found["tanh"].saturated) == 0.5
    assert float(found["logistic"].saturated) == 0.5
    assert found["sin"].saturated is None


@pytest.mark.parametrize("shape", [(9, 4), (4, 9)])
def test_the_dimension_is_the_participation_ratio_of_the_covariance(shape, x64):
    x = np.random.default_rng(1).normal(size=shape) * np.arange(1.0, shape[1] + 1)
    values = np.linalg.eigvalsh(np.cov(x, rowvar=False))
    found = telemetry.site_stats({"a": x}, {"a": 0})["a"].dimension
    assert float(found) == pytest.approx(values.sum() ** 2 / (values**2).sum(), rel=1e-12)


def test_the_dimension_of_constant_units_is_zero():
    assert float(telemetry.site_stats({"a": jnp.ones((4, 3))}, {"a": 0})["a"].dimension) == 0


def test_a_site_without_batch_axis_counts_as_one_example():
    found = telemetry.site_stats({"a": jnp.array([0.0, 2.0])}, {"a": None})["a"]
    assert found.unit_mean.tolist() == [0.0, 2.0]
    assert telemetry.site_symmetry({"a": jnp.ones(2)}, {"a": None}) == {}


@pytest.mark.parametrize(
    ("sites", "axes", "says"),
    [
        ({"a": jnp.ones(2)}, {}, "`axes` must hold every site"),
        ({"a": jnp.ones(2)}, {"a": 1}, "a must have its batch axis"),
        ({"a": jnp.ones(2, jnp.int32)}, {"a": 0}, "floating-point"),
    ],
)
def test_wrong_arguments_are_named(sites, axes, says):
    with pytest.raises((TypeError, ValueError), match=says):
        telemetry.site_stats(sites, axes)


def test_symmetry_needs_numbers():
    with pytest.raises(TypeError, match="outside of compiled programs"):
        jax.jit(lambda x: telemetry.site_symmetry({"a": x}, {"a": 0}))(X)
