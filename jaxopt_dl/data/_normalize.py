"""Centering and scaling of features, with statistics taken from the training set alone."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxopt_dl._core.errors import check_floating, check_same_shape, fail
from jaxopt_dl._core.numerics import common_dtype
from jaxopt_dl._core.types import Array

from ._blocks import row_blocks
from ._check import as_numbers, check_finite

_RESOLUTION = 8
"""A feature must spread over this many times the rounding of its mean, or nothing is left."""


class Normalizer(NamedTuple):
    """Statistics of the training set; a pytree, so it passes through `jit` and into files.

    Attributes:
      mean: `(*features,)`, in the units of the data.
      scale: `(*features,)`, the standard deviation, 1 where a feature is constant.

    Examples:
      >>> normalizer = fit_normalizer([[1.0, 7.0], [3.0, 7.0]])
      >>> print(normalizer.mean, normalizer.scale)
      [2. 7.] [1. 1.]
    """

    mean: Array
    scale: Array


def fit_normalizer(x: ArrayLike, *, axis: int | tuple[int, ...] = 0) -> Normalizer:
    """Measure the mean and the standard deviation of every feature, on the host in float64.

    Features of unequal range make the loss a narrow valley, where a step that suits one
    direction is too long for another. Fit on the training set, and use the result on all sets.

        mean = sum(x) / n        scale = sqrt(sum((x - mean)^2) / n)

    Args:
      x: `(n, *features)` numbers, also integers or booleans, finite; memory-mapped, it is read
        in pieces.
      axis: the leading axes to average over. 0 gives statistics per feature (for images
        `(n, h, w, c)`: per pixel and channel), `(0, 1, 2)` gives them per channel.

    Returns:
      A normalizer of `(*features,)` arrays without the averaged axes: float32, or float64 for
      float64 data inside an `enable_x64` scope.

    Raises:
      TypeError: if `x` does not hold real numbers.
      ValueError: if `x` is empty or not finite, if `axis` are not its leading axes, or if a
        feature is too large, or varies too little around its mean, for the resulting dtype.

    Examples:
      >>> normalizer = fit_normalizer([[1.0, 0.1], [2.0, 0.2], [3.0, 0.3], [4.0, 0.4]])
      >>> print(normalizer.mean, normalizer.scale)
      [2.5  0.25] [1.118034  0.1118034]
    """
    x = as_numbers("fit_normalizer", "x", x)
    axes = _leading_axes(axis, x.ndim)
    if x.size == 0:
        fail("fit_normalizer", "`x` must hold examples", f"got shape {x.shape}", "Pass (n, ...).")
    check_finite("fit_normalizer", "x", x)
    with np.errstate(over="ignore", invalid="ignore"):
        mean, scale, constant = _statistics(x, axes)
        precise = np.float64 if x.dtype == np.float64 else np.float32
        dtype = jax.dtypes.canonicalize_dtype(precise)
        _check_representable(mean, scale, constant, dtype)
        return Normalizer(jnp.asarray(mean.astype(dtype)), jnp.asarray(scale.astype(dtype)))


def normalize(normalizer: Normalizer, x: ArrayLike) -> Array:
    """Center and scale: `(x - mean) / scale`.

    Args:
      normalizer: what `fit_normalizer` returned for the training set.
      x: `(..., *features)` numbers, one example or many.

    Returns:
      An array of the same shape; the dtype of `x` where that is floating point, otherwise that
      of the normalizer. Half precision is computed in the dtype of the normalizer.

    Raises:
      TypeError: if `x` does not hold real numbers.
      ValueError: if the last axes of `x` are not those the normalizer was fitted on.

    Examples:
      >>> normalizer = fit_normalizer([[1.0, 0.1], [2.0, 0.2], [3.0, 0.3], [4.0, 0.4]])
      >>> print(normalize(normalizer, [[5.0, 0.5]]).round(4))
      [[2.2361 2.2361]]
    """
    x = _as_floating("normalize", x, normalizer)
    mean, scale, wide = _aligned("normalize", normalizer, x)
    return ((wide - mean) / scale).astype(x.dtype)


def denormalize(normalizer: Normalizer, x: ArrayLike) -> Array:
    """Undo `normalize`: `x * scale + mean`.

    Args:
      normalizer: the one `x` was normalized with.
      x: `(..., *features)` floating-point numbers.

    Returns:
      An array of the same shape and dtype, in the units of the data.

    Raises:
      TypeError: if `x` does not hold floating-point numbers.
      ValueError: if the last axes of `x` are not those the normalizer was fitted on.

    Examples:
      >>> normalizer = fit_normalizer([[0.0], [4.0]])
      >>> denormalize(normalizer, jnp.array([[1.5]])).tolist()
      [[5.0]]
    """
    check_floating("denormalize", "x", x)
    x = jnp.asarray(x)
    mean, scale, wide = _aligned("denormalize", normalizer, x)
    return (wide * scale + mean).astype(x.dtype)


def _statistics(x: np.ndarray, axes: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return mean, scale and which features are constant, in float64, in two passes."""
    count = math.prod(x.shape[: len(axes)])
    low, high, total, squares = np.inf, -np.inf, 0.0, 0.0
    for block in row_blocks(x):
        wide = block.astype(np.float64)
        low, high = np.minimum(low, wide.min(axis=axes)), np.maximum(high, wide.max(axis=axes))
        total = total + wide.sum(axis=axes)
    constant = np.asarray(low == high)
    # The sum of equal numbers is rounded, so the mean of a constant feature is taken as is.
    mean = np.where(constant, low, total / count)
    for block in row_blocks(x):
        squares = squares + np.square(block.astype(np.float64) - mean).sum(axis=axes)
    return mean, np.where(constant, 1.0, np.sqrt(squares / count)), constant


