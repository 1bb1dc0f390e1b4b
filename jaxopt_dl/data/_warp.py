"""Resampling of an image at points: the one place that knows pixels, borders and rounding.

A point is a place of the source image in pixels, row and column, whole at the centers of pixels.
"""

from typing import Literal, NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxopt_dl._core.errors import fail, is_traced
from jaxopt_dl._core.types import Array, Number

Border = Literal["constant", "edge", "reflect"]
BORDERS: tuple[Border, ...] = ("constant", "edge", "reflect")


class Points(NamedTuple):
    """Where each pixel of an image is read from: rows `y` and columns `x`, `(height, width)`."""

    y: Array
    x: Array


def grid(height: int, width: int, dtype: np.dtype) -> Points:
    """Return the points of an image that stays as it is."""
    rows, columns = jnp.arange(height, dtype=dtype), jnp.arange(width, dtype=dtype)
    return Points(*jnp.meshgrid(rows, columns, indexing="ij"))


def resample(image: Array, points: Points, border: Border, fill: Number) -> Array:
    """Read `(height, width, channels)` at points, by bilinear interpolation; the dtype is kept.

    At the centers of pixels finite values are exact; a NaN spreads to the pixels beside it,
    because passing it over would cost a fifth more time. Whole numbers are rounded to the nearest.
    """
    top, left = jnp.floor(points.y), jnp.floor(points.x)
    down, right = points.y - top, points.x - left
    rows, columns = top.astype(jnp.int32), left.astype(jnp.int32)
    total = jnp.zeros((), points.y.dtype)
    for dy, share_y in ((0, 1 - down), (1, down)):
        for dx, share_x in ((0, 1 - right), (1, right)):
            value = _read(image, rows + dy, columns + dx, border, fill).astype(points.y.dtype)
            total = total + (share_y * share_x)[..., None] * value
    return _back(total, image.dtype)


def pick(labels: Array, points: Points, border: Border, fill: Number) -> Array:
    """Read `(height, width, ...)` at points, from the nearest pixel: for labels of pixels."""
    rows, columns = (jnp.floor(p + 0.5).astype(jnp.int32) for p in points)
    return _read(labels, rows, columns, border, fill)


def check_fill(who: str, name: str, fill: Number, dtype: np.dtype) -> None:
    """Check that an array can hold the number that fills it."""
    if is_traced(fill):
        return
    whole = not jnp.issubdtype(dtype, np.floating)
    low, high = _limits(dtype)
    if not low <= fill <= high or (whole and not float(fill).is_integer()):
        advice = f"Pass a {'whole ' if whole else ''}number in [{low}, {high}]."
        fail(who, f"`{name}` must fit into {dtype}", f"got {fill}", advice)


def check_exact(who: str, dtype: np.dtype) -> None:
    """Check that float32, in which pixels are blended, holds every value of the dtype."""
    if jnp.issubdtype(dtype, np.integer) and dtype.itemsize > 2:
        advice = "Convert them to uint8 if they are bytes, else to float32."
        fail(who, "whole-number images must have 8 or 16 bits", f"got {dtype}", advice)


def _read(image: Array, rows: Array, columns: Array, border: Border, fill: Number) -> Array:
    height, width = image.shape[:2]
    pixels = image.reshape(height * width, *image.shape[2:])
    index = _inside(rows, height, border) * width + _inside(columns, width, border)
    values = pixels.at[index].get(mode="promise_in_bounds")
    if border != "constant":
        return values
    known = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    known = known.reshape(known.shape + (1,) * (values.ndim - 2))
    return jnp.where(known, values, jnp.asarray(fill).astype(values.dtype))


def _inside(index: Array, size: int, border: Border) -> Array:
    """Return an index in [0, size): the nearest, or the one mirrored at the border pixel."""
    if border == "reflect" and size > 1:
        index = index % (2 * size - 2)
        index = jnp.minimum(index, 2 * size - 2 - index)
    return jnp.clip(index, 0, size - 1)


def _limits(dtype: np.dtype) -> tuple[float, float]:
    if jnp.issubdtype(dtype, np.bool_):
        return 0, 1
    if jnp.issubdtype(dtype, np.integer):
        return jnp.iinfo(dtype).min, jnp.iinfo(dtype).max
    return float(jnp.finfo(dtype).min), float(jnp.finfo(dtype).max)


def _back(values: Array, dtype: np.dtype) -> Array:
    if jnp.issubdtype(dtype, np.integer):
        limits = jnp.iinfo(dtype)
        values = jnp.clip(jnp.round(values), limits.min, limits.max)
    return values.astype(dtype)
