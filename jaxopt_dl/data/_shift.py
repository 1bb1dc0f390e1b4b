"""Whether two sets of examples come from one distribution, feature by feature."""

from typing import NamedTuple

import numpy as np
from jax.typing import ArrayLike

from jaxopt_dl._core.errors import check_same_shape, fail

from ._check import as_numbers, check_finite

_COLUMNS = 64
"""Features looked at together, so that no float64 copy of the whole set is made."""


class DistributionShift(NamedTuple):
    """Differences between two sets in units of their standard errors.

    Attributes:
      mean: `(*features,)` float64, differences of the means, second minus first.
      variance: the same of the variances.
      feature: index of the feature that differs most, in either.
      largest: by how many standard errors it does.

    Examples:
      >>> distribution_shift([[0.0], [1.0], [2.0]], [[4.0], [5.0], [6.0]]).mean.round(3)
      array([4.899])
    """

    mean: np.ndarray
    variance: np.ndarray
    feature: tuple[int, ...]
    largest: float


def distribution_shift(a: ArrayLike, b: ArrayLike) -> DistributionShift:
    """Compare the mean and the variance of every feature of two sets.

    Dev and test sets must come from one distribution, or what is tuned on one does not hold on
    the other; this shows if they do not. Differences of two sets drawn from one pool are about
    standard normal: of 64 features, none should exceed 4.5.

        mean      (mean(b) - mean(a)) / sqrt(var(a) / n_a + var(b) / n_b)
        variance  the same for the squared distances from the means, in place of the values

    Unlike a ratio of standard deviations this needs no special case for a feature that varies
    in one set alone, such as a pixel that is almost always black. Relations between features
    are not looked at.

    Args:
      a: `(n_a, *features)` finite numbers, at least two rows.
      b: `(n_b, *features)` finite numbers, at least two rows.

    Returns:
      The differences; 0 for a feature that is the same constant in both sets, infinite where it
      is a constant in each, but another one.

    Raises:
      TypeError: if the arrays do not hold numbers.
      ValueError: if they are not finite, have fewer than two rows, or other features.

    Examples:
      >>> dev, test = np.arange(100.0).reshape(50, 2), np.arange(100.0).reshape(50, 2)
      >>> distribution_shift(dev, test).largest
      0.0
      >>> test[:, 1] += 60
      >>> shift = distribution_shift(dev, test)
      >>> shift.feature, round(shift.largest, 2)
      ((1,), 10.29)
    """
    who = "distribution_shift"
    sets = {name: as_numbers(who, name, values) for name, values in (("a", a), ("b", b))}
    for name, values in sets.items():
        if values.ndim < 2 or len(values) < 2 or values.size == 0:
            rule = f"`{name}` must be (n, features) with at least two rows"
            fail(who, rule, f"got {values.shape}", "Reshape one feature to (n, 1).")
        check_finite(who, name, values)
    first, second = sets.values()
    features = first.shape[1:]
    check_same_shape(who, "a[0]", first[0], "b[0]", second[0])
    first, second = first.reshape(len(first), -1), second.reshape(len(second), -1)
    blocks = [slice(at, at + _COLUMNS) for at in range(0, first.shape[1], _COLUMNS)]
    found = [_compare(first[:, block], second[:, block]) for block in blocks]
    mean, variance = np.concatenate(found, axis=1)
    size = np.maximum(abs(mean), abs(variance))
    feature = tuple(int(i) for i in np.unravel_index(size.argmax(), features))
    return DistributionShift(
        mean.reshape(features), variance.reshape(features), feature, float(size.max())
    )


def _compare(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the differences of means and of variances, `(2, features)`."""
    values = [_exactly_centered(x.astype(np.float64)) for x in (a, b)]
    means = [mean for mean, _ in values]
    squares = [centered**2 for _, centered in values]
    errors = [square.mean(axis=0) / (len(square) - 1) for square in squares]
    variances = [square.mean(axis=0) for square in squares]
    their_errors = [square.var(axis=0) / (len(square) - 1) for square in squares]
    return np.stack([_in_units(means, errors), _in_units(variances, their_errors)])


def _exactly_centered(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return means and distances from them; those of a constant are exactly 0."""
    constant = x.max(axis=0) == x.min(axis=0)
    mean = np.where(constant, x[0], x.mean(axis=0))
    return mean, x - mean


def _in_units(values: list[np.ndarray], squared_errors: list[np.ndarray]) -> np.ndarray:
    difference = values[1] - values[0]
    error = np.sqrt(squared_errors[0] + squared_errors[1])
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(difference == 0, 0.0, difference / error)
