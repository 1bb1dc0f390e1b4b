"""Derivatives from values alone, each with an error bar of its own.

Central differences on a ladder of steps, extrapolated (Richardson). An estimate counts only if
every finer rung agrees with it within that rung's own error, so that kinks, jumps, stiffness
and saturation spoil the rungs they reach and no others.
"""

from typing import NamedTuple

import numpy as np

from ._evaluate import Evaluator, Moves
from ._noise import UNIT_ROUNDOFF

FIRST = (-8, -10, -12, -14)
FURTHER = (
    (-6, -4, -2, 0, -16, -18, -20, -22),
    (2, 4, 6, -24, -26, -28),
    (-31, -34, -37),
)
"""Exponents of two, times the scale of the entry; further rungs only where they are needed."""
DEEPEST = 3
NOISE_FACTOR = 8.0
"""A difference of two noisy values stays within this many standard deviations."""


class Slopes(NamedTuple):
    """What differences say about each direction; every field is `(n,)`.

    Attributes:
      slope: the derivative.
      bar: how far off it may be.
      left: slope from below.
      right: slope from above.
      kinked: whether left and right differ beyond their errors.
    """

    slope: np.ndarray
    bar: np.ndarray
    left: np.ndarray
    right: np.ndarray
    kinked: np.ndarray


class Ladder(NamedTuple):
    """Values of the function on both sides of a point, coarsest rung first.

    Attributes:
      steps: `(rungs, n)`, half the distance between the two sides.
      above: `(rungs, n)` values at the upper side.
      below: `(rungs, n)` values at the lower side.
    """

    steps: np.ndarray
    above: np.ndarray
    below: np.ndarray

    def merged(self, other: "Ladder") -> "Ladder":
        """Add rungs, keeping the order."""
        joined = [np.concatenate(pair) for pair in zip(self, other, strict=True)]
        order = np.argsort(-joined[0][:, 0])
        return Ladder(*(part[order] for part in joined))

    def of(self, chosen: np.ndarray) -> "Ladder":
        """Keep some directions."""
        return Ladder(*(part[:, chosen] for part in self))


def climb(
    evaluator: Evaluator,
    point: np.ndarray,
    unit: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    exponents: tuple[int, ...],
) -> Ladder:
    """Evaluate both sides of `point` on rungs `2**exponents` along the given directions."""
    factors = 2.0 ** np.sort(np.asarray(exponents, float))[::-1]
    count = low.size
    signed = np.concatenate([factors, -factors])
    moves = Moves(np.tile(low, signed.size), np.tile(high, signed.size), np.repeat(signed, count))
    values = evaluator.values(point, unit, moves).reshape(2, factors.size, count)
    steps = factors[:, None] * np.ones(count)
    single = high - low == 1
    steps[:, single] = _true_steps(point[low[single]], factors[:, None] * unit[low[single]])
    return Ladder(steps, values[0], values[1])


def slopes(ladder: Ladder, value: float, noise: float) -> Slopes:
    """Turn a ladder into derivatives with error bars.

    Args:
      ladder: values on `rungs >= 3` rungs.
      value: the function at the point itself.
      noise: standard deviation of the noise of one value.
    """
    steps, above, below = ladder
    with np.errstate(all="ignore"):
        slope, bar = _surest(steps, (above - below) / (2 * steps), _doubt(ladder, noise), power=2)
        (left, left_bar), (right, right_bar) = sides(ladder, value, noise)
        gap = np.abs(right - left)
        kinked = (gap > 4 * (right_bar + left_bar)) & (gap > 1e-6 * (np.abs(right) + np.abs(left)))
    return Slopes(slope, bar, left, right, kinked)


def sides(
    ladder: Ladder, value: float, noise: float
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Return the slopes from below and from above, each with its error bar.

    Args:
      ladder: values on `rungs >= 3` rungs.
      value: the function at the point itself.
      noise: standard deviation of the noise of one value.
    """
    steps, above, below = ladder
    with np.errstate(all="ignore"):
        doubt = _doubt(ladder, noise)
        left = _surest(steps, (value - below) / steps, doubt, power=1)
        right = _surest(steps, (above - value) / steps, doubt, power=1)
    return left, right


def _doubt(ladder: Ladder, noise: float) -> np.ndarray:
    """What noise does to each quotient, `(rungs, n)`."""
    size = np.maximum(np.abs(ladder.above), np.abs(ladder.below))
    return NOISE_FACTOR * np.maximum(noise, 2 * UNIT_ROUNDOFF * size) / np.abs(ladder.steps)


def _true_steps(at: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The step that rounding really takes, half the distance between the two points."""
    return ((at + wanted) - (at - wanted)) / 2


def _surest(
    steps: np.ndarray, quotient: np.ndarray, doubt: np.ndarray, power: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the surest estimate that all finer rungs agree with, and its error, each `(n,)`.

    Args:
      steps: `(rungs, n)`, coarsest first.
      quotient: `(rungs, n)` difference quotients.
      doubt: `(rungs, n)`, what noise does to each quotient.
      power: the quotient's error is a series in `step**power`.
    """
    estimates, errors, rungs = _tableau(steps, quotient, doubt, power)
    own_error = doubt.copy()
    own_error[1:] += np.abs(np.diff(quotient, axis=0))
    errors = np.where(np.isfinite(estimates) & np.isfinite(errors), errors, np.inf)
    for row, rung in enumerate(rungs):
        apart = np.abs(estimates[row] - quotient[rung + 1 :])
        agrees = np.all(apart <= 2 * errors[row] + own_error[rung + 1 :], axis=0)
        errors[row] = np.where(agrees, errors[row], np.inf)
    chosen = np.argmin(errors, axis=0)[None]
    found = np.take_along_axis(estimates, chosen, axis=0)[0]
    bar = np.take_along_axis(errors, chosen, axis=0)[0]
    return found, np.where(np.isfinite(found), bar, np.inf)


def _tableau(
    steps: np.ndarray, quotient: np.ndarray, doubt: np.ndarray, power: int
) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """Extrapolate to step 0 (Richardson): all estimates, their errors, their finest rung."""
    estimates, errors, rungs = [], [], []
    above = [quotient[0]]
    for rung in range(1, quotient.shape[0]):
        row = [quotient[rung]]
        estimates.append(row[0])
        errors.append(np.abs(row[0] - above[0]) + doubt[rung])
        for depth in range(1, min(rung, DEEPEST) + 1):
            ratio = (steps[rung - depth] / steps[rung]) ** power
            row.append(row[-1] + (row[-1] - above[depth - 1]) / (ratio - 1))
            gap = np.maximum(np.abs(row[-1] - row[-2]), np.abs(row[-1] - above[depth - 1]))
            estimates.append(row[-1])
            errors.append(gap + 2 * doubt[rung])
        rungs += [rung] * len(row)
        above = row
    return np.stack(estimates), np.stack(errors), rungs
