"""How far a measured share may be from the true one."""

import math

from jaxopt_dl._core.errors import check_integer, check_number


def error_rate_stderr(p: float, n: int) -> float:
    """Return the standard error of an error rate, or of an accuracy, measured on `n` examples.

    Differences below about two of these are noise. It shrinks with the number of examples, not
    with their share, which is why dev and test sets take a smaller share of more data.

        sqrt(p * (1 - p) / n)

    Args:
      p: the measured share, in [0, 1].
      n: number of independent examples it was measured on, at least 1.

    Returns:
      The standard error, in units of `p`.

    Raises:
      TypeError: if a number has the wrong type.
      ValueError: if a number is out of range.

    Examples:
      >>> round(error_rate_stderr(0.01, 100), 5), round(error_rate_stderr(0.01, 10_000), 6)
      (0.00995, 0.000995)
    """
    check_number("error_rate_stderr", "p", p, low=0.0, high=1.0)
    check_integer("error_rate_stderr", "n", n, low=1)
    return math.sqrt(p * (1.0 - p) / n)
