"""What a learning curve says about the learning rate."""

import enum
from typing import Any

import numpy as np

from jaxopt_dl._core.errors import fail, is_traced

MAX_STEADY = 1 / 3
"""Share of the whole fall that may happen in the second half of a good curve."""

MIN_PROGRESS = 0.1
"""How much of its ups and downs a good curve turns into a fall."""

VIOLENT = 0.5
"""Ups and downs of so much of the first loss, on average, are more than noise."""

CERTAIN = 3
"""A change counts from so many of its standard errors on."""


class LrVerdict(enum.StrEnum):
    """What a learning curve says about the learning rate; each value is one phrase for logs.

    Attributes:
      GOOD: the loss fell, and most of it early. Smaller rates may end lower still: decay it.
      TOO_SMALL: the loss falls as fast at the end as at the start; try three or ten times the rate.
      TOO_LARGE: the loss goes violently up and down, far more than it falls; try a third or a
        tenth.
      DIVERGING: the loss ended above where it began, or is not finite; try a tenth, or clip.
      FLAT: the loss did not change, or no more than by its noise. Either nothing moves (a rate
        near 0, a gradient of 0) or every step jumps to the other side of the valley: look at the
        gradients, and with noise at longer curves or means over more batches.

    Examples:
      >>> LrVerdict.TOO_SMALL == "too small"
      True
    """

    GOOD = "good"
    TOO_SMALL = "too small"
    TOO_LARGE = "too large"
    DIVERGING = "diverging"
    FLAT = "flat"


def lr_verdict(losses: Any) -> LrVerdict:
    """Say from a learning curve whether the learning rate was too small, good or too large.

    With start `s`, end `e` (the mean of the last tenth), middle `m` (the mean of the tenth around
    it), `v` the sum of all changes by size and `u` three standard errors of `s - e`, the first
    that holds:

        DIVERGING   a loss is not finite, or e - s > u
        TOO_LARGE   s - e < 0.1 * v, and changes are above |s| / 2 on average
        FLAT        s - e <= u
        TOO_SMALL   m - e > (s - e) / 3
        GOOD        otherwise

    The standard error is that of independent noise, whose size the median second difference tells.
    The limits are conventions of this library. Small oscillation looks like noise: losses of the
    whole training set, or means over epochs, say more than those of single small batches.

    Args:
      losses: `(n,)` numbers of at least 5 updates or epochs, in their order, outside of compiled
        programs.

    Returns:
      An `LrVerdict`.

    Raises:
      TypeError: if the losses are traced.
      ValueError: if they are not a list of at least 5 numbers.

    Examples:
      >>> [str(lr_verdict([rate ** (2 * t) for t in range(11)])) for rate in (0.999, 0.5, 1.1)]
      ['too small', 'good', 'diverging']
    """
    if is_traced(losses):
        rule, advice = "`losses` must hold numbers", "Call it outside of compiled programs."
        fail("lr_verdict", rule, "got a traced array", advice, kind=TypeError)
    curve = np.asarray(losses, np.float64)
    if curve.ndim != 1 or len(curve) < 5:
        rule, advice = "`losses` must be a list of at least 5 numbers", "Pass one curve."
        fail("lr_verdict", rule, f"got shape {curve.shape}", advice)
    return _judge(curve)


def _judge(curve: np.ndarray) -> LrVerdict:
    if not np.all(np.isfinite(curve)):
        return LrVerdict.DIVERGING
    width = max(len(curve) // 10, 1)
    middle = (len(curve) - width) // 2
    end = np.mean(curve[-width:])
    fall = curve[0] - end
    uncertain = CERTAIN * _noise(curve) * np.sqrt(1 + 1 / width)
    if -fall > uncertain:
        return LrVerdict.DIVERGING
    changes = np.abs(np.diff(curve))
    violent = np.mean(changes) > VIOLENT * np.abs(curve[0])
    if violent and fall < MIN_PROGRESS * np.sum(changes):
        return LrVerdict.TOO_LARGE
    if fall <= uncertain:
        return LrVerdict.FLAT
    late = np.mean(curve[middle : middle + width]) - end
    return LrVerdict.TOO_SMALL if late > MAX_STEADY * fall else LrVerdict.GOOD


def _noise(curve: np.ndarray) -> float:
    """Return the standard deviation of independent noise on a smooth curve.

    Second differences of noise have six times its variance, and those of a smooth curve are
    small; half of normal numbers are within 0.6745 standard deviations.
    """
    return float(np.median(np.abs(np.diff(curve, 2)))) / (0.6745 * np.sqrt(6))
