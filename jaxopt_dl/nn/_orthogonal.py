"""Orthogonal weights, which neither stretch nor shrink any direction."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxopt_dl._core.errors import check_number, fail
from jaxopt_dl._core.trees import wide_dtype
from jaxopt_dl._core.types import Array, Key

from ._initializers import Initializer


def orthogonal(*, gain: float = 1.0) -> Initializer:
    """Draw a matrix with orthonormal columns (or rows, if it is wide), uniformly among them.

    All its singular values are `sqrt(gain)`, so a product of many such matrices neither explodes
    nor vanishes: the usual start for the weights a recurrent layer applies at every step.

    Args:
      gain: factor on the squared singular values, positive; like the other gains it multiplies
        the variance of the weights.

    Returns:
      `init(key, shape, dtype=jnp.float32)`. Of a shape with more than two axes, all but the last
      count as rows.

    Raises:
      TypeError: if `gain` is not a number.
      ValueError: if `gain` is not positive; from `init`, if the shape has fewer than two axes.

    Examples:
      >>> kernel = orthogonal()(jax.random.key(0), (5, 3))
      >>> bool(jnp.allclose(kernel.T @ kernel, jnp.eye(3), atol=1e-6))
      True

    References:
      Saxe et al., "Exact solutions to the nonlinear dynamics of learning in deep linear neural
      networks", 2013. https://arxiv.org/abs/1312.6120
    """
    check_number("orthogonal", "gain", gain, low=0, low_open=True)

    def init(key: Key, shape: tuple[int, ...], dtype: Any = jnp.float32) -> Array:
        if len(shape) < 2 or 0 in shape:
            rule = "the shape must have at least two axes, none of them empty"
            fail("orthogonal", rule, f"got {tuple(shape)}", "Use `zeros` for biases.")
        columns = shape[-1]
        rows = int(np.prod(shape[:-1]))
        wide = wide_dtype(jnp.dtype(dtype))
        draw = jax.random.normal(key, (max(rows, columns), min(rows, columns)), wide)
        unit, triangle = jnp.linalg.qr(draw)
        # The signs of the diagonal make the draw uniform; `qr` alone prefers some directions.
        unit = unit * jnp.sign(jnp.diagonal(triangle))[None, :]
        unit = unit if rows >= columns else unit.T
        return (unit * jnp.sqrt(jnp.asarray(gain, wide))).reshape(shape).astype(dtype)

    return init
