"""NumPy archives of two arrays."""

import os
import zipfile
from pathlib import Path

import numpy as np

from jaxopt_dl._core.errors import fail
from jaxopt_dl._core.files import existing_file

from ._arrays import dataset_of
from ._dataset import Dataset


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
    return dataset_of(who, path.stem, arrays["x"], arrays["y"])


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
