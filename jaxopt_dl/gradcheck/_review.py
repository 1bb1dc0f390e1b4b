"""A second look at every accusation, with rounding measured operation by operation.

The first look measures rounding by moving parameters, which is quick and misses cancellation:
where `1 - cos(x)` takes equal values all around a point, nothing seems to be uncertain.
"""

from typing import NamedTuple

import numpy as np

from . import _verdict
from ._components import Base, difference
from ._differences import NOISE_FACTOR
from ._evaluate import Evaluator
from ._shaken import Shaken
from ._subject import Automatic, Subject
from ._verdict import FAIL, SHARP, Opinions

SAFETY = 16.0
"""From the standard deviation of a rounding error to a bound that nothing exceeds."""
CLEAR = 1e-4
"""Relative error that two opinions which agree never blame on rounding."""


class Roundings(NamedTuple):
    """Shaken forms of what is compared; `stripped` is None where it is the gradient itself.

    Attributes:
      value: of the loss.
      gradient: of the gradient under test.
      stripped: of the gradient without rules.
    """

    value: Shaken
    gradient: Shaken
    stripped: Shaken | None


def roundings(subject: Subject, stripped: Automatic | None) -> Roundings:
    """Prepare the shaken forms; nothing is traced yet.

    Args:
      subject: what is checked.
      stripped: the gradient without rules; None if it is the one under test.
    """
    roundoff = subject.paths.roundoff
    return Roundings(
        Shaken(subject.problem.value, roundoff),
        subject.gradient.shaken(roundoff),
        stripped.shaken(roundoff) if stripped is not None else None,
    )


def spread(shaken: Shaken | None, point: np.ndarray) -> np.ndarray | float:
    """Return a bound on the rounding error at a point; 0 where it cannot be measured."""
    if shaken is None:
        return 0.0
    try:
        return SAFETY * np.nan_to_num(shaken.spread(point))
    except Exception:  # code that runs on the host, or has no reverse mode
        return 0.0


def beyond_rounding(known: Opinions, status: np.ndarray) -> bool:
    """Whether differences and the stripped program agree that every failing entry is far off."""
    known = known.at(np.flatnonzero(status == FAIL))
    size = np.fmax(np.abs(known.gradient), np.abs(known.stripped))
    with np.errstate(all="ignore"):
        gap = np.abs(known.gradient - known.stripped)
        clear = gap > CLEAR * np.fmax(size, known.floor)
        seen = np.isfinite(known.bar)
        sharp = known.bar <= SHARP * np.abs(known.slope)
        agree = sharp & (np.abs(known.slope - known.stripped) <= SHARP * np.abs(known.slope))
    return bool(np.any(seen) and np.all(clear & (agree | ~seen)))


def review(
    subject: Subject,
    evaluator: Evaluator,
    shaken: Roundings,
    base: Base,
    known: Opinions,
    failing: np.ndarray,
    caution: float,
) -> Base:
    """Measure the rounding of everything that accuses, and take differences anew.

    Not where they would accuse even if noise alone had made up their error bars.

    Args:
      subject: what is checked.
      evaluator: values of the function.
      shaken: what measures rounding.
      base: the point.
      known: the opinions; rounding, doubt and differences may change.
      failing: positions that were differenced and fail.
      caution: factor on error bars.

    Returns:
      The point with the noise that was found.
    """
    value, gradient, stripped = shaken
    known.rounding[:] = np.fmax(known.rounding, spread(gradient, base.point))
    known.doubt[:] = np.fmax(known.doubt, spread(stripped, base.point))
    noise = float(spread(value, base.point)) / NOISE_FACTOR
    widest = known._replace(bar=known.bar * max(noise / base.noise, 1.0))
    open_ones = failing[~_verdict.surely_wrong(widest, failing)]
    base = base._replace(noise=max(base.noise, noise))
    slices, near = subject.problem.slices, subject.near
    difference(evaluator, known, base, open_ones, slices, near=near)
    known.bar[open_ones] *= caution
    return base
