import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_dl._core.numerics import safe_sqrt
from jaxopt_dl._core.trees import as_pytree, global_norm, squared_norm


@pytest.mark.parametrize("size", [1e30, 1.0, 1e-30])
def test_the_global_norm_neither_overflows_nor_vanishes(size):
    tree = {"a": jnp.array([2.0, -1.0]) * size, "b": jnp.array(2.0) * size}
    np.testing.assert_allclose(global_norm(tree), 3.0 * size, rtol=1e-6)


def test_leaves_of_mixed_dtypes_have_one_norm(x64):
    tree = [jnp.array(3.0, jnp.float32), jnp.array(4.0, jnp.bfloat16), jnp.zeros(0)]
    assert float(global_norm(tree)) == 5.0
    assert float(squared_norm(tree)) == 25.0


def test_float32_leaves_have_a_float32_norm_in_a_float64_scope(x64):
    assert global_norm([jnp.ones(4, jnp.float32)]).dtype == jnp.float32


@pytest.mark.parametrize("tree", [{}, [jnp.zeros(0)]])
def test_a_tree_without_numbers_has_norm_zero(tree):
    assert float(global_norm(tree)) == 0.0


@pytest.mark.parametrize("fault", [jnp.nan, jnp.inf])
def test_a_faulty_leaf_makes_the_norm_not_finite(fault):
    assert not np.isfinite(global_norm([jnp.array([fault, 1.0])]))


def test_the_derivative_of_the_norm_is_the_direction():
    slope = jax.grad(global_norm)(jnp.array([3.0, -4.0, 0.0]))
    np.testing.assert_allclose(slope, [0.6, -0.8, 0.0], rtol=1e-6)


def test_the_derivative_of_the_norm_at_zero_is_zero():
    np.testing.assert_array_equal(jax.grad(global_norm)(jnp.zeros(3)), np.zeros(3))


@pytest.mark.parametrize(("value", "root", "slope"), [(0.0, 0.0, 0.0), (4.0, 2.0, 0.25)])
def test_safe_sqrt_and_its_derivative(value, root, slope):
    assert jax.value_and_grad(safe_sqrt)(value) == (root, slope)


def test_safe_sqrt_hides_no_fault():
    assert np.isnan(safe_sqrt(jnp.array([jnp.nan, -1.0]))).all()


def test_a_function_becomes_a_pytree_without_leaves_and_a_pytree_stays():
    wrapped = as_pytree(abs)
    assert jax.tree.leaves(wrapped) == []
    assert wrapped(-3) == 3
    partial = jax.tree_util.Partial(max, 2)
    assert as_pytree(partial) is partial
