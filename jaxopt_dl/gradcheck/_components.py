"""Differences of single entries: for which they are taken, and how thoroughly."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from . import _differences, _fits, _verdict
from ._differences import Ladder
from ._evaluate import Evaluator, HostEvaluator
from ._slices import Slice
from ._verdict import Opinions

ALL_BELOW = 4096
"""Up to this many parameters every entry is differenced."""
WORK = 4e9
"""Above, float64 numbers that may be written while differencing."""
RUNGS = 2 * len(_differences.FIRST)
PER_LEAF = 1
"""Of every leaf at least so many entries."""
PROBED = 64
"""Where more entries than these are surely wrong, these answer for the others."""
LARGE = -2
"""Exponent of the first step that leaves the neighborhood of a point."""


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


def affordable(width: int) -> int:
    """Return how many slopes can be taken where one evaluation writes `width` numbers."""
    return int(WORK / (width * RUNGS))


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
        wanted = int(np.clip(affordable(width), PER_LEAF * len(slices), ALL_BELOW))
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


def some_of_each(positions: np.ndarray, slices: Sequence[Slice], count: int) -> np.ndarray:
    """Choose about `count` of some positions, those of every leaf that come first."""
    leaf = np.searchsorted([piece.stop for piece in slices], positions, side="right")
    order = np.argsort(leaf, kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(order.size) - np.searchsorted(leaf[order], leaf[order])
    return positions[rank < max(count // max(np.unique(leaf).size, 1), 1)]


def difference(
    evaluator: Evaluator,
    known: Opinions,
    base: Base,
    positions: np.ndarray,
    slices: Sequence[Slice],
    *,
    near: bool,
) -> None:
    """Take differences at some positions, with more rungs where the first leave doubt.

    Args:
      evaluator: values of the function.
      known: where to write the slopes, and whom to doubt.
      base: the point.
      positions: sorted entries of the flat vector.
      slices: the leaves.
      near: take no large steps, because a loop might not end far away.
    """
    if positions.size == 0:
        return
    start = _differences.Ladder(*np.empty((3, 0, positions.size)))
    ladder = _extended(evaluator, known, base, positions, start, _differences.FIRST)
    sure = _verdict.surely_wrong(known, positions)
    probe = some_of_each(positions[sure], slices, PROBED)
    _climb_on(evaluator, known, base, probe, ladder.of(np.isin(positions, probe)), near)
    rest = ~np.isin(positions, probe)
    if np.all(_verdict.surely_wrong(known, probe)):
        rest &= ~sure
    _climb_on(evaluator, known, base, positions[rest], ladder.of(rest), near)
    if isinstance(evaluator, HostEvaluator):
        point, unit, noise = base.point, base.unit, base.noise
        _fits.reconsider(evaluator, known, point, unit, noise, positions)


def _climb_on(
    evaluator: Evaluator,
    known: Opinions,
    base: Base,
    positions: np.ndarray,
    ladder: Ladder,
    near: bool,
) -> None:
    """Add rungs for as long as there is doubt."""
    for exponents in _differences.FURTHER:
        left = _verdict.unsettled(known, positions)
        if left.size == 0:
            return
        allowed = tuple(e for e in exponents if e < LARGE or not near)
        ladder = ladder.of(np.isin(positions, left))
        positions = left
        ladder = _extended(evaluator, known, base, positions, ladder, allowed)


def _extended(
    evaluator: Evaluator,
    known: Opinions,
    base: Base,
    positions: np.ndarray,
    ladder: Ladder,
    exponents: tuple[int, ...],
) -> Ladder:
    """Add rungs to a ladder and write down what it says then."""
    more = _differences.climb(evaluator, base.point, base.unit, positions, positions + 1, exponents)
    ladder = ladder.merged(more)
    known.record(positions, _differences.slopes(ladder, base.value, base.noise))
    return ladder
