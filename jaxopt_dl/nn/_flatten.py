"""Flattening: all axes but the first become one."""

import math

from jaxopt_dl._core.errors import fail
from jaxopt_dl._core.types import Array, Layer

from ._checks import label
from ._lift import lift


def flatten(*, name: str | None = None) -> Layer:
    """Put all values of an example into one row, between a convolution and a dense layer.

    Args:
      name: name of the layer in paths and messages.

    Returns:
      A layer from `(batch, ...)` to `(batch, features)`, values in row order, same dtype, without
      params and state.

    Raises:
      ValueError: from `apply`, if the input has no batch axis.

    Examples:
      >>> import jax.numpy as jnp
      >>> y, _ = flatten().apply({}, {}, jnp.ones((5, 2, 3)), training=False)
      >>> y.shape
      (5, 6)
    """
    who = label("flatten", name)

    def reshape(x: Array) -> Array:
        if x.ndim == 0:
            fail(who, "`x` must have a batch axis", "got a scalar", "Pass (batch, ...).")
        # Not -1: an empty batch has no size to divide.
        return x.reshape(x.shape[0], math.prod(x.shape[1:]))

    return lift(reshape, name=name)._replace(kind="flatten")
