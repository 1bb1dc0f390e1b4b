"""The weighted mean: padding, exact combination, shapes."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxopt_dl import losses

PAIRS = st.lists(st.tuples(st.floats(-9, 9, width=32), st.integers(0, 5)), min_size=2, max_size=2)


def test_equal_weights_give_the_mean():
    mean, total = losses.weighted_mean(jnp.array([1.0, 2.0, 6.0]), jnp.ones(3))
    assert (float(mean), float(total)) == (3.0, 3.0)


def test_nan_under_weight_0_does_not_count():
    mean, _ = losses.weighted_mean(jnp.array([2.0, jnp.nan]), jnp.array([1.0, 0.0]))
    assert float(mean) == 2.0


def test_no_weight_gives_0():
    mean, total = losses.weighted_mean(jnp.array([2.0, 3.0]), jnp.zeros(2))
    assert (float(mean), float(total)) == (0.0, 0.0)


def test_a_mask_serves_as_weights():
    mean, total = losses.weighted_mean(jnp.array([2.0, 4.0, 9.0]), jnp.array([True, True, False]))
    assert (float(mean), float(total)) == (3.0, 2.0)


@given(PAIRS, PAIRS)
@settings(deadline=None, max_examples=20)
def test_parts_combine_to_the_whole(first, second):
    def reduce(pairs):
        values, weights = (jnp.asarray([float(p[i]) for p in pairs]) for i in (0, 1))
        mean, total = losses.weighted_mean(values, weights)
        return float(mean * total), float(total)

    parts = np.add(reduce(first), reduce(second))
    np.testing.assert_allclose(parts, reduce(first + second), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("shape", [(3, 1), (1,), ()])
def test_weights_of_another_shape_raise(shape):
    with pytest.raises(ValueError, match="must have the same shape"):
        losses.weighted_mean(jnp.ones(3), jnp.ones(shape))


def test_values_must_be_one_per_example():
    with pytest.raises(ValueError, match=r"`values` must have shape \(any,\)"):
        losses.weighted_mean(jnp.ones((3, 2)), jnp.ones((3, 2)))


@pytest.mark.parametrize("bad", [-1.0, np.nan, np.inf])
def test_bad_weights_raise_with_their_row(bad):
    with pytest.raises(ValueError, match=f"got {bad} in row 1"):
        losses.weighted_mean(jnp.ones(3), jnp.array([1.0, bad, 1.0]))
