"""The user's own data: NumPy archives, and one front door for names and paths."""

import os
import zipfile
from pathlib import Path

import numpy as np

from jaxopt_dl._core.errors import check_choice, fail
from jaxopt_dl._core.files import existing_file

from ._bundled import BUNDLED, load_bundled
from ._csv import load_csv
from ._dataset import Dataset
from ._targets import as_float32, as_targets

_NPZ, _CSV = ".npz", ".csv"


def load(source: str | os.PathLike[str], *, target: str | None = None) -> Dataset:
    """Load a bundled data set by its name, or a file by its suffix.

    Args:
      source: a name that `load_bundled` knows, or a path that ends in `.npz` or `.csv`.
      target: for `.csv` only, the name of the target column; the last one by default.

    Returns:
      The data set.

    Raises:
      FileNotFoundError: if there is no such file.
      IsADirectoryError: if the path is a folder.
      ValueError: if the name or suffix is unknown, if `target` comes without a `.csv`, and
        whatever `load_bundled`, `load_npz` and `load_csv` raise.

    Examples:
      >>> load("iris").x.shape
      (150, 4)
    """
    suffix = Path(source).suffix.lower()
    if suffix == _CSV:
        return load_csv(source, target=target)
    if target is not None:
        advice = "Leave it out."
        fail("load", "`target` names a column of a .csv file", f"got source {source}", advice)
    if suffix == _NPZ:
        return load_npz(source)
    if suffix or isinstance(source, os.PathLike) or os.sep in source:
        advice = "Save the data as `np.savez(path, x=x, y=y)` or as comma-separated text."
        fail("load", "a data file must end in .npz or .csv", f"got {source}", advice)
    check_choice("load", "source", source, BUNDLED)
    return load_bundled(source)


def load_npz(path: str | os.PathLike[str]) -> Dataset:
    """Load arrays `x` and `y` from a NumPy archive; nothing in it can run as code.

    The dtype of `y` says what the task is: integers and booleans are class labels `0 .. K-1`
    and stay as they are, strings are classes in sorted order, floats are regression targets.
    `x` becomes float32 without any scaling.

    Args:
      path: an archive written by `np.savez(path, x=x, y=y)`: `x` is `(n, features)` or pictures
        `(n, h, w)` or `(n, h, w, c)`, `y` is `(n,)`, for regression also `(n, targets)`.

    Returns:
      The data set, named after the file; `image_shape` is that of pictures.

    Raises:
      FileNotFoundError: if there is no such file.
      IsADirectoryError: if the path is a folder.
      TypeError: if an array does not hold numbers (nor `y` strings).
      ValueError: if the file is damaged or no archive, lacks an array, holds pickled objects,
        is empty, if first axes differ, `x` has no features, labels are no labels, or a number
        is not finite in float32.

    Examples:
      >>> import tempfile
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     path = Path(folder) / "mine.npz"
      ...     np.savez(path, x=np.ones((3, 2)), y=np.array([0, 1, 1]))
      ...     load_npz(path).class_names
      ('0', '1')
    """
    path = existing_file("load_npz", path)
    who = f"load_npz: {path}"
    arrays = _read_arrays(who, path)
    x, y = arrays["x"], arrays["y"]
    _check_axes(who, x, y)
    features = tuple(_feature_name(index) for index in np.ndindex(x.shape[1:]))
    targets, classes = as_targets(who, y)
    return Dataset(
        name=path.stem,
        x=as_float32(who, "x", x, features),
        y=targets,
        feature_names=features,
        class_names=classes,
        image_shape=x.shape[1:] if x.ndim > 2 else None,
    )


def _read_arrays(who: str, path: Path) -> dict[str, np.ndarray]:
    if not zipfile.is_zipfile(path):
        advice = "Write it with `np.savez(path, x=x, y=y)`."
        fail(who, "must be a NumPy archive", "got another kind of file, or half of one", advice)
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            missing = {"x", "y"} - set(archive.files)
            arrays = {} if missing else {n: np.asarray(archive[n]) for n in ("x", "y")}
    except Exception as error:  # damage shows as any of a dozen exceptions of zip, zlib and NumPy
        advice = "Write it again with `np.savez(path, x=x, y=y)`."
        fail(
            who,
            "must be a readable archive of plain arrays",
            f"got {str(error) or type(error).__name__}",
            advice,
        )
    if missing:
        came = f"lacks {' and '.join(sorted(missing))}"
        fail(who, "must hold the arrays `x` and `y`", came, "Name them so in `np.savez`.")
    return arrays


def _check_axes(who: str, x: np.ndarray, y: np.ndarray) -> None:
    if x.ndim < 2 or y.ndim < 1:
        came = f"got x {x.shape} and y {y.shape}"
        fail(who, "`x` must be (n, features) and `y` (n,)", came, "Reshape one feature to (n, 1).")
    if len(x) != len(y):
        came = f"got {len(x)} and {len(y)}"
        fail(who, "`x` and `y` must hold one row per example", came, "Check how they were made.")
    if x.size == 0 or y.size == 0:
        came = f"got x {x.shape} and y {y.shape}"
        fail(who, "must hold examples and features", came, "Check how it was written.")


def _feature_name(index: tuple[int, ...]) -> str:
    return f"x[{', '.join(map(str, index))}]"
