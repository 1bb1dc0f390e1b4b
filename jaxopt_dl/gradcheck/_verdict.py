"""Decides about every entry from three opinions: the gradient, differences, stripped AD."""

from typing import NamedTuple

import numpy as np

from ._differences import Slopes

PASS, KINK, UNRESOLVED, FAIL = range(4)
STATUS = ("pass", "kink", "unresolved", "fail")
TOLERANCE = 2e-7
"""Relative; no bug is as small, and no formula loses as much without the bars seeing it."""
SHARP = 1e-6
"""Differences decide alone where their bar is below this share of the slope."""
COARSE = 1e-2
"""Without a second opinion, a bar up to this share of the slope still settles the matter."""
TWO_TO_ONE = 10.0
"""Differences that stand alone against both other opinions must be that much surer."""
UNDERFLOW = 1e-290
"""Numbers below this have lost digits on the way, if what they are made of was as small."""
NEGLIGIBLE = 1e-3
"""An entry with this share of the largest effect need not be resolved by itself."""


class Opinions(NamedTuple):
    """What is known about every entry of the flat vector; each field is `(size,)`.

    Attributes:
      gradient: g, under test.
      rounding: how far rounding alone moves g.
      slope: n, finite differences; NaN where none was taken.
      bar: their error; infinite where none was taken.
      left: slope from below, NaN where none was taken.
      right: slope from above.
      kinked: whether these two differ.
      floor: below this an entry is too small to matter beside the others.
      stripped: a, differentiation without the user's rules; NaN where there is none.
      doubt: how far rounding alone moves a.
      permitted: differentiation with the allowed rules in force, where that changes it; else NaN.
      vouched: whether random directions through the entry agree with g.
      settled: g with its inner solvers run on, where that acquits it; else NaN.
    """

    gradient: np.ndarray
    rounding: np.ndarray
    slope: np.ndarray
    bar: np.ndarray
    left: np.ndarray
    right: np.ndarray
    kinked: np.ndarray
    floor: np.ndarray
    stripped: np.ndarray
    doubt: np.ndarray
    permitted: np.ndarray
    vouched: np.ndarray
    settled: np.ndarray

    def record(self, positions: np.ndarray, found: Slopes) -> None:
        """Write down the slopes found at some positions."""
        self.slope[positions] = found.slope
        self.bar[positions] = found.bar
        self.left[positions] = found.left
        self.right[positions] = found.right
        self.kinked[positions] = found.kinked

    def at(self, positions: np.ndarray) -> "Opinions":
        """Return copies of what is known at some positions."""
        return Opinions(*(field[positions] for field in self))


def opinions(
    gradient: np.ndarray, rounding: np.ndarray, unit: np.ndarray, value: float
) -> Opinions:
    """Start with the gradient alone.

    Args:
      gradient: g, `(size,)`.
      rounding: how far rounding alone moves it, `(size,)`.
      unit: the size of an ordinary change of each parameter, `(size,)`.
      value: the loss.
    """

    def unknown() -> np.ndarray:
        return np.full(gradient.shape, np.nan)

    effect = np.max(np.abs(gradient) * unit, initial=0.0, where=np.isfinite(gradient))
    smallest = NEGLIGIBLE * effect if effect > 0 else 1e-9 * abs(value)
    return Opinions(
        gradient,
        rounding,
        slope=unknown(),
        bar=np.full(gradient.shape, np.inf),
        left=unknown(),
        right=unknown(),
        kinked=np.zeros(gradient.shape, bool),
        floor=smallest / unit,
        stripped=unknown(),
        doubt=np.zeros(gradient.shape),
        permitted=unknown(),
        vouched=np.zeros(gradient.shape, bool),
        settled=unknown(),
    )


