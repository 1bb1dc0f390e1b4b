"""Further parameter values to look at: a bug can hide near the initialization.

Near points keep the scale of every leaf, but for one of size 1, where many functions bend. Far
points grow, from the leaves' own scale and from size 1, because a rule can be wrong only where a
function saturates. The caller leaves out points where the loss is not finite, since a function
need not be defined everywhere.
"""

import numpy as np

STEPS = 5
STEP_SIZE = 0.2
FOLDS = (16, 64)
RANDOM_FOLDS = (4, 16)


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


def far_points(
    point: np.ndarray, unit: np.ndarray, random: np.random.Generator
) -> tuple[dict[str, np.ndarray], ...]:
    """Return named points that grow, one series for every direction.

    Args:
      point: the user's parameters.
      unit: the size of an ordinary change of each parameter.
      random: source of the directions.
    """
    own = point + 0.5 * unit * random.standard_normal(point.shape)
    anywhere = random.standard_normal(point.shape)
    return (
        {f"{fold}-fold": fold * own for fold in FOLDS},
        {f"random {fold}-fold": fold * anywhere for fold in RANDOM_FOLDS},
    )
