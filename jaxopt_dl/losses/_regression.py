"""Losses of regression."""

from collections.abc import Callable

import jax.numpy as jnp
import numpy as np

from jaxopt_dl._core.numerics import common_dtype, read_number
from jaxopt_dl._core.trees import widen
from jaxopt_dl._core.types import Array, Number

from ._checks import check_paired, check_values, per_example, poison


def squared_error(predictions: Array, targets: Array) -> Array:
    """Return the squared difference, averaged over each example.

        loss = mean over the trailing axes of (predictions - targets)^2

    There is no factor 1/2.

    Args:
      predictions: `(batch,)` or `(batch, ...)`, floating point.
      targets: same shape, finite numbers in the same unit.

    Returns:
      `(batch,)`, in squared units of the targets, at least float32. A target that is not finite
      and only shows inside a compiled program makes its example's loss and gradient NaN.

    Raises:
      TypeError: if `predictions` are not floating point or `targets` not real numbers.
      ValueError: if the shapes differ, or a concrete target is not finite.

    Examples:
      >>> squared_error(jnp.array([[1.0, 2.0]]), jnp.array([[1.0, 5.0]])).tolist()
      [4.5]
    """
    return _regression("squared_error", predictions, targets, jnp.square)


def absolute_error(predictions: Array, targets: Array) -> Array:
    """Return the absolute difference, averaged over each example.

        loss = mean over the trailing axes of |predictions - targets|

    A single outlier pulls no harder than any other example. The gradient at 0 is 0.

    Args:
      predictions: `(batch,)` or `(batch, ...)`, floating point.
      targets: same shape, finite numbers in the same unit.

    Returns:
      `(batch,)`, in units of the targets, at least float32. A target that is not finite and only
      shows inside a compiled program makes its example's loss and gradient NaN.

    Raises:
      TypeError: if `predictions` are not floating point or `targets` not real numbers.
      ValueError: if the shapes differ, or a concrete target is not finite.

    Examples:
      >>> absolute_error(jnp.array([[1.0, 2.0]]), jnp.array([[1.0, 5.0]])).tolist()
      [1.5]
    """
    # The slope of `jnp.abs` at 0 is 1; that of `d * sign(d)` is 0.
    return _regression("absolute_error", predictions, targets, lambda d: d * jnp.sign(d))


def huber(predictions: Array, targets: Array, *, delta: Number = 1.0) -> Array:
    """Return Huber's loss, averaged over each example: squared near 0, absolute far out.

        d = predictions - targets
        loss = mean over the trailing axes of d^2 / 2 where |d| <= delta,
               else delta * (|d| - delta / 2)

    Value and slope agree where the two meet. Here there is a factor 1/2.

    Args:
      predictions: `(batch,)` or `(batch, ...)`, floating point.
      targets: same shape, finite numbers in the same unit.
      delta: where the two meet, positive, in units of the targets.

    Returns:
      `(batch,)`, in squared units of the targets, at least float32. A target that is not finite
      and only shows inside a compiled program makes its example's loss and gradient NaN.

    Raises:
      TypeError: if `predictions` are not floating point, `targets` not real numbers or `delta`
        not a number.
      ValueError: if the shapes differ, a concrete target is not finite or `delta` not positive.

    Examples:
      >>> huber(jnp.array([0.5, 3.0]), jnp.array([0.0, 0.0])).tolist()
      [0.125, 2.5]

    References:
      Huber, "Robust Estimation of a Location Parameter", 1964.
    """

    def measure(d: Array) -> Array:
        width = read_number("huber", "delta", delta, d.dtype, low=0, low_open=True)
        # One formula for both parts: a branch not taken could overflow and poison the gradient.
        near = jnp.clip(d, -width, width)
        return near * (d - near / 2)

    return _regression("huber", predictions, targets, measure)


def _regression(
    who: str, predictions: Array, targets: Array, measure: Callable[[Array], Array]
) -> Array:
    """Return the mean of `measure(predictions - targets)` over each example."""
    check_paired(who, "predictions", predictions, "targets", targets)
    largest = np.finfo(np.float64).max
    check_values(who, "targets", targets, -largest, largest, "be finite")
    common = common_dtype(predictions, targets)
    p = widen(jnp.asarray(predictions).astype(common))
    t = jnp.asarray(targets).astype(p.dtype)
    return poison(per_example(measure(p - t)), jnp.isfinite(t))
