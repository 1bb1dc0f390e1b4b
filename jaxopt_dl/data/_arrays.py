"""Two arrays on their way to a `Dataset`: what every loader of arrays checks."""

import numpy as np

from jaxopt_dl._core.errors import fail

from ._dataset import Dataset
from ._targets import as_float32, as_targets


def dataset_of(who: str, name: str, x: np.ndarray, y: np.ndarray) -> Dataset:
    """Return the data set of `x`, `(n, *features)`, and targets `y`.

    A memory-mapped `x` stays where and as it is; its numbers are not looked at. Any other
    becomes float32.

    Raises:
      TypeError: if an array does not hold numbers (nor `y` strings).
      ValueError: if they hold nothing, first axes differ, `x` has no features, labels are no
        labels, or a number is not finite in float32.
    """
    check_axes(who, x, y)
    features = tuple(_feature_name(index) for index in np.ndindex(x.shape[1:]))
    targets, classes = as_targets(who, y)
    return Dataset(
        name=name,
        x=x if isinstance(x, np.memmap) else as_float32(who, "x", x, features),
        y=targets,
        feature_names=features,
        class_names=classes,
        image_shape=x.shape[1:] if x.ndim > 2 else None,
    )


def check_axes(who: str, x: np.ndarray, y: np.ndarray) -> None:
    """Check that `x` has examples and features and `y` one entry for each example.

    Raises:
      ValueError: naming both shapes.
    """
    if x.ndim < 2 or y.ndim < 1:
        came = f"got x {x.shape} and y {y.shape}"
        fail(who, "`x` must be (n, features) and `y` (n,)", came, "Reshape one feature to (n, 1).")
    if len(x) != len(y):
        came = f"got {len(x)} and {len(y)}"
        fail(who, "`x` and `y` must hold one row per example", came, "Check how they were made.")
    if x.size == 0 or y.size == 0:
        came = f"got x {x.shape} and y {y.shape}"
        fail(who, "must hold examples and features", came, "Check how it was written.")


def pixels(values: np.ndarray) -> np.ndarray:
    """Return bytes as float32 in [0, 1]."""
    return np.divide(values, np.float32(255), dtype=np.float32)


def _feature_name(index: tuple[int, ...]) -> str:
    return f"x[{', '.join(map(str, index))}]"
