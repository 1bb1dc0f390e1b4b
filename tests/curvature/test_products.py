"""Hessian-vector products and dense Hessians against formulas and against each other."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_dl import curvature

PARAMS = {"kernel": jnp.array([[0.5, -1.0, 0.25], [2.0, 0.125, -0.5]]), "bias": jnp.ones(3)}
X = jnp.array([[1.0, -2.0], [0.5, 0.25], [3.0, 1.0], [-1.0, 0.5]])


def loss(params, x):
    return jnp.mean(jnp.tanh(x @ params["kernel"] + params["bias"][None]) ** 2)


def like(tree, seed=0):
    """A tree of normal numbers; drawn by NumPy, which compiles nothing."""
    random = np.random.default_rng(seed)
    return jax.tree.map(lambda leaf: jnp.asarray(random.normal(size=leaf.shape), leaf.dtype), tree)


def dense(params, x):
    return jax.jit(partial(curvature.hessian, loss, args=(x,)))(params)


def wide(tree):
    return jax.tree.map(lambda leaf: jnp.asarray(np.asarray(leaf), jnp.float64), tree)


def raveled(tree):
    return np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(tree)])


def test_a_quadratic_has_its_matrix_as_hessian(x64):
    matrix = np.array([[3.0, 1.0, 0.0], [1.0, -2.0, 0.5], [0.0, 0.5, 4.0]])
    vector = jnp.array([1.0, -2.0, 0.25])
    quadratic = lambda p, a: p @ a @ p / 2  # noqa: E731
    found = curvature.hessian_vector_product(quadratic, jnp.ones(3), vector, args=(matrix,))
    np.testing.assert_allclose(found, matrix @ vector, rtol=1e-14)
    np.testing.assert_allclose(curvature.hessian(quadratic, jnp.ones(3), args=(matrix,)), matrix)


def test_the_product_is_the_dense_hessian_times_the_vector(x64):
    params, x = wide(PARAMS), wide(X)
    vector = like(params)
    product = jax.jit(partial(curvature.hessian_vector_product, loss, args=(x,)))(params, vector)
    matrix = dense(params, x)
    np.testing.assert_allclose(raveled(product), matrix @ raveled(vector), atol=1e-14)


def test_the_dense_hessian_is_that_of_jax(x64):
    params, x = wide(PARAMS), wide(X)
    blocks = jax.jit(jax.hessian(loss))(params, x)
    names = ("bias", "kernel")
    theirs = np.block(
        [[blocks[a][b].reshape(params[a].size, params[b].size) for b in names] for a in names]
    )
    np.testing.assert_allclose(dense(params, x), theirs, atol=1e-14)


def test_it_works_under_jit_and_vmap():
    vectors = jax.tree.map(lambda a, b: jnp.stack([a, b]), PARAMS, like(PARAMS))
    product = lambda v: curvature.hessian_vector_product(loss, PARAMS, v, args=(X,))  # noqa: E731
    together = jax.jit(jax.vmap(product))(vectors)
    second = jax.jit(product)(like(PARAMS))
    np.testing.assert_allclose(together["kernel"][1], second["kernel"], atol=1e-5)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float32])
def test_dtypes_are_kept(dtype):
    params = jax.tree.map(lambda leaf: leaf.astype(dtype), PARAMS)
    product = partial(curvature.hessian_vector_product, loss, args=(X.astype(dtype),))
    found = jax.eval_shape(product, params, params)
    assert {leaf.dtype for leaf in jax.tree.leaves(found)} == {jnp.dtype(dtype)}


def test_leaves_of_several_dtypes_share_one_hessian():
    params = {"a": jnp.ones(1, jnp.bfloat16), "b": jnp.ones(2)}
    square = lambda p: jnp.sum(p["a"].astype(jnp.float32) ** 2) + jnp.sum(p["b"] ** 2)  # noqa: E731
    matrix = jax.jit(partial(curvature.hessian, square))(params)
    np.testing.assert_array_equal(matrix, 2 * np.eye(3))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"function": 3}, TypeError, "`function` must be a function"),
        ({"args": X}, TypeError, "`args` must be a tuple"),
        ({"params": {"kernel": jnp.arange(3)}}, TypeError, "`kernel` must hold floating"),
        ({"params": {"kernel": "x"}}, TypeError, "`params` must hold arrays, got .* 'kernel'"),
        ({"params": {}}, ValueError, "`params` must hold at least one array"),
        ({"vector": {"kernel": PARAMS["kernel"]}}, ValueError, "`vector` must be built like"),
        ({"vector": {**PARAMS, "bias": jnp.ones((3, 1))}}, ValueError, r"\(3, 1\) and \(3,\)"),
        ({"vector": {**PARAMS, "bias": jnp.ones(3, jnp.bfloat16)}}, TypeError, "have dtype float"),
        ({"function": lambda p, x: x}, ValueError, r"one .* number, but it returned shape \(4, 2"),
        ({"function": lambda p, x: (loss(p, x), 1)}, TypeError, "but it returned a tuple"),
        ({"function": lambda p, x: 3}, TypeError, "`the loss` must hold floating-point"),
    ],
)
def test_bad_input_is_refused(change, error, message):
    arguments = {"function": loss, "params": PARAMS, "vector": PARAMS, "args": (X,), **change}
    with pytest.raises(error, match=f"hessian_vector_product: .*{message}"):
        curvature.hessian_vector_product(**arguments)
