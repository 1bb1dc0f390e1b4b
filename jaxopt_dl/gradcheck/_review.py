"""A second look at every accusation, with rounding measured operation by operation.

The first look measures rounding by moving parameters, which is quick and misses cancellation:
where `1 - cos(x)` takes equal values all around a point, nothing seems to be uncertain.
"""

from typing import NamedTuple

import numpy as np

from ._shaken import Shaken
from ._subject import Automatic, Subject

SAFETY = 16.0
"""From the standard deviation of a rounding error to a bound that nothing exceeds."""


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
