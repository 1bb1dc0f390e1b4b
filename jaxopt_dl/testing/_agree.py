"""When two trees are the same: structure and shapes exactly, values to rounding."""

import copy
from collections.abc import Callable
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np

from jaxopt_dl._core.trees import leaves_with_paths
from jaxopt_dl._core.types import PyTree

from ._promise import given


def assert_equal(got: PyTree, expected: PyTree) -> None:
    """Check that two trees are equal to the last bit.

    Raises:
      AssertionError: naming the first leaf that differs, and by how much.
    """
    _compare(got, expected, lambda dtype: 0.0)


def assert_close(got: PyTree, expected: PyTree) -> None:
    """Check that two trees are equal to what rounding of their dtypes explains.

    That is `eps ** 0.75` of the largest number in the tree: 6e-6 in float32, 2e-12 in float64.

    Raises:
      AssertionError: naming the first leaf that differs, by how much, and how much is allowed.
    """
    _compare(got, expected, lambda dtype: float(jnp.finfo(dtype).eps) ** 0.75)


def assert_pure(function: Callable, *args: PyTree) -> None:
    """Check that a function returns the same twice, and leaves its arguments as they came.

    Raises:
      AssertionError: saying which of it fails, and naming the first leaf that differs.
    """
    before = _copied(args)
    first = _copied(function(*args))
    with given("the arguments after the call"):
        assert_equal(args, before)
    with given("a second call with the same arguments"):
        assert_equal(function(*args), first)


def numbers(leaf: Any) -> np.ndarray:
    """Return a leaf in float64 on the host; of PRNG keys, their data."""
    if jnp.issubdtype(jnp.result_type(leaf), jax.dtypes.prng_key):
        leaf = jax.random.key_data(leaf)
    return np.asarray(leaf).astype(np.float64)


def _compare(got: PyTree, expected: PyTree, share: Callable[[Any], float]) -> None:
    chex.assert_trees_all_equal_structs(got, expected)
    scale = max((_largest(leaf) for leaf in jax.tree.leaves(expected)), default=0.0)
    pairs = zip(leaves_with_paths(got), leaves_with_paths(expected), strict=True)
    for (path, a), (_, b) in pairs:
        name = f"`{path}`" if path else "the value"
        assert np.shape(a) == np.shape(b), f"{name} has shape {np.shape(a)}, not {np.shape(b)}"
        allowed = share(jnp.result_type(b)) * scale if _is_floating(b) else 0.0
        off = _distance(numbers(a), numbers(b))
        room = f"rounding explains {allowed:.1g}" if allowed else "it must not differ at all"
        assert off <= allowed, f"{name} differs by up to {off:.2g}, and {room}"


def _copied(tree: PyTree) -> PyTree:
    """Return a tree of its own, so that what is changed in place shows."""
    return jax.tree.map(lambda x: x if isinstance(x, jax.Array) else copy.copy(x), tree)


def _is_floating(leaf: Any) -> bool:
    return jnp.issubdtype(jnp.result_type(leaf), np.floating)


def _largest(leaf: Any) -> float:
    values = np.abs(numbers(leaf)) if _is_floating(leaf) else np.zeros(0)
    return float(np.max(values, initial=0.0, where=np.isfinite(values)))


def _distance(a: np.ndarray, b: np.ndarray) -> float:
    """Return the largest difference; equal infinities are none, and neither are two NaN."""
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    with np.errstate(invalid="ignore"):
        apart = np.where(same, 0.0, np.abs(a - b))
    return float(np.max(np.nan_to_num(apart, nan=np.inf), initial=0.0))
