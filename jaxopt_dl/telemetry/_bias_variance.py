"""Two errors and what they say: too simple, too free, both or neither; and what to do about it."""

import enum
from typing import Any, NamedTuple

from jaxopt_dl._core.errors import check_number, fail, is_traced
from jaxopt_dl._core.types import Number


class Fit(enum.StrEnum):
    """Where the error of a model comes from; each value is one phrase for logs.

    Attributes:
      NEITHER: both gaps are small.
      HIGH_BIAS: it misses the training set itself; it underfits.
      HIGH_VARIANCE: it does well on the training set only; it overfits.
      BOTH: it misses the training set, and new examples by much more.

    Examples:
      >>> Fit.HIGH_BIAS == "high bias"
      True
    """

    NEITHER = "neither"
    HIGH_BIAS = "high bias"
    HIGH_VARIANCE = "high variance"
    BOTH = "high bias and high variance"


class BiasVariance(NamedTuple):
    """The error on new examples, taken apart.

    Attributes:
      avoidable_bias: error on the training set above the best that is possible; below 0 where the
        best was estimated too high or the training set is known by heart.
      variance: error on the dev set above that on the training set; may be below 0.
      verdict: a `Fit`.
      remedies: what to do, in this order; empty if the verdict is `NEITHER`.

    Examples:
      >>> bias_variance(0.01, 0.11).remedies
      ('Get more training data, or regularize.',)
    """

    avoidable_bias: float
    variance: float
    verdict: Fit
    remedies: tuple[str, ...]


LESS_BIAS = "Train a larger network, train longer, or change the architecture."
LESS_VARIANCE = "Get more training data, or regularize."

VERDICTS = {
    (False, False): (Fit.NEITHER, ()),
    (True, False): (Fit.HIGH_BIAS, (LESS_BIAS,)),
    (False, True): (Fit.HIGH_VARIANCE, (LESS_VARIANCE,)),
    (True, True): (Fit.BOTH, (LESS_BIAS, LESS_VARIANCE)),
}


def bias_variance(
    train_error: Any, dev_error: Any, *, bayes_error: Number = 0.0, threshold: Number = 0.05
) -> BiasVariance:
    """Say whether a model underfits, overfits, both or neither, and what to do about it.

        avoidable bias = train_error - bayes_error
        variance       = dev_error - train_error

    A gap is high if it is larger than `threshold`. Bias comes first among the remedies: a model
    that misses its own training set gains nothing from more data.

    Args:
      train_error: share of the training set that is wrong, in [0, 1], with dropout and augmentation
        off.
      dev_error: the same of the dev set.
      bayes_error: the error that nobody can avoid, in [0, 1]. That of people stands in for it
        where they do the task well; 0 takes every error for avoidable.
      threshold: the smallest gap that matters, in (0, 1]. A convention of this library; it should
        exceed the standard error of the dev error, which is sqrt(p (1 - p) / n).

    Returns:
      A `BiasVariance`.

    Raises:
      TypeError: if a number is not a real number, or is traced.
      ValueError: if it is out of range; percentages are.

    Examples:
      >>> found = bias_variance(0.15, 0.30)
      >>> str(found.verdict), found.avoidable_bias, found.variance
      ('high bias and high variance', 0.15, 0.15)
      >>> str(bias_variance(0.15, 0.16, bayes_error=0.15).verdict)
      'neither'

    References:
      Ng, "Machine Learning Yearning", 2018, chapters 20 to 27.
    """
    train = _share("train_error", train_error)
    dev = _share("dev_error", dev_error)
    bayes = _share("bayes_error", bayes_error)
    limit = _share("threshold", threshold, low_open=True)
    bias, variance = train - bayes, dev - train
    return BiasVariance(bias, variance, *VERDICTS[bias > limit, variance > limit])


def _share(name: str, value: Any, *, low_open: bool = False) -> float:
    if is_traced(value):
        rule, advice = f"`{name}` must be a number", "Call it outside of compiled programs."
        fail("bias_variance", rule, "got a traced array", advice, kind=TypeError)
    check_number("bias_variance", name, value, low=0, high=1, low_open=low_open)
    return float(value)
