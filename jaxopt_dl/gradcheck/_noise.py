"""How noisy the function is, measured and not assumed.

Values at equally spaced points are differenced until the smooth part is gone; what is left is
noise: rounding, float32 inside, the tolerance of an inner solver. Points lie on one side of
the parameters at a time, because a kink at the parameters themselves is no noise.
"""

import math

import numpy as np

from ._evaluate import Evaluator, Moves

UNIT_ROUNDOFF = 2.0**-53
FLOAT32_ROUNDOFF = 2.0**-24
POINTS = 9
FINE = (-16, -20, -25, -30, -35)
"""Spacings, exponents of two. A kink spoils one or two of them, so the median counts."""
COARSE = (-7, -9, -12)
"""Further spacings for programs that iterate until converged: their jumps are rare."""
HALVINGS, LAST = 16, 4
"""How closely a jump is looked at; over the last halvings the bend of a kink falls to 1/16."""
MILD = 1e-9
"""Relative to the value: roughness that is believed without a jump, as adaptive steps make it."""
STIFF = 0.05
"""Above this share of the range, differences are the function itself, badly sampled."""


def measure(
    evaluator: Evaluator,
    point: np.ndarray,
    direction: np.ndarray,
    *,
    roundoff: float,
    iterative: bool,
) -> tuple[float, float]:
    """Return the value at `point` and the size of the noise around it.

    Args:
      evaluator: of the function.
      point: `(size,)`.
      direction: `(size,)`, random signs scaled to the parameters.
      roundoff: unit roundoff of the narrowest floating type the function computes in.
      iterative: whether the function may repeat something until it has converged.

    Returns:
      The value, and the standard deviation of the noise, both in units of the loss.
    """
    spacings = 2.0 ** np.asarray(FINE + COARSE if iterative else FINE)
    steps = np.multiply.outer(spacings, np.arange(1, POINTS + 1)).ravel()
    steps = np.concatenate([[0.0], steps, -steps])
    zeros = np.zeros(steps.size, np.int64)
    values = evaluator.values(point, direction, Moves(zeros, zeros + point.size, steps))
    value, size = float(values[0]), max(abs(float(values[0])), np.finfo(float).tiny)
    sides = values[1:].reshape(2, spacings.size, POINTS)
    believable = 1e3 * roundoff * size
    found = np.array([[_noise_of(sequence, believable) for sequence in side] for side in sides])
    fine, coarse = found[:, : len(FINE)], found[:, len(FINE) :]
    noise = float(np.median(fine.min(axis=0)))
    if np.any(coarse > noise):
        ends = steps[1:].reshape(sides.shape)[:, len(FINE) :].reshape(-1, POINTS)
        rough = sides[:, len(FINE) :].reshape(-1, POINTS)
        jumps = _jumps(evaluator, point, direction, ends, rough)
        jumps = np.maximum(jumps, MILD * size)
        noise = max(noise, float(np.minimum(coarse.ravel(), jumps).max()))
    return value, max(2 * _roundoff_of(values, roundoff) * size, noise)


def _jumps(
    evaluator: Evaluator,
    point: np.ndarray,
    direction: np.ndarray,
    steps: np.ndarray,
    values: np.ndarray,
) -> np.ndarray:
    """Return how far each sequence of values jumps at its roughest place, `(n,)`.

    Where three values bend most is halved again and again. The bend of a kink shrinks with the
    distance and that of a curve faster; that of a jump stays.

    Args:
      evaluator: of the function.
      point: `(size,)`.
      direction: `(size,)`.
      steps: `(n, POINTS)`, where along the direction the values are.
      values: `(n, POINTS)`.
    """
    rows = np.arange(len(steps))
    with np.errstate(all="ignore"):
        bend = np.abs(np.diff(values, 2, axis=1))
        start = np.argmax(np.nan_to_num(bend), axis=1)
        at = np.stack([steps[rows, start + k] for k in range(3)], axis=1)
        seen = np.stack([values[rows, start + k] for k in range(3)], axis=1)
        bends = []
        for _ in range(HALVINGS):
            middles = (at[:, 1:] + at[:, :-1]) / 2
            zeros = np.zeros(middles.size, np.int64)
            moves = Moves(zeros, zeros + point.size, middles.ravel())
            new = evaluator.values(point, direction, moves).reshape(middles.shape)
            at = np.stack([at[:, 0], middles[:, 0], at[:, 1], middles[:, 1], at[:, 2]], axis=1)
            seen = np.stack([seen[:, 0], new[:, 0], seen[:, 1], new[:, 1], seen[:, 2]], axis=1)
            bend = np.abs(np.diff(seen, 2, axis=1))
            start = np.argmax(np.nan_to_num(bend), axis=1)[:, None] + np.arange(3)
            at, seen = at[rows[:, None], start], seen[rows[:, None], start]
            bends.append(np.nan_to_num(np.abs(np.diff(seen, 2, axis=1))[:, 0]))
        return np.where(bends[-1] > bends[-1 - LAST] / 4, bends[-1], 0.0)


def _roundoff_of(values: np.ndarray, roundoff: float) -> float:
    """Return the unit roundoff of the type that the values came from, whatever was declared.

    Values that are all float32 numbers were computed in float32: on the host, where nothing
    tells so. Their stairs may be wider than any spacing here.
    """
    finite = values[np.isfinite(values)]
    varied = finite.size > 0 and bool(np.any(finite != np.round(finite)))
    narrow = varied and bool(np.all(finite == finite.astype(np.float32)))
    return max(roundoff, FLOAT32_ROUNDOFF / 2) if narrow else roundoff


def _noise_of(sequence: np.ndarray, believable: float) -> float:
    """Return the noise of one sequence; the smallest over the orders is freest of the signal."""
    if not np.all(np.isfinite(sequence)):
        return 0.0
    orders = range(4, POINTS - 1)
    noise = min(_spread(np.diff(sequence, order), order) for order in orders)
    stiff = noise > STIFF * np.ptp(sequence) and noise > believable
    return 0.0 if stiff else noise


def _spread(differences: np.ndarray, order: int) -> float:
    """Undo the growth of independent noise under differencing: its variance gains (2k)!/k!^2."""
    growth = math.comb(2 * order, order)
    return float(np.sqrt(np.mean(differences**2) / growth))
