"""What every loss must satisfy, one test per demand, over the table of losses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_dl.testing import _losses
from jaxopt_dl.testing._promise import FLOATING, floating_dtypes, hold
from tests.contracts.loss_cases import LOSSES, LossCase

pytestmark = pytest.mark.parametrize("case", LOSSES, ids=lambda case: case.name)

BATCH = 7
DTYPES = floating_dtypes("check_loss", FLOATING)


def made(case: LossCase, dtype=None) -> tuple[jax.Array, jax.Array]:
    outputs, targets = case.inputs(np.random.default_rng(3), BATCH)
    return jnp.asarray(outputs, dtype), jnp.asarray(targets)


def with_bad_row(case: LossCase, row: int) -> tuple[jax.Array, jax.Array]:
    outputs, targets = made(case)
    entry = (row,) + (0,) * (targets.ndim - 1)
    return outputs, targets.at[entry].set(case.bad_target)


def central_differences(function, x: np.ndarray) -> np.ndarray:
    """Two-sided slopes of a scalar function, one entry of `x` after another."""
    slopes = np.zeros(x.shape)
    for entry in np.ndindex(x.shape):
        step = np.cbrt(np.finfo(float).eps) * max(1.0, abs(x[entry]))
        above, below = x.copy(), x.copy()
        above[entry] += step
        below[entry] -= step
        slopes[entry] = (function(above) - function(below)) / (above[entry] - below[entry])
    return slopes


@pytest.mark.parametrize("promise", _losses.PROMISES, ids=lambda promise: promise.__name__)
def test_it_keeps_the_promises_of_a_loss(case, promise):
    outputs, targets = case.inputs(np.random.default_rng(3), BATCH)
    hold("check_loss", promise, _losses.Subject(case.loss, outputs, targets, DTYPES))


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e2, 1e4])
def test_values_are_at_least_0(case, scale):
    outputs, targets = made(case)
    assert jnp.min(case.loss(outputs * scale, targets)) >= 0


def test_integer_outputs_raise(case):
    outputs, targets = made(case)
    with pytest.raises(TypeError, match="must hold floating-point numbers, got dtype int32"):
        case.loss(outputs.astype(jnp.int32), targets)


def test_values_equal_the_reference_in_float64(case, x64):
    outputs, targets = made(case)
    expected = case.reference(np.asarray(outputs), np.asarray(targets))
    np.testing.assert_allclose(case.loss(outputs, targets), expected, rtol=1e-12)


def test_values_equal_the_reference_in_float32(case):
    outputs, targets = made(case)
    expected = case.reference(np.asarray(outputs, float), np.asarray(targets))
    np.testing.assert_allclose(case.loss(outputs, targets), expected, rtol=1e-5)


def test_half_precision_is_summed_in_float32(case):
    outputs, targets = made(case, jnp.bfloat16)
    value = case.loss(outputs, targets)
    assert value.dtype == jnp.float32
    expected = case.reference(np.asarray(outputs, float), np.asarray(targets))
    np.testing.assert_allclose(value, expected, rtol=1e-5)


def test_gradients_equal_central_differences(case, x64):
    outputs, targets = made(case)
    host = np.asarray(targets)
    got = jax.jit(jax.grad(lambda z: jnp.sum(case.loss(z, targets))))(outputs)
    expected = central_differences(lambda z: case.reference(z, host).sum(), np.asarray(outputs))
    np.testing.assert_allclose(got, expected, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("size", [-1e4, 1e4])
def test_values_far_out_equal_the_reference(case, size):
    outputs, targets = made(case)
    far = jnp.where(outputs > 0, size, -size / 2).astype(outputs.dtype)
    expected = case.reference(np.asarray(far, float), np.asarray(targets))
    np.testing.assert_allclose(case.loss(far, targets), expected, rtol=1e-6, atol=1e-6)


def test_a_bad_target_raises_and_names_row_and_value(case):
    outputs, targets = with_bad_row(case, 4)
    with pytest.raises(ValueError, match=rf"must .*, got {case.bad_target}\d* in row 4\."):
        case.loss(outputs, targets)


def test_a_bad_target_in_a_program_makes_its_example_nan_and_no_other(case):
    outputs, targets = with_bad_row(case, 4)
    value = np.asarray(jax.jit(case.loss)(outputs, targets))
    np.testing.assert_array_equal(np.isnan(value), np.arange(BATCH) == 4)


def test_a_bad_target_in_a_program_makes_the_gradient_of_its_example_nan(case):
    outputs, targets = with_bad_row(case, 4)
    grad = jax.jit(jax.grad(lambda z, t: jnp.sum(case.loss(z, t))))(outputs, targets)
    bad = np.isnan(np.asarray(grad)).reshape(BATCH, -1)
    np.testing.assert_array_equal(bad.all(axis=1), np.arange(BATCH) == 4)
    np.testing.assert_array_equal(bad.any(axis=1), np.arange(BATCH) == 4)


def test_several_bad_targets_are_counted(case):
    outputs, targets = with_bad_row(case, 4)
    entry = (2,) + (0,) * (targets.ndim - 1)
    with pytest.raises(ValueError, match=r"in row 2 \(the first of 2 such rows\)"):
        case.loss(outputs, targets.at[entry].set(case.bad_target))
