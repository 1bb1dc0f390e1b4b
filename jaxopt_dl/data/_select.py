"""The choice among trained models by their dev scores."""

from collections.abc import Sequence

import numpy as np
from jax.typing import ArrayLike

from jaxopt_dl._core.errors import fail

from ._check import as_numbers


def select_best(scores: Sequence[float] | ArrayLike, *, maximize: bool) -> int:
    """Return which candidate has the best dev score: the one to measure on the test set, once.

    The winner's own dev score is too good to be true: the best of 100 models that all err on
    10 % of examples shows about 6.3 % on 360 of them. Its test score is unbiased.

    Args:
      scores: `(candidates,)` numbers, measured on the dev set.
      maximize: False for losses and error rates, True for accuracies.

    Returns:
      The index of the best; the first of equal ones, so put simpler models first.

    Raises:
      TypeError: if the scores are no numbers, or `maximize` is not True or False.
      ValueError: if there are none, they do not form one axis, or one is NaN.

    Examples:
      >>> select_best([0.12, 0.09, 0.10], maximize=False)
      1
    """
    who = "select_best"
    if not isinstance(maximize, bool | np.bool_):
        rule, advice = "`maximize` must be True or False", "Pass False for error rates."
        fail(who, rule, f"got {maximize!r}", advice, kind=TypeError)
    values = as_numbers(who, "scores", scores)
    if values.ndim != 1 or len(values) == 0:
        rule = "`scores` must have shape (candidates,)"
        fail(who, rule, f"got {values.shape}", "Pass one dev score for every model.")
    missing = np.flatnonzero(np.isnan(values))
    if len(missing):
        came = f"got NaN for candidate {missing[0]}"
        fail(who, "`scores` must be numbers", came, "Leave out models whose training failed.")
    return int(values.argmax() if maximize else values.argmin())
