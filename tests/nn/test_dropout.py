"""Inverted dropout: shares, moments, keys."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxopt_dl import nn


def drop(key, x, keep_prob):
    return nn.dropout(keep_prob=keep_prob).apply({}, {}, x, training=True, key=key)[0]


def test_the_share_kept_is_keep_prob_drop_01(key):
    y = drop(key, jnp.ones(1_000_000), 0.8)
    assert abs(float(jnp.mean(y != 0)) - 0.8) < 4 * 0.0004


def test_values_are_zero_or_scaled_up_drop_02(key):
    assert set(drop(key, jnp.full(1000, 3.0), 0.8).tolist()) == {0.0, 3.75}


def test_the_mask_is_a_uniform_draw_below_keep_prob_drop_03(key):
    expected = jax.random.uniform(key, (5, 40), jnp.float32) < 0.3
    np.testing.assert_array_equal(drop(key, jnp.ones((5, 40)), 0.3) != 0, expected)


def test_the_mean_is_kept_and_the_variance_grows_drop_04(key):
    y = np.asarray(drop(key, jnp.full(1_000_000, 3.0), 0.8), np.float64)
    assert abs(y.mean() - 3.0) < 4 * (2.25 / 1e6) ** 0.5
    assert y.var() == pytest.approx(2.25, rel=0.01)
    unscaled = 3.0 * (y != 0)
    assert unscaled.mean() == pytest.approx(2.4, rel=0.002)


@pytest.mark.parametrize("keep_prob", [1.0, 0.9, 0.5, 1])
def test_probabilities_in_range_are_accepted_drop_06(keep_prob):
    nn.dropout(keep_prob=keep_prob)


@pytest.mark.parametrize("keep_prob", [0.0, 1.5, -0.2, float("nan")])
def test_probabilities_out_of_range_raise_drop_06(keep_prob):
    with pytest.raises(ValueError, match=r"`keep_prob` must lie in \(0, 1\]"):
        nn.dropout(keep_prob=keep_prob)


@pytest.mark.parametrize(("keep_prob", "training"), [(0.5, False), (1.0, True)])
def test_it_is_the_identity_bitwise_drop_07(key, keep_prob, training):
    x = jnp.array([0.1, -0.0, jnp.inf, jnp.nan, 1e-40])
    y, _ = nn.dropout(keep_prob=keep_prob).apply({}, {}, x, training=training, key=key)
    np.testing.assert_array_equal(x.view(jnp.uint32), y.view(jnp.uint32))


def test_averaged_masks_of_a_linear_layer_give_its_unmasked_output_drop_08(key):
    keys = jax.random.split(key, 10_000)
    x, w = jnp.array([1.0, -2.0, 0.5, 3.0]), jnp.array([0.3, 0.8, -1.0, 0.4])
    outputs = np.asarray(jax.vmap(lambda k: drop(k, x, 0.5) @ w)(keys), np.float64)
    error = outputs.std() / 100
    assert abs(outputs.mean() - float(x @ w)) < 4 * error


def test_float64_has_the_same_mask_as_float32(key):
    narrow = np.asarray(drop(key, jnp.ones(1000), 0.37) != 0)
    with jax.enable_x64(True):
        wide = np.asarray(drop(key, jnp.ones(1000, jnp.float64), 0.37) != 0)
    np.testing.assert_array_equal(narrow, wide)


def test_bfloat16_scales_by_the_unrounded_probability(key):
    kept = drop(key, jnp.ones(100, jnp.bfloat16), 0.7).max()
    assert kept == jnp.asarray(1 / 0.7, jnp.bfloat16)


@given(st.floats(0.05, 1.0), st.integers(0, 2**31 - 1))
@settings(deadline=None, max_examples=25)
def test_every_value_is_zero_or_its_own_over_keep_prob(keep_prob, seed):
    x = jnp.linspace(-3.0, 5.0, 37)
    y = np.asarray(drop(jax.random.key(seed), x, keep_prob))
    scaled = np.asarray(x) / np.float32(keep_prob)
    assert np.all((y == 0) | np.isclose(y, scaled, rtol=1e-6))


def test_the_gradient_passes_through_what_is_kept(key):
    x = jnp.linspace(1.0, 2.0, 50)
    grad = jax.grad(lambda x: jnp.sum(drop(key, x, 0.5)))(x)
    np.testing.assert_array_equal(grad, np.where(drop(key, x, 0.5) != 0, 2.0, 0.0))


def test_a_traced_probability_makes_a_sweep_in_one_program(key):
    x = jnp.ones(1000)
    swept = jax.vmap(lambda keep: drop(key, x, keep))(jnp.array([0.2, 0.9]))
    np.testing.assert_array_equal(swept[0], drop(key, x, 0.2))
    np.testing.assert_array_equal(swept[1], drop(key, x, 0.9))


def test_a_missing_key_raises_and_names_the_layer():
    layer = nn.dropout(keep_prob=0.5, name="first")
    with pytest.raises(ValueError, match=r"^dropout 'first': training needs a `key`"):
        layer.apply({}, {}, jnp.ones(3), training=True)


def test_a_seed_in_place_of_a_key_raises():
    with pytest.raises(TypeError, match="dropout: `key` must be a PRNG key"):
        nn.dropout(keep_prob=0.5).apply({}, {}, jnp.ones(3), training=True, key=0)


def test_integers_raise(key):
    with pytest.raises(TypeError, match="dropout: `x` must hold floating"):
        drop(key, jnp.ones(3, jnp.int32), 0.5)


def test_a_mode_that_is_not_a_bool_raises(key):
    with pytest.raises(TypeError, match="`training` must be True or False"):
        nn.dropout(keep_prob=0.5).apply({}, {}, jnp.ones(3), training="no", key=key)


@pytest.mark.parametrize("bad", [0.0, 1.5, -0.1, float("nan")])
def test_a_traced_keep_prob_out_of_range_gives_nan(key, bad):
    @jax.jit
    def dropped(keep_prob):
        layer = nn.dropout(keep_prob=keep_prob)
        return layer.apply({}, {}, jnp.ones((2, 5)), training=True, key=key)[0]

    assert jnp.isfinite(dropped(0.5)).all()
    assert jnp.isnan(dropped(bad)).all()
