"""Further parameter values to look at: a bug can hide near the initialization.

All but one keep the scale of every leaf; that one is of size 1, where many functions bend.
Points where the loss is not finite are left out by the
caller, since a function need not be defined everywhere.
"""

import numpy as np

STEPS = 5
STEP_SIZE = 0.2


def further_points(
    point: np.ndarray, unit: np.ndarray, gradient: np.ndarray, random: np.random.Generator
) -> dict[str, np.ndarray]:
    """Return named points derived from the given one, each `(size,)`.

    Args:
      point: the user's parameters.
      unit: the size of an ordinary change of each parameter.
      gradient: of the loss at `point`.
      random: source of the shifts.
    """
    noise = unit * random.standard_normal(point.shape)
    downhill = -np.sign(np.nan_to_num(gradient)) * unit * random.uniform(size=point.shape)
    return {
        "trained": point + STEPS * STEP_SIZE * downhill,
        "shifted": point + noise,
        "mirrored": -point - 0.25 * noise,
        "random": random.standard_normal(point.shape),
        "saturated": 4.0 * (point + 0.5 * noise),
    }
