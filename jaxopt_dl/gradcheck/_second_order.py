"""Second derivatives are checked as the gradient of a slope.

With a fixed direction v the function `p -> <grad f(p), v>` has the gradient `H(p) v`: whatever
checks a gradient checks the Hessian times v, every entry of it. Rules are taken out of f before it
is differentiated for the first time, so that the opinions stay independent.
"""

import numpy as np

from ._problem import Problem
from ._units import units

REMARK = (
    "second order: the entries are those of the Hessian times a random direction; whether the "
    "gradient itself is right is for a check of order 1"
)


def slope_of(problem: Problem, seed: int) -> Problem:
    """Return the problem with its slope along a random direction in place of the loss.

    Args:
      problem: the user's function.
      seed: of the direction, which moves every parameter by about its own size.
    """
    random = np.random.default_rng(seed)
    shape = problem.start.shape
    lengths = random.uniform(0.5, 1.5, shape) * random.choice([-1.0, 1.0], shape)
    return problem._replace(along=units(problem.start, problem.slices) * lengths)
