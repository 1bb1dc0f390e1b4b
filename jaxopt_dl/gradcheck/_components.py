"""Which entries differences are taken for, and random directions for all the others."""

from typing import NamedTuple

import numpy as np

from . import _differences
from ._differences import Slopes
from ._evaluate import Evaluator
from ._slices import Slice

ALL_BELOW = 4096
"""Up to this many parameters every entry is differenced."""
WORK = 4e9
"""Above, float64 numbers that may be written while differencing."""
RUNGS = 2 * len(_differences.FIRST)
DIRECTIONS = 2
SPLIT = 8
WIDEST = 256
"""Ranges that bisection follows at once; more would mean that nearly everything is wrong."""
AGREEMENT = 1e-8


class Base(NamedTuple):
    """The point around which differences are taken.

    Attributes:
      point: `(size,)`.
      unit: step unit of every entry, `(size,)`.
      value: the loss there.
      noise: standard deviation of its noise.
    """

    point: np.ndarray
    unit: np.ndarray
    value: float
    noise: float


def choose(
    slices: tuple[Slice, ...],
    gradient: np.ndarray,
    width: int,
    components: str | int,
    random: np.random.Generator,
) -> np.ndarray:
    """Return the sorted positions to difference one by one.

    Every leaf gets its share: its largest gradient entries, and random ones.

    Args:
      slices: the leaves.
      gradient: the gradient under test, `(size,)`.
      width: float64 numbers that one evaluation writes.
      components: "auto", "all", or how many.
      random: source of the choice.
    """
    size = gradient.size
    wanted = size
    if isinstance(components, int):
        wanted = components
    elif components == "auto" and size > ALL_BELOW:
        wanted = int(np.clip(WORK / (width * RUNGS), 8 * len(slices), ALL_BELOW))
    if wanted >= size:
        return np.arange(size)
    share = max(wanted // len(slices), 1)
    chosen = []
    for piece in slices:
        strength = np.nan_to_num(np.abs(gradient[piece.start : piece.stop]))
        ranked = np.argsort(-strength)
        largest, others = ranked[: share // 4], ranked[share // 4 :]
        anywhere = random.choice(others, min(share - largest.size, others.size), replace=False)
        chosen.append(piece.start + np.concatenate([largest, anywhere]))
    return np.sort(np.concatenate(chosen))


def search_directions(
    evaluator: Evaluator,
    base: Base,
    gradient: np.ndarray,
    rounding: np.ndarray,
    slices: tuple[Slice, ...],
    random: np.random.Generator,
) -> tuple[int, np.ndarray]:
    """Compare random directions, each within one leaf, and bisect those that disagree.

    Returns:
      How many directions were compared, and the positions of single entries that disagree.
    """
    low = np.array([piece.start for piece in slices])
    high = np.array([piece.stop for piece in slices])
    found: set[int] = set()
    for _ in range(DIRECTIONS):
        signs = random.choice([-1.0, 1.0], base.point.shape)
        signed = base._replace(unit=base.unit * signs)
        found.update(_bisect(evaluator, signed, gradient, rounding, low, high))
    return DIRECTIONS * len(slices), np.array(sorted(found), int)


def _bisect(
    evaluator: Evaluator,
    base: Base,
    gradient: np.ndarray,
    rounding: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
) -> list[int]:
    """Follow disagreement down to single entries: group testing with masks."""
    found: list[int] = []
    while low.size:
        bad = _disagrees(evaluator, base, gradient, rounding, low, high)
        single = bad & (high - low == 1)
        found += [int(i) for i in low[single]]
        low, high = _split(low[bad & ~single], high[bad & ~single])
        low, high = low[:WIDEST], high[:WIDEST]
    return found


def _disagrees(
    evaluator: Evaluator,
    base: Base,
    gradient: np.ndarray,
    rounding: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
) -> np.ndarray:
    """Whether the gradient along each range leaves the error bar of the differences."""
    ladder = _differences.climb(evaluator, base.point, base.unit, low, high, _differences.FIRST)
    slopes = _differences.slopes(ladder, base.value, base.noise)
    along = [gradient[a:b] * base.unit[a:b] for a, b in zip(low, high, strict=True)]
    doubt = [np.sum(rounding[a:b] * np.abs(base.unit[a:b])) for a, b in zip(low, high, strict=True)]
    expected = np.array([np.sum(part) for part in along])
    room = np.array(doubt) + AGREEMENT * np.array([np.linalg.norm(part) for part in along])
    return _apart(_per_step(slopes, base, low, high), expected, room)


def _per_step(slopes: Slopes, base: Base, low: np.ndarray, high: np.ndarray) -> Slopes:
    """Slopes of single entries are per parameter; make all of them per unit step."""
    factor = np.where(high - low == 1, base.unit[low], 1.0)
    size = np.abs(factor)
    return Slopes(
        slopes.slope * factor,
        slopes.bar * size,
        slopes.left * factor,
        slopes.right * factor,
        slopes.kinked,
    )


def _apart(slopes: Slopes, expected: np.ndarray, room: np.ndarray) -> np.ndarray:
    away = np.abs(slopes.slope - expected) > slopes.bar + room
    low = np.minimum(slopes.left, slopes.right) - slopes.bar - room
    high = np.maximum(slopes.left, slopes.right) + slopes.bar + room
    inside = slopes.kinked & (low <= expected) & (expected <= high)
    return away & ~inside


def _split(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    pieces = [
        np.unique(np.linspace(a, b, SPLIT + 1).round().astype(int))
        for a, b in zip(low, high, strict=True)
    ]
    starts = [piece[:-1] for piece in pieces] or [np.array([], int)]
    stops = [piece[1:] for piece in pieces] or [np.array([], int)]
    return np.concatenate(starts), np.concatenate(stops)
