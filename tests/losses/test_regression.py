"""Squared error: its factor, its targets."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_dl import losses


def test_there_is_no_factor_one_half():
    value = losses.squared_error(jnp.array([3.0]), jnp.array([1.0]))
    np.testing.assert_array_equal(value, [4.0])


def test_trailing_axes_are_averaged():
    value = losses.squared_error(
        jnp.array([[1.0, 2.0], [0.0, 0.0]]), jnp.array([[1.0, 5.0], [2, 0]])
    )
    np.testing.assert_array_equal(value, [4.5, 2.0])


def test_integer_targets_are_allowed():
    value = losses.squared_error(jnp.array([3.0]), jnp.array([1]))
    assert value.dtype == jnp.float32
    np.testing.assert_array_equal(value, [4.0])


def test_a_column_of_predictions_against_flat_targets_raises():
    with pytest.raises(ValueError, match=r"got \(3, 1\) and \(3,\)"):
        losses.squared_error(jnp.ones((3, 1)), jnp.ones(3))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_target_that_is_not_finite_raises(bad):
    with pytest.raises(ValueError, match=rf"must be finite, got {bad} in row 1"):
        losses.squared_error(jnp.ones(3), jnp.array([0.0, bad, 1.0]))


def test_numpy_float64_targets_meet_float32_predictions():
    value = losses.squared_error(jnp.ones(2), np.array([0.5, 3.0]))
    assert value.dtype == jnp.float32
    np.testing.assert_allclose(value, [0.25, 4.0])


def test_targets_known_while_predictions_are_traced_are_still_checked():
    with pytest.raises(ValueError, match="in row 0"):
        jax.grad(lambda p: losses.squared_error(p, jnp.array([jnp.nan])).sum())(jnp.ones(1))
