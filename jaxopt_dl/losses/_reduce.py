"""The one place where values per example become a number."""

import jax.numpy as jnp
import numpy as np

from jaxopt_dl._core import numerics
from jaxopt_dl._core.errors import check_floating, check_same_shape, check_shape
from jaxopt_dl._core.types import Array

from ._checks import check_values


def weighted_mean(values: Array, weights: Array) -> tuple[Array, Array]:
    """Return the weighted mean of per-example values, and the total weight.

    The total makes means of unequal batches combine exactly: add `mean * total` and `total`.
    A value of weight 0 contributes nothing, not even a NaN, so padding never poisons a mean.

    Args:
      values: `(batch,)`, floating point, such as what a loss returns.
      weights: `(batch,)`, at least 0, 0 on padding; numbers or booleans.

    Returns:
      `(mean, total)`, both scalars. A total of 0 gives a mean of 0; a weight that only shows
      inside a compiled program to be negative or not finite makes both NaN.

    Raises:
      TypeError: if `values` are not floating point.
      ValueError: if a shape is not `(batch,)`, or a concrete weight is negative or not finite.

    Examples:
      >>> mean, total = weighted_mean(jnp.array([1.0, 4.0, jnp.nan]), jnp.array([1.0, 2.0, 0.0]))
      >>> float(mean), float(total)
      (3.0, 3.0)
    """
    who = "weighted_mean"
    check_floating(who, "values", values)
    check_shape(who, "values", values, (None,))
    check_same_shape(who, "values", values, "weights", weights)
    largest = np.finfo(np.float64).max
    check_values(who, "weights", weights, 0, largest, "be finite and at least 0")
    mean, total = numerics.weighted_mean(values, weights)
    numbers = jnp.asarray(weights).astype(mean.dtype)
    valid = jnp.all((numbers >= 0) & jnp.isfinite(numbers))
    return jnp.where(valid, mean, jnp.nan), jnp.where(valid, total, jnp.nan)
