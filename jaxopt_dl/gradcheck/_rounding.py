"""How far rounding alone moves a gradient: measured by moving the parameters by rounding errors.

A gradient computed stably changes no more than this between two correct ways to compute it.
"""

from collections.abc import Sequence

import numpy as np

from ._slices import Slice
from ._subject import Gradient

SAMPLES = 3
SAFETY = 16.0
"""A few samples underestimate the worst case."""


def of_gradient(
    gradient: Gradient,
    point: np.ndarray,
    value: np.ndarray,
    random: np.random.Generator,
    roundoff: float,
) -> np.ndarray:
    """Return a bound on the rounding error of every entry, `(size,)`.

    Args:
      gradient: function of the flat vector.
      point: where it was evaluated, `(size,)`.
      value: the gradient there, `(size,)`.
      random: source of the displacements.
      roundoff: unit roundoff of the narrowest type the function computes in.
    """
    change = np.zeros_like(value)
    with np.errstate(all="ignore"):
        for _ in range(SAMPLES):
            nearby = point * (1 + 4 * roundoff * random.choice([-1.0, 1.0], point.shape))
            change = np.fmax(change, np.abs(gradient(nearby) - value))
    size = np.where(np.isfinite(value), np.abs(value), 0.0)
    return SAFETY * change + 64 * roundoff * size


def lenient(slices: Sequence[Slice], gradient: np.ndarray, unit: np.ndarray) -> np.ndarray:
    """Return a further tolerance for points far from where the function is at home, `(size,)`.

    There, in saturation, small entries are differences of large ones; a bug that shows only
    there is not that small.
    """
    size = np.where(np.isfinite(gradient), np.abs(gradient), 0.0)
    room = 1e-10 * np.max(size * unit, initial=0.0) / unit
    for piece in slices:
        here = slice(piece.start, piece.stop)
        room[here] += 1e-6 * np.max(size[here], initial=0.0)
    return room
