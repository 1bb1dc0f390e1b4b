"""Small numerical tools: one dtype for mixed operands, explicit rank expansion, float64.

Everything here keeps strict dtype promotion and rank promotion "raise" satisfied.
"""

import contextlib
import math
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxopt_dl._core.errors import check_number, is_traced
from jaxopt_dl._core.types import Array, Number, PyTree, Spec


@contextlib.contextmanager
def float64() -> Iterator[None]:
    """Compute in float64 inside this block; use it around `jit`, never inside.

    Arrays that leave the block must be turned into NumPy arrays first, with `to_numpy`: a
    float64 JAX array used outside is silently truncated. The block holds for this thread only.
    """
    with jax.enable_x64(True):
        yield


def to_numpy(tree: PyTree) -> PyTree:
    """Return the tree with every array as a NumPy array of the same dtype."""
    return jax.tree.map(np.asarray, tree)


def to_float64(tree: PyTree) -> PyTree:
    """Return the tree with every narrower floating-point array as a float64 NumPy array.

    Everything else stays as it is: integers, keys, functions, Python numbers.
    """
    return jax.tree.map(
        lambda leaf: np.asarray(leaf, np.float64) if is_narrow(leaf) else leaf, tree
    )


def is_narrow(leaf: Any) -> bool:
    """Whether a leaf is a floating-point array of less than float64."""
    if not isinstance(leaf, np.ndarray | jax.Array):
        return False
    if jnp.issubdtype(leaf.dtype, jax.dtypes.extended):
        return False
    return bool(jnp.issubdtype(leaf.dtype, np.floating)) and leaf.dtype != np.float64


def common_dtype(*arrays: Array) -> np.dtype:
    """Return the floating-point dtype that holds all operands, also under strict promotion."""
    with jax.numpy_dtype_promotion("standard"):
        return jnp.result_type(*arrays)


def read_number(who: str, name: str, value: Number, dtype: Any, **interval: Any) -> Array:
    """Return a number as a scalar array, once it lies in its interval.

    One that only shows inside a compiled program to lie outside becomes NaN: there nothing can be
    raised, and a wrong number must not pass for a right one.

    Args:
      who: as in `check_number`.
      name: as in `check_number`.
      value: the number.
      dtype: what to return it in.
      **interval: `low`, `high`, `low_open`, `high_open` of `check_number`.

    Raises:
      TypeError: as `check_number` does.
      ValueError: as `check_number` does.
    """
    check_number(who, name, value, **interval)
    number = jnp.asarray(value).astype(dtype)
    if not is_traced(value):
        return number
    low, high = interval.get("low", -np.inf), interval.get("high", np.inf)
    above = number > low if interval.get("low_open") else number >= low
    below = number < high if interval.get("high_open") else number <= high
    return jnp.where(above & below & jnp.isfinite(number), number, jnp.nan)


def safe_sqrt(value: Array) -> Array:
    """Return the square root, with derivative 0 at 0.

    The derivative of `sqrt` at 0 is infinite, and times a zero it is NaN: a norm of zeros, or
    one gradient that is exactly zero, would poison everything differentiated through it.
    """
    zero = value == 0
    positive = jnp.where(zero, jnp.ones_like(value), value)
    return jnp.where(zero, jnp.zeros_like(value), jnp.sqrt(positive))


def shrink(value: Array, by: Array) -> Array:
    """Return soft thresholding: every number moved toward zero by `by`, and stopped there.

    The sum of both sides rather than sign times size, so that no zero is negative.
    """
    return jnp.maximum(value - by, 0) + jnp.minimum(value + by, 0)


def matmul_last(x: Array, matrix: Array) -> Array:
    """Multiply the last axis of `(..., n)` by a matrix `(n, m)`, giving `(..., m)`.

    All other axes become rows of one product. The gradient of a product that sums over several
    axes would copy both of its sides first, on CPU at up to half of its speed.
    """
    rows = jnp.reshape(x, (math.prod(x.shape[:-1]), x.shape[-1]))
    return jnp.reshape(jnp.dot(rows, matrix), (*x.shape[:-1], matrix.shape[-1]))


def along_last(vector: Array, ndim: int) -> Array:
    """Give a `(channels,)` vector leading axes of size 1 until it has `ndim` axes."""
    return jnp.reshape(vector, (1,) * (ndim - 1) + vector.shape)


def along_first(vector: Array, ndim: int) -> Array:
    """Give a `(batch,)` vector trailing axes of size 1 until it has `ndim` axes."""
    return jnp.reshape(vector, vector.shape + (1,) * (ndim - 1))


def as_spec(spec: Spec) -> jax.ShapeDtypeStruct:
    """Return a `ShapeDtypeStruct`; a plain tuple of sizes means float32."""
    if isinstance(spec, tuple):
        return jax.ShapeDtypeStruct(spec, jnp.float32)
    return jax.ShapeDtypeStruct(spec.shape, spec.dtype)


def weighted_mean(values: Array, weights: Array) -> tuple[Array, Array]:
    """Return the weighted mean of `(n,)` values and the total weight, both scalars.

    A total weight of 0 gives a mean of 0. A value with weight 0 contributes nothing, not even
    a NaN, so padding never poisons a mean.
    """
    weights = weights.astype(values.dtype)
    total = jnp.sum(weights)
    counted = jnp.where(weights > 0, values, jnp.zeros_like(values))
    mean = jnp.sum(counted * weights) / jnp.where(total > 0, total, jnp.ones_like(total))
    return mean, total


def is_floating(value: Any) -> bool:
    """Whether a number, array or tracer holds real floating-point numbers; keys do not."""
    dtype = jnp.result_type(value)
    return not jnp.issubdtype(dtype, jax.dtypes.extended) and jnp.issubdtype(dtype, np.floating)
