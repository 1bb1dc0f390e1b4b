"""Decides about every entry from three opinions, and about leaves from their entries."""

from typing import NamedTuple

import numpy as np

from jaxopt_dl.gradcheck._differences import Slopes

PASS, KINK, UNRESOLVED, FAIL = range(4)
STATUS = ("pass", "kink", "unresolved", "fail")
SHARP = 1e-6
"""Differences decide alone where their bar is below this share of the slope."""
COARSE = 1e-2
"""Without a second opinion, a bar up to this share of the slope still settles the matter."""
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
      stripped_rounding: how far rounding alone moves a.
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
    stripped_rounding: np.ndarray


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
    unknown = np.full(gradient.shape, np.nan)
    effect = np.max(np.abs(gradient) * unit, initial=0.0, where=np.isfinite(gradient))
    return Opinions(
        gradient,
        rounding,
        slope=unknown.copy(),
        bar=np.full(gradient.shape, np.inf),
        left=unknown.copy(),
        right=unknown.copy(),
        kinked=np.zeros(gradient.shape, bool),
        floor=np.maximum(NEGLIGIBLE * effect, 1e-9 * abs(value)) / unit,
        stripped=unknown.copy(),
        stripped_rounding=np.zeros(gradient.shape),
    )


def record(known: Opinions, positions: np.ndarray, found: Slopes) -> None:
    """Write the slopes found at some positions into the opinions."""
    known.slope[positions] = found.slope
    known.bar[positions] = found.bar
    known.left[positions] = found.left
    known.right[positions] = found.right
    known.kinked[positions] = found.kinked


def judge(known: Opinions) -> np.ndarray:
    """Return the status of every entry, `(size,)` of `PASS`, `KINK`, `UNRESOLVED`, `FAIL`."""
    with np.errstate(all="ignore"):
        return np.where(known.kinked, _at_kink(known), _smooth(known))


def _smooth(known: Opinions) -> np.ndarray:
    g, n, a = known.gradient, known.slope, known.stripped
    size = np.maximum(np.abs(g), np.abs(n))
    sharp = known.bar <= SHARP * size
    near_n = np.abs(g - n) <= known.bar + known.rounding
    has_a = np.isfinite(a)
    near_a = np.abs(g - a) <= known.rounding + known.stripped_rounding
    by_a = np.where(near_a, PASS, FAIL)
    blunt = np.where(known.bar <= COARSE * np.maximum(size, known.floor), PASS, UNRESOLVED)
    undecided = np.where(has_a, by_a, blunt)
    taken = np.isfinite(known.bar)
    status = np.where(near_n, np.where(sharp, PASS, undecided), FAIL)
    status = np.where(taken, status, np.where(has_a, by_a, UNRESOLVED))
    return np.where(np.isfinite(g), status, FAIL)


def _at_kink(known: Opinions) -> np.ndarray:
    low = np.minimum(known.left, known.right)
    high = np.maximum(known.left, known.right)
    room = 1e-6 * (np.abs(low) + np.abs(high)) + known.rounding
    inside = (known.gradient >= low - room) & (known.gradient <= high + room)
    return np.where(inside, KINK, FAIL)


def unsettled(known: Opinions, positions: np.ndarray) -> np.ndarray:
    """Return which positions deserve more rungs: in doubt, in disagreement, or at a kink."""
    g, n = known.gradient[positions], known.slope[positions]
    bar = known.bar[positions]
    with np.errstate(all="ignore"):
        apart = ~(np.abs(g - n) <= bar + known.rounding[positions])
        blunt = bar > SHARP * np.maximum(np.abs(g), np.abs(n))
        near_a = (
            np.abs(g - known.stripped[positions])
            <= (known.rounding + known.stripped_rounding)[positions]
        )
    return positions[apart | known.kinked[positions] | (blunt & ~near_a)]