def judge(known: Opinions) -> np.ndarray:
    """Return the status of every entry, `(size,)` of `PASS`, `KINK`, `UNRESOLVED`, `FAIL`."""
    with np.errstate(all="ignore"):
        status = np.where(known.kinked, _at_kink(known), _smooth(known))
        permitted = np.where(agrees(known, known.permitted), PASS, FAIL)
        return np.where(np.isfinite(known.permitted), permitted, status)


def agrees(known: Opinions, other: np.ndarray) -> np.ndarray:
    """Whether the gradient equals another computed one up to rounding, `(size,)`."""
    size = np.maximum(np.abs(known.gradient), np.abs(other))
    room = known.rounding + known.doubt + TOLERANCE * size + UNDERFLOW
    return np.abs(known.gradient - other) <= room


def reference(known: Opinions) -> np.ndarray:
    """Return the surest value for every entry: permitted, differences, stripped or g itself."""
    sharp = known.bar <= SHARP * np.abs(known.slope)
    best = np.where(sharp | ~np.isfinite(known.stripped), known.slope, known.stripped)
    inside = known.kinked & (_at_kink(known) == KINK)
    best = np.where(inside | np.isfinite(known.settled) | ~np.isfinite(best), known.gradient, best)
    return np.where(np.isfinite(known.permitted), known.permitted, best)


def unsettled(known: Opinions, positions: np.ndarray) -> np.ndarray:
    """Return which positions deserve more rungs: in doubt, in disagreement, or at a kink.

    Where differences and the stripped program contradict the gradient with one voice, more rungs
    would only repeat it.
    """
    known = known.at(positions)
    with np.errstate(all="ignore"):
        blunt = known.bar > SHARP * _size(known)
        off = ~_near_slope(known)
        sure = off & _near_slope(known._replace(gradient=known.stripped))
        doubtful = ((off | (blunt & ~agrees(known, known.stripped))) & ~sure) | known.kinked
    return positions[doubtful]


def blind(known: Opinions, positions: np.ndarray) -> np.ndarray:
    """Return at which positions differences tell next to nothing about an entry that matters."""
    known = known.at(positions)
    return positions[~(known.bar <= COARSE * np.maximum(_size(known), known.floor))]


def surely_wrong(known: Opinions, positions: np.ndarray) -> np.ndarray:
    """Where sharp differences contradict the gradient, one flag per position."""
    known = known.at(positions)
    with np.errstate(all="ignore"):
        sharp = known.bar <= SHARP * _size(known)
        return sharp & ~_near_slope(known) & ~known.kinked


def _smooth(known: Opinions) -> np.ndarray:
    size = _size(known)
    by_stripped = np.where(agrees(known, known.stripped), PASS, FAIL)
    coarse = known.bar <= COARSE * np.maximum(size, known.floor)
    unseen = np.isinf(known.bar) & known.vouched
    alone = np.where(coarse | unseen, PASS, UNRESOLVED)
    undecided = np.where(np.isfinite(known.stripped), by_stripped, alone)
    near = np.where(known.bar <= SHARP * size, PASS, undecided)
    differenced = np.where(_near_slope(known), near, FAIL)
    status = np.where(np.isfinite(known.bar), differenced, undecided)
    return np.where(np.isfinite(known.gradient), status, FAIL)


def _at_kink(known: Opinions) -> np.ndarray:
    low = np.minimum(known.left, known.right)
    high = np.maximum(known.left, known.right)
    room = SHARP * (np.abs(low) + np.abs(high)) + known.rounding
    inside = (known.gradient >= low - room) & (known.gradient <= high + room)
    return np.where(inside, KINK, FAIL)


def _near_slope(known: Opinions) -> np.ndarray:
    bar = known.bar * np.where(agrees(known, known.stripped), TWO_TO_ONE, 1.0)
    room = bar + known.rounding + TOLERANCE * _size(known)
    return np.abs(known.gradient - known.slope) <= room


def _size(known: Opinions) -> np.ndarray:
    return np.fmax(np.abs(known.gradient), np.abs(known.slope))
