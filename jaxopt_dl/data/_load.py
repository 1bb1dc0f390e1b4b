"""One front door for names, files and folders."""

import os
import re
from pathlib import Path

from jaxopt_dl._core.errors import check_choice, fail

from ._bundled import BUNDLED, load_bundled
from ._csv import load_csv
from ._dataset import Dataset
from ._idx import load_idx
from ._images import load_images
from ._npy import load_npy
from ._npz import load_npz

_IDX = re.compile(r"idx\d")


def load(
    source: str | os.PathLike[str],
    *,
    target: str | None = None,
    mode: str | None = None,
    size: tuple[int, int] | None = None,
) -> Dataset:
    """Load a bundled data set by its name, a file by its name, or a folder by what it holds.

    ==================================  =============
    source                              read by
    ==================================  =============
    breast_cancer, digits, iris, ...    `load_bundled`
    a .csv file                         `load_csv`
    a .npz file                         `load_npz`
    a file with idx3 (or so) in its     `load_idx`
    name, such as
    train-images-idx3-ubyte.gz
    a folder with x.npy and y.npy       `load_npy`
    a folder of folders of pictures     `load_images`
    ==================================  =============

    Args:
      source: as in the table; a folder with the name of a bundled set is written `./digits`.
      target: for `.csv` only, the name of the target column; the last one by default.
      mode: for pictures only, and needed there: `"grayscale"` or `"rgb"`.
      size: for pictures only, `(height, width)` to resize them to.

    Returns:
      The data set.

    Raises:
      FileNotFoundError: if there is no such file.
      ValueError: if nothing in the table fits, if an option comes that is not for this source,
        and whatever the loaders raise.

    Examples:
      >>> load("iris").x.shape
      (150, 4)
    """
    path, kind = Path(source), _kind(source)
    options = {"target": (target, "csv"), "mode": (mode, "images"), "size": (size, "images")}
    for name, (value, wanted) in options.items():
        if value is not None and kind != wanted:
            meant = "names a column of a .csv file" if wanted == "csv" else "is for pictures"
            fail("load", f"`{name}` {meant}", f"got source {source}", "Leave it out.")
    if kind == "csv":
        return load_csv(path, target=target)
    if kind == "images":
        if mode is None:
            rule, advice = "`mode` must come with pictures", 'Pass "grayscale" or "rgb".'
            fail("load", rule, f"got source {source}", advice)
        return load_images(path, mode=mode, size=size)
    loaders = {"npz": load_npz, "idx": load_idx, "npy": load_npy}
    return loaders[kind](path) if kind in loaders else load_bundled(str(source))


def _kind(source: str | os.PathLike[str]) -> str:
    path = Path(source)
    is_path = isinstance(source, os.PathLike) or os.sep in source
    if path.suffix.lower() in (".csv", ".npz"):
        return path.suffix.lower()[1:]
    if path.is_dir() and (is_path or source not in BUNDLED):
        return "npy" if (path / "x.npy").exists() else "images"
    if _IDX.search(path.name):
        return "idx"
    if path.suffix or is_path:
        came = f"got {source}"
        advice = "Save the data as `np.savez(path, x=x, y=y)` or as comma-separated text."
        rule = "a data file must end in .npz or .csv, have idx3 in its name, or be a folder"
        fail("load", rule, came, advice)
    check_choice("load", "source", source, BUNDLED)
    return "bundled"