def _as_floating(who: str, x: ArrayLike, normalizer: Normalizer) -> Array:
    dtype = jnp.asarray(normalizer.mean).dtype
    if not isinstance(x, jax.Array):
        x = as_numbers(who, "x", x)
    # Integers become floats before they become JAX arrays, where 2**40 would wrap to 0.
    return jnp.asarray(x if jnp.issubdtype(x.dtype, np.floating) else x.astype(dtype))


def _aligned(who: str, normalizer: Normalizer, x: Array) -> tuple[Array, Array, Array]:
    """Return mean, scale and `x` in one dtype and rank, so that nothing is promoted silently."""
    mean, scale = jnp.asarray(normalizer.mean), jnp.asarray(normalizer.scale)
    check_same_shape(who, "normalizer.mean", mean, "normalizer.scale", scale)
    missing = x.ndim - mean.ndim
    if missing < 0 or x.shape[missing:] != mean.shape:
        rule = f"the last axes of `x` must be {mean.shape}, as in the data of the fit"
        fail(who, rule, f"got shape {x.shape}", "Pass the same features in the same order.")
    dtype = common_dtype(mean, scale, x)
    shape = (1,) * missing + mean.shape
    return mean.reshape(shape).astype(dtype), scale.reshape(shape).astype(dtype), x.astype(dtype)


def _leading_axes(axis: int | tuple[int, ...], ndim: int) -> tuple[int, ...]:
    axes = (axis,) if isinstance(axis, int) else tuple(axis)
    if not axes or axes != tuple(range(len(axes))) or len(axes) > ndim:
        rule = "`axis` must be the leading axes of `x`, as in 0 or (0, 1, 2)"
        came = f"got {axis} for {ndim} axes"
        fail("fit_normalizer", rule, came, "Move the features to the last axes.")
    return axes


def _check_representable(
    mean: np.ndarray, scale: np.ndarray, constant: np.ndarray, dtype: np.dtype
) -> None:
    limits = jnp.finfo(dtype)
    fits = (abs(mean) <= limits.max) & (scale <= limits.max) & (scale >= limits.tiny)
    resolved = constant | (scale >= _RESOLUTION * limits.eps * abs(mean))
    bad = np.argwhere(~(fits & resolved))
    if len(bad):
        where = tuple(bad[0])
        rule = f"the mean and spread of every feature must be resolved by {dtype}"
        came = f"got {mean[where]:.6g} and {scale[where]:.3g} for feature {_index(where)}"
        fail("fit_normalizer", rule, came, "Subtract a constant from it, rescale it or drop it.")


def _index(where: tuple) -> str:
    return ", ".join(str(position) for position in where) or "0"
