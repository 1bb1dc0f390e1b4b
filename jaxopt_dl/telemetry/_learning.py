"""What a learning curve says about the learning rate."""

import enum
from typing import Any

import numpy as np

from jaxopt_dl._core.errors import fail, is_traced

MAX_STEADY = 1 / 3
"""Share of the whole fall that may happen in the second half of a good curve."""

MIN_PROGRESS = 0.1
"""How much of its ups and downs a good curve turns into a fall."""


class LrVerdict(enum.StrEnum):
    """What a learning curve says about the learning rate; each value is one phrase for logs.

    Attributes:
      GOOD: the loss fell, and most of it early. Smaller rates may end lower still: decay it.
      TOO_SMALL: the loss falls as fast at the end as at the start; try three or ten times the rate.
      TOO_LARGE: the loss goes up and down far more than it falls; try a third or a tenth.
      DIVERGING: the loss ended above where it began, or is not finite; try a tenth, or clip.
      FLAT: the loss did not change at all. Either nothing moves (a rate of 0, a gradient of 0) or
        every step jumps to the other side of the valley: look at the gradients.

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
    it) and `v` the sum of all changes by size, the first that holds:

        DIVERGING   a loss is not finite, or e > s
        FLAT        v = 0
        TOO_LARGE   s - e < 0.1 * v
        TOO_SMALL   m - e > (s - e) / 3
        GOOD        otherwise

    The limits are conventions of this library. Noise looks like oscillation: give it losses of the
    whole training set, or means over epochs, not those of single small batches.

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
    width = max(len(curve) // 10, 1)
    middle = (len(curve) - width) // 2
    start, end = curve[0], np.mean(curve[-width:])
    if not np.all(np.isfinite(curve)) or end > start:
        return LrVerdict.DIVERGING
    ups_and_downs = np.sum(np.abs(np.diff(curve)))
    if ups_and_downs == 0:
        return LrVerdict.FLAT
    if start - end < MIN_PROGRESS * ups_and_downs:
        return LrVerdict.TOO_LARGE
    late = np.mean(curve[middle : middle + width]) - end
    return LrVerdict.TOO_SMALL if late > MAX_STEADY * (start - end) else LrVerdict.GOOD
