"""Windows that slide over spatial axes: their arguments, their padding, the slices under them.

Arrays are `(batch, *spatial, channels)`; a window has one size per spatial axis.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, TypeAlias

import jax

from jaxopt_dl._core.errors import check_choice, check_floating, check_integer, fail
from jaxopt_dl._core.types import Array

Padding: TypeAlias = str | Sequence[tuple[int, int]]
Pairs: TypeAlias = tuple[tuple[int, int], ...]

_NAMES = ("SAME", "VALID")


class Window(NamedTuple):
    """A checked window, one entry per spatial axis.

    Attributes:
      sizes: how many values it covers.
      strides: how far it moves at a time.
      dilation: distance between neighboring values under it.
      padding: "SAME", "VALID", or how many values to add before and after.
    """

    sizes: tuple[int, ...]
    strides: tuple[int, ...]
    dilation: tuple[int, ...]
    padding: str | Pairs

    @property
    def reach(self) -> tuple[int, ...]:
        """Return how many values each axis of the window spans, gaps included."""
        pairs = zip(self.sizes, self.dilation, strict=True)
        return tuple((size - 1) * step + 1 for size, step in pairs)

    @property
    def area(self) -> int:
        """Return how many values lie under it."""
        return math.prod(self.sizes)


def make_window(
    who: str,
    name: str,
    sizes: Any,
    strides: Any = 1,
    padding: Any = "VALID",
    dilation: Any = 1,
) -> Window:
    """Check the arguments of a window named `name`, and give each axis its own number.

    Raises:
      TypeError: if a size is not an integer, or sizes are not one or two.
      ValueError: if a number is below 1, or lengths do not fit together.
    """
    if not isinstance(sizes, list | tuple) or len(sizes) not in (1, 2):
        rule = f"`{name}` must be a tuple of one or two sizes, one per spatial axis"
        advice = "Pass (3,) for sequences, (3, 3) for images."
        fail(who, rule, f"got {sizes!r}", advice, kind=TypeError)
    rank = len(sizes)
    sizes = _per_axis(who, name, sizes, rank)
    strides = _per_axis(who, "strides", strides, rank)
    dilation = _per_axis(who, "dilation", dilation, rank)
    return Window(sizes, strides, dilation, _check_padding(who, padding, rank))


def pairs_of(who: str, window: Window, spatial: tuple[int, ...]) -> Pairs:
    """Return the padding before and after each axis of an input with these spatial sizes.

    "SAME" gives `ceil(size / stride)` places; of an odd number, the larger part comes after.

    Raises:
      ValueError: if the window does not fit into the padded input.
    """
    if window.padding == "SAME":
        return tuple(map(_same, spatial, window.reach, window.strides))
    pairs = ((0, 0),) * len(spatial) if window.padding == "VALID" else window.padding
    assert not isinstance(pairs, str)
    padded = [size + sum(pair) for size, pair in zip(spatial, pairs, strict=True)]
    if any(size < reach for size, reach in zip(padded, window.reach, strict=True)):
        rule = f"the window, {window.reach} wide, must fit into the padded input"
        advice = 'Use a smaller window, or `padding="SAME"`.'
        fail(who, rule, f"got spatial sizes {tuple(padded)}", advice)
    return pairs


def check_spatial(who: str, x: Array | jax.ShapeDtypeStruct, rank: int) -> None:
    """Check an input `(batch, *spatial, channels)` with `rank` spatial axes.

    Raises:
      TypeError: if it holds integers.
      ValueError: if it has another number of axes, or an empty one.
    """
    check_floating(who, "x", x)
    axes = "batch, time, channels" if rank == 1 else "batch, height, width, channels"
    if x.ndim != rank + 2:
        advice = "Give gray images a channel axis: `x[..., None]`."
        fail(who, f"`x` must have shape ({axes})", f"got {x.shape}", advice)
    if 0 in x.shape[1:]:
        fail(who, f"no axis of `x` ({axes}) may be empty", f"got {x.shape}", "Check the data.")


def slices_along(x: Array, axis: int, size: int, *, stride: int, dilation: int = 1) -> list[Array]:
    """Return what lies under each value of a window that slides along one axis."""
    places = (x.shape[axis] - (size - 1) * dilation - 1) // stride + 1
    last = (places - 1) * stride + 1
    starts = (offset * dilation for offset in range(size))
    return [jax.lax.slice_in_dim(x, at, at + last, stride, axis) for at in starts]


def _same(size: int, reach: int, stride: int) -> tuple[int, int]:
    places = -(-size // stride)
    total = max((places - 1) * stride + reach - size, 0)
    return total // 2, total - total // 2


def _per_axis(who: str, name: str, values: Any, rank: int) -> tuple[int, ...]:
    values = values if isinstance(values, list | tuple) else (values,) * rank
    for value in values:
        check_integer(who, name, value, low=1)
    if len(values) != rank:
        rule = f"`{name}` must be one number, or one for each of {rank} spatial axes"
        fail(who, rule, f"got {len(values)} numbers", "Pass one number for all axes.")
    return tuple(map(int, values))


def _check_padding(who: str, padding: Any, rank: int) -> str | Pairs:
    if isinstance(padding, str):
        check_choice(who, "padding", padding, _NAMES)
        return padding
    pairs = list(padding) if isinstance(padding, Iterable) else []
    fits = len(pairs) == rank and all(isinstance(p, list | tuple) and len(p) == 2 for p in pairs)
    if not fits:
        rule = f'`padding` must be "SAME", "VALID", or {rank} pairs (before, after)'
        fail(who, rule, f"got {padding!r}", f"Pass {[(1, 1)] * rank}, for example.")
    for pair in pairs:
        for value in pair:
            check_integer(who, "padding", value, low=0)
    return tuple((int(before), int(after)) for before, after in pairs)
