"""Scales, shapes and dtypes of the initializers, against their formulas."""

import inspect
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_dl import nn

NAMED = {
    "lecun": (nn.lecun_normal, nn.lecun_uniform),
    "xavier": (nn.xavier_normal, nn.xavier_uniform),
    "he": (nn.he_normal, nn.he_uniform),
}
NORMAL = [pair[0] for pair in NAMED.values()]
EVERY = [factory for pair in NAMED.values() for factory in pair]


def spread(init, key, shape=(512, 512), dtype=jnp.float32) -> float:
    return float(np.std(np.asarray(init(key, shape, dtype), np.float64)))


@pytest.mark.parametrize(
    ("init", "shape", "stddev"),
    [
        (nn.he_normal(), (512, 512), 0.0625),  # INIT-04
        (nn.he_normal(negative_slope=0.2), (512, 512), 0.061286),  # INIT-11
        (nn.he_normal(gain=2.0), (512, 512), 0.088388),  # INIT-18
        (nn.lecun_normal(), (512, 512), 0.044194),  # INIT-08
        (nn.xavier_normal(), (512, 256), 0.051031),  # INIT-09
        (nn.he_normal(), (4, 65536), 0.7071),  # INIT-20
        (nn.he_normal(), (100, 2048), 0.1414),
        (nn.he_normal(in_axis=-1, out_axis=-2), (64, 1024), 0.0442),  # INIT-11, axis trap
        (nn.he_normal(), (64, 1024), 0.1768),
        (nn.he_normal(), (3, 3, 8, 4096), math.sqrt(2 / 72)),
        (nn.xavier_normal(gain=3.0), (3, 3, 8, 4096), math.sqrt(6 / (9 * (8 + 4096)))),
        (nn.normal(stddev=0.3), (512, 512), 0.3),  # INIT-16
    ],
)
def test_sample_deviations_init_04_08_09_11_16_18(init, shape, stddev, key):
    assert spread(init, key, shape) == pytest.approx(stddev, rel=0.01)


@pytest.mark.parametrize(
    ("init", "shape", "limit"),
    [
        (nn.he_uniform(), (512, 512), 0.108253),  # INIT-04
        (nn.lecun_uniform(), (512, 512), 0.076547),  # INIT-08
        (nn.xavier_uniform(), (512, 256), 0.088388),  # INIT-09
    ],
)
def test_uniform_draws_fill_their_interval_init_04_08_09(init, shape, limit, key):
    draw = np.asarray(init(key, shape))
    assert np.abs(draw).max() <= limit * (1 + 1e-5)
    assert draw.max() > 0.999 * limit
    assert draw.min() < -0.999 * limit


@pytest.mark.parametrize("distribution", ["normal", "uniform", "truncated_normal"])
def test_every_distribution_has_the_same_deviation_init_04(distribution, key):
    init = nn.variance_scaling(2.0, distribution=distribution)
    assert spread(init, key) == pytest.approx(0.0625, rel=0.01)


def test_truncated_draws_end_at_two_deviations_of_the_underlying_normal_init_04(key):
    draw = nn.variance_scaling(2.0, distribution="truncated_normal")(key, (512, 512))
    limit = 2 * 0.0625 / 0.879626
    assert 0.99 * limit < float(jnp.abs(draw).max()) <= limit * (1 + 1e-5)


@pytest.mark.parametrize("factory", NORMAL, ids=lambda f: f.__name__)
def test_named_normals_are_not_truncated(factory, key):
    draw = np.asarray(factory()(key, (512, 512)))
    assert np.abs(draw).max() > 3.5 * draw.std()


@pytest.mark.parametrize(
    "init", [*(factory() for factory in EVERY), nn.normal(stddev=0.3)], ids=lambda f: f.__name__
)
def test_draws_are_centered_on_zero_init_16(init, key):
    draw = np.asarray(init(key, (512, 512)), np.float64)
    assert abs(draw.mean()) < 4 * draw.std() / 512


def test_the_second_number_of_a_normal_is_a_variance_init_14(key):
    assert spread(nn.lecun_normal(), key) == pytest.approx(0.0442, rel=0.005)


def test_draws_are_neither_positive_nor_too_narrow_init_12(key):
    """`rand` in place of `randn`, as the notes print it, is neither centered nor wide enough."""
    printed = np.random.default_rng(0).random((512, 512)) * np.sqrt(2 / 512)
    np.testing.assert_allclose([printed.mean(), printed.std()], [0.03125, 0.018042], rtol=5e-3)
    draw = np.asarray(nn.he_normal()(key, (512, 512)), np.float64)
    np.testing.assert_allclose([draw.mean(), draw.std()], [0.0, 0.0625], atol=5e-4)


