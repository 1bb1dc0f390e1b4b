"""Slopes from many values at once, where differences of two drown in noise.

A function that runs on the host in float32 has no second opinion, and on fine steps only noise;
on coarse ones an oscillating function looks flat. A polynomial through some hundred values
averages the noise away, and what it leaves over tells whether the function is as smooth as that.
"""

from typing import NamedTuple

import numpy as np

from . import _verdict
from ._evaluate import Evaluator, Moves
from ._verdict import Opinions

PAIRS = 256
"""Values on each side of the point."""
POWERS = np.array([1, 3, 5, 7])
"""The last one only tells what it would change."""
RADII = (1.0, 0.25, 0.0625)
"""In units of the entry; the largest counts over which the polynomial fits."""
SAFETY = 4.0
"""Standard deviations."""
WHITE = 1.5
"""Mean square of the steps between residuals, by that of residuals: 2 for noise, 0 for a curve."""
LEVELS = 16
"""How many standard deviations of the noise the values must span; stairs are not averaged away."""
MOST = 32
"""Entries, of those in doubt."""
WORK = 2**27
"""Numbers that may be passed to the function, which may be slow."""


class Fit(NamedTuple):
    """What polynomials say about some entries; every field is `(n,)`.

    Attributes:
      slope: the derivative.
      bar: how far off it may be; infinite where no polynomial fits.
    """

    slope: np.ndarray
    bar: np.ndarray


def reconsider(
    evaluator: Evaluator,
    known: Opinions,
    point: np.ndarray,
    unit: np.ndarray,
    noise: float,
    positions: np.ndarray,
) -> None:
    """Take slopes from polynomials where differences accuse or see nothing, and both are coarse.

    Differences that agree with a polynomial stay if they are surer; others are replaced.

    Args:
      evaluator: values of the function.
      known: the opinions, differences included; these may change.
      point: `(size,)`.
      unit: step unit of every entry, `(size,)`.
      noise: standard deviation of the noise of a value.
      positions: entries that were differenced.
    """
    seen = known.at(positions)
    open_ones = np.isin(_verdict.judge(seen), (_verdict.FAIL, _verdict.UNRESOLVED))
    open_ones &= np.isfinite(seen.gradient) & ~seen.kinked
    affordable = min(MOST, WORK // (2 * PAIRS * len(RADII) * point.size))
    positions = positions[open_ones & ~_verdict.surely_wrong(known, positions)][:affordable]
    if positions.size == 0:
        return
    fit = fitted(evaluator, point, unit, noise, positions)
    apart = np.abs(fit.slope - known.slope[positions]) > fit.bar + known.bar[positions]
    better = np.isfinite(fit.bar) & (apart | (fit.bar < known.bar[positions]))
    known.slope[positions[better]] = fit.slope[better]
    known.bar[positions[better]] = fit.bar[better]


def fitted(
    evaluator: Evaluator, point: np.ndarray, unit: np.ndarray, noise: float, positions: np.ndarray
) -> Fit:
    """Return the slopes at some entries by polynomials of the largest radius that fits."""
    slope, bar = np.full(positions.size, np.nan), np.full(positions.size, np.inf)
    steps = (np.arange(PAIRS) + np.random.default_rng(0).uniform(size=PAIRS)) / PAIRS
    for radius in RADII:
        left = np.flatnonzero(np.isinf(bar))
        odd = _odd_part(evaluator, point, unit, positions[left], radius * steps)
        found = _fit(steps, odd)
        scale = radius * unit[positions[left]]
        spans = np.ptp(odd, axis=0) > LEVELS * noise
        slope[left] = found.slope / scale
        bar[left] = np.where(spans, found.bar / scale, np.inf)
    return Fit(slope, bar)


def _odd_part(
    evaluator: Evaluator,
    point: np.ndarray,
    unit: np.ndarray,
    positions: np.ndarray,
    steps: np.ndarray,
) -> np.ndarray:
    """Return half the difference of both sides, `(pairs, n)`."""
    low = np.tile(positions, 2 * steps.size)
    signed = np.repeat(np.concatenate([steps, -steps]), positions.size)
    above, below = evaluator.values(point, unit, Moves(low, low + 1, signed)).reshape(
        2, steps.size, positions.size
    )
    return (above - below) / 2


def _fit(steps: np.ndarray, odd: np.ndarray) -> Fit:
    """Fit odd polynomials to values at some steps; a bar is infinite where they do not fit."""
    powers = steps[:, None] ** POWERS
    lower, higher = np.linalg.pinv(powers[:, :-1]), np.linalg.pinv(powers)
    with np.errstate(all="ignore"):
        coefficients = lower @ odd
        rest = odd - powers[:, :-1] @ coefficients
        size = np.sum(rest**2, axis=0)
        white = np.sum(np.diff(rest, axis=0) ** 2, axis=0) > WHITE * size
        deviation = np.sqrt(size / (steps.size - POWERS.size)) * np.linalg.norm(lower[0])
        bar = SAFETY * deviation + np.abs(higher[0] @ odd - coefficients[0])
        return Fit(coefficients[0], np.where(white, bar, np.inf))
