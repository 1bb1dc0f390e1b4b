"""Single NumPy arrays, mapped into memory: data larger than it."""

import os
from pathlib import Path

import numpy as np

from jaxopt_dl._core.errors import fail
from jaxopt_dl._core.files import existing_file

from ._arrays import dataset_of
from ._check import as_numbers
from ._dataset import Dataset


def load_npy(x: str | os.PathLike[str], y: str | os.PathLike[str] | None = None) -> Dataset:
    """Map examples from a `.npy` file, which are read when they are indexed, and load targets.

    `dataset.x` is a `numpy.memmap` in the dtype of its file: `x[rows]` reads these rows only.
    Its numbers are not looked at here; `train.fit` and `fit_normalizer` check what they get.
    Targets mean what they mean in `load_npz`.

    Args:
      x: a file written by `np.save(path, x)`, `(n, features)` or pictures `(n, h, w)` or
        `(n, h, w, c)`; or a folder with the files `x.npy` and `y.npy`.
      y: the file of the targets, `(n,)`, for regression also `(n, targets)`; None for a folder.

    Returns:
      The data set, named after the file of `x` or the folder.

    Raises:
      FileNotFoundError: if there is no such file.
      IsADirectoryError: if a path is a folder where a file must be.
      TypeError: if an array does not hold numbers (nor `y` strings).
      ValueError: if `y` is missing, a file is damaged, longer or shorter than its header says,
        or holds pickled objects, if bytes are in the order of other machines, if an array is
        empty, first axes differ, `x` has no features, or labels are no labels.

    Examples:
      >>> import tempfile
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     np.save(Path(folder) / "x.npy", np.ones((3, 2)))
      ...     np.save(Path(folder) / "y.npy", np.array([0, 1, 1]))
      ...     data = load_npy(folder)
      >>> type(data.x).__name__, data.class_names
      ('memmap', ('0', '1'))
    """
    name = Path(x).stem
    if y is None:
        if not Path(x).is_dir():
            advice = "Pass the file of `y`, or a folder with x.npy and y.npy."
            fail("load_npy", "targets must come with the examples", f"got {x} alone", advice)
        x, y = Path(x) / "x.npy", Path(x) / "y.npy"
    x, y = existing_file("load_npy", x), existing_file("load_npy", y)
    who = f"load_npy: {x}"
    examples = _mapped(x)
    as_numbers(who, "x", examples)
    if not examples.dtype.isnative:
        came = f"got {examples.dtype.str}"
        advice = 'Save it again as `x.astype(x.dtype.newbyteorder("="))`.'
        fail(who, "bytes must be in the order of this machine", came, advice)
    return dataset_of(who, name, examples, np.array(_mapped(y)))


def _mapped(path: Path) -> np.memmap:
    """Map the file; nothing in it can run as code, and a header cannot ask for memory."""
    who = f"load_npy: {path}"
    advice = "Write it again with `np.save`."
    try:
        with np.errstate(over="raise"):  # NumPy multiplies the sizes before it looks at the file
            mapped = np.lib.format.open_memmap(path, mode="r")
    except Exception as error:  # damage shows in many ways in the header
        came = f"got {str(error) or type(error).__name__}"
        fail(who, "must be a readable plain array of `np.save`", came, advice, cause=error)
    extra = path.stat().st_size - mapped.offset - mapped.nbytes
    if extra:
        came = f"found {extra} bytes more"
        fail(who, f"must end after {mapped.shape} {mapped.dtype}", came, advice)
    return mapped
