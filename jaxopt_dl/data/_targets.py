"""What the targets of a file mean: class labels or numbers, checked before they are narrowed."""

import numpy as np

from jaxopt_dl._core.errors import fail

from ._check import as_numbers, check_finite

_LABELS_ALWAYS_ALLOWED = 1000


def as_targets(who: str, y: np.ndarray) -> tuple[np.ndarray, tuple[str, ...] | None]:
    """Return targets in the form of a `Dataset`, with class names where they are classes.

    Strings are classes in sorted order. Integers and booleans are class labels and stay what
    they are, so that two files of one project agree. Floats are regression targets.

    Raises:
      TypeError: if `y` holds anything else.
      ValueError: if labels are not one per example, negative or implausibly large, or if a
        number is not finite in float32.
    """
    if y.dtype.kind == "U":
        _check_one_per_example(who, y)
        names, codes = np.unique(y, return_inverse=True)
        return codes.astype(np.int32), tuple(str(name) for name in names)
    if y.dtype.kind in "iub":
        _check_one_per_example(who, y)
        return _as_labels(who, y)
    return as_float32(who, "y", y), None


def as_float32(
    who: str, name: str, values: np.ndarray, columns: tuple[str, ...] | None = None
) -> np.ndarray:
    """Return numbers as float32, once it is sure that all are finite there.

    Raises:
      TypeError: if `values` does not hold real numbers.
      ValueError: naming rows and columns with NaN, infinity or numbers too large for float32.
    """
    values = as_numbers(who, name, values)
    check_finite(who, name, values, columns=columns)
    with np.errstate(over="ignore"):
        narrow = values.astype(np.float32, copy=False)
    check_finite(f"{who} (as float32)", name, narrow, columns=columns)
    return narrow


def _check_one_per_example(who: str, y: np.ndarray) -> None:
    if y.ndim != 1:
        advice = "Turn one-hot rows into labels with `y.argmax(axis=1)`, or store floats."
        fail(who, "labels in `y` must have shape (n,)", f"got {y.shape}", advice)


def _as_labels(who: str, y: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    low, high = int(y.min()), int(y.max())
    limit = max(len(y), _LABELS_ALWAYS_ALLOWED)
    if low < 0 or high >= limit:
        rule = f"integer labels in `y` must lie in [0, {limit})"
        advice = "Number the classes from 0, or store `y` as floats for regression."
        fail(who, rule, f"got {low if low < 0 else high}", advice)
    return y.astype(np.int32), tuple(str(label) for label in range(high + 1))
