"""Losses of regression."""

import jax.numpy as jnp
import numpy as np

from jaxopt_dl._core.numerics import common_dtype
from jaxopt_dl._core.trees import widen
from jaxopt_dl._core.types import Array

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
    who = "squared_error"
    check_paired(who, "predictions", predictions, "targets", targets)
    largest = np.finfo(np.float64).max
    check_values(who, "targets", targets, -largest, largest, "be finite")
    common = common_dtype(predictions, targets)
    p = widen(jnp.asarray(predictions).astype(common))
    t = jnp.asarray(targets).astype(p.dtype)
    return poison(per_example(jnp.square(p - t)), jnp.isfinite(t))