@pytest.mark.parametrize(("mode", "fan"), [("fan_in", 300), ("fan_out", 700), ("fan_avg", 500)])
def test_the_mode_chooses_the_fan(mode, fan, key):
    init = nn.variance_scaling(1.0, mode=mode)
    assert spread(init, key, (300, 700)) == pytest.approx(fan**-0.5, rel=0.01)


@pytest.mark.parametrize("factory", EVERY, ids=lambda f: f.__name__)
def test_the_returned_function_has_the_signature_of_jax(factory):
    theirs = list(inspect.signature(jax.nn.initializers.zeros).parameters)[:3]
    assert list(inspect.signature(factory()).parameters) == theirs


@pytest.mark.parametrize("factory", EVERY, ids=lambda f: f.__name__)
def test_bfloat16_has_the_same_deviation(factory, key):
    wide = factory()(key, (64, 64))
    half = factory()(key, (64, 64), jnp.bfloat16)
    assert half.dtype == jnp.bfloat16
    np.testing.assert_allclose(half.astype(jnp.float32), wide, rtol=1 / 128)


@pytest.mark.parametrize("factory", EVERY, ids=lambda f: f.__name__)
def test_float64_draws_are_float64(factory, key, x64):
    draw = factory()(key, (32, 32), jnp.float64)
    assert draw.dtype == jnp.float64
    assert not bool(jnp.array_equal(draw, draw.astype(jnp.float32).astype(jnp.float64)))


def test_he_keeps_the_mean_square_through_a_relu_layer_init_11(key):
    keys = jax.random.split(key)
    x = jax.random.normal(keys[0], (512, 512))
    x = x / jnp.sqrt(jnp.mean(jnp.square(x)))
    out = nn.relu(x @ nn.he_normal()(keys[1], (512, 2048)))
    assert float(jnp.mean(jnp.square(out))) == pytest.approx(1.0, rel=0.02)


def test_weighted_sums_grow_with_the_number_of_inputs_unless_scaled_init_07(key):
    for n, expected in ((100, 10.0), (10_000, 100.0)):
        z = jnp.ones(n) @ nn.normal(stddev=1.0)(key, (n, 2000))
        assert float(z.std()) == pytest.approx(expected, rel=0.06)
        scaled = jnp.ones(n) @ nn.lecun_normal()(key, (n, 2000))
        assert float(scaled.std()) == pytest.approx(1.0, rel=0.06)


def test_the_gain_of_relu_is_twice_that_of_tanh_init_10(key):
    he, square = nn.he_normal()(key, (64, 64)), nn.xavier_normal()(key, (64, 64))
    np.testing.assert_allclose(jnp.square(he), 2 * jnp.square(square), rtol=1e-5)


@pytest.mark.parametrize("factory", EVERY, ids=lambda f: f.__name__)
def test_half_of_the_weights_are_negative_init_12(factory, key):
    share = float(jnp.mean(factory()(key, (512, 512)) < 0))
    assert share == pytest.approx(0.5, abs=0.005)


def test_weights_that_are_all_1_explode_init_21():
    x = jnp.ones((1, 4))
    for _ in range(5):
        x = x @ nn.constant(1.0)(jax.random.key(0), (4, 4))
    np.testing.assert_array_equal(x, np.full((1, 4), 1024.0))


def test_zeros_and_constants_fill_init_15(key):
    np.testing.assert_array_equal(nn.zeros(key, (3,)), np.zeros(3))
    np.testing.assert_array_equal(nn.constant(0.5)(key, (2, 2)), np.full((2, 2), 0.5))


def test_initializers_of_jax_serve_a_dense_layer(key):
    layer = nn.dense(3, kernel_init=jax.nn.initializers.glorot_normal())
    params, _ = layer.init(key, (4,))
    assert params["kernel"].shape == (4, 3)


@pytest.mark.parametrize("shape", [(), (4,), (0, 4)])
def test_a_shape_without_a_fan_raises(shape, key):
    with pytest.raises(ValueError, match="distinct axes -2 and -1"):
        nn.he_normal()(key, shape)


def test_one_axis_for_both_fans_raises(key):
    with pytest.raises(ValueError, match="distinct axes"):
        nn.he_normal(in_axis=1, out_axis=-1)(key, (4, 3))


@pytest.mark.parametrize("gain", [0.0, -1.0, float("nan")])
@pytest.mark.parametrize("factory", EVERY, ids=lambda f: f.__name__)
def test_a_gain_that_is_not_positive_raises_and_names_the_initializer(factory, gain):
    with pytest.raises(ValueError, match=rf"^{factory.__name__}: `gain`"):
        factory(gain=gain)


def test_a_misspelt_distribution_is_named_with_its_nearest():
    with pytest.raises(ValueError, match="Did you mean 'uniform'"):
        nn.variance_scaling(1.0, distribution="unifrom")


def test_a_deviation_of_zero_raises_init_16():
    with pytest.raises(ValueError, match="normal: `stddev`"):
        nn.normal(stddev=0.0)
