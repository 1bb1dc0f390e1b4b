"""Folders of pictures, one for each class."""

import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from jaxopt_dl._core.errors import check_choice, check_integer, fail, require

from ._arrays import dataset_of, pixels
from ._dataset import Dataset

_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png")
_SYSTEM_FILES = ("desktop.ini", "thumbs.db")
"""What a system leaves in folders of pictures under names that are not hidden."""
_FORMATS = ("BMP", "JPEG", "PNG")
_MODES = {"grayscale": "L", "rgb": "RGB"}
_EIGHT_BITS = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK")


def load_images(
    folder: str | os.PathLike[str], *, mode: str, size: tuple[int, int] | None = None
) -> Dataset:
    """Load pictures from `folder/class_name/*.png`, also `.jpg`, `.jpeg` and `.bmp`.

    Classes are the subfolders in sorted order, pictures come in sorted order within them, turned
    upright where a camera noted how it was held. Values are float32 in [0, 1]. Hidden files are
    passed over, `Thumbs.db` and `desktop.ini` too; nothing else is. All pictures are held in
    memory.

    Args:
      folder: the folder of the folders of the classes.
      mode: `"grayscale"` for `(n, h, w)` or `"rgb"` for `(n, h, w, 3)`; pictures of the other
        kind are converted.
      size: `(height, width)` in pixels to resize all pictures to, without keeping their
        proportions; by default they must agree.

    Returns:
      The data set, named after the folder.

    Raises:
      FileNotFoundError: if there is no such folder.
      NotADirectoryError: if the path is a file.
      ModuleNotFoundError: if Pillow is not installed, with the command that installs it.
      TypeError: if `size` is not a pair of integers.
      ValueError: if there are no classes, a class is empty or holds anything but pictures,
        sizes differ, or a picture is damaged, partly transparent, not of 8 bits per channel, or
        so large that Pillow takes it for an attack. The file is named.

    Examples:
      >>> import tempfile
      >>> from PIL import Image
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     for name, brightness in (("night", 0), ("day", 255)):
      ...         (Path(folder) / name).mkdir()
      ...         Image.new("L", (3, 2), brightness).save(Path(folder) / name / "1.png")
      ...     data = load_images(folder, mode="grayscale")
      >>> data.class_names, data.x.shape, data.x[:, 0, 0].tolist()
      (('day', 'night'), (2, 2, 3), [1.0, 0.0])
    """
    check_choice("load_images", "mode", mode, _MODES)
    if size is not None:
        _check_size(size)
    image = _pillow("Image")
    folder = _existing_folder(folder)
    files = [(path, label) for label in _classes(folder) for path in _pictures(folder / label)]
    with warnings.catch_warnings():
        warnings.simplefilter("error", image.DecompressionBombWarning)
        rows = (_read(path, _MODES[mode], size) for path, _ in files)
        x = _stacked(rows, [path for path, _ in files])
    y = np.array([label for _, label in files])
    return dataset_of(f"load_images: {folder}", folder.name, pixels(x), y)


def _stacked(rows: Iterator[np.ndarray], files: list[Path]) -> np.ndarray:
    first = next(rows)
    x = np.empty((len(files), *first.shape), np.uint8)
    x[0] = first
    for index, row in enumerate(rows, start=1):
        if row.shape != first.shape:
            sizes = [f"{shape[0]} x {shape[1]}" for shape in (first.shape, row.shape)]
            came = f"got {sizes[0]} in {files[0]} and {sizes[1]} in {files[index]}"
            advice = "Pass `size=(height, width)` to resize them."
            fail("load_images", "pictures must have one size", came, advice)
        x[index] = row
    return x


def _read(path: Path, mode: str, size: tuple[int, int] | None) -> np.ndarray:
    """Return the bytes of one picture, `(h, w)` or `(h, w, 3)`."""
    who = f"load_images: {path}"
    try:
        picture = _decoded(path)
    except Exception as error:  # damage shows as any of a dozen exceptions of Pillow
        came = f"got {str(error) or type(error).__name__}"
        fail(who, "must be a whole picture", came, "Repair or remove the file.", cause=error)
    if picture.mode not in _EIGHT_BITS:
        advice = "Convert it, so that you decide how its range is mapped."
        fail(who, "must have 8 bits per channel", f"got mode {picture.mode}", advice)
    if picture.has_transparency_data and picture.convert("RGBA").getextrema()[3][0] < 255:
        advice = "Put it on a background."
        fail(who, "must not be transparent", "got pixels that are", advice)
    picture = picture.convert(mode)
    if size is not None:
        picture = picture.resize(size[::-1], _pillow("Image").Resampling.BILINEAR)
    return np.asarray(picture)


def _decoded(path: Path) -> Any:
    """Return the picture upright, once the checksums of its parts are found to be right."""
    image = _pillow("Image")
    with image.open(path, formats=_FORMATS) as picture:
        picture.verify()
    with image.open(path, formats=_FORMATS) as picture:
        picture.load()
        return _pillow("ImageOps").exif_transpose(picture)


def _pillow(module: str) -> Any:
    return require("load_images", f"PIL.{module}", "app", package="pillow")


def _existing_folder(folder: str | os.PathLike[str]) -> Path:
    folder = Path(folder)
    if not folder.exists():
        rule, advice = "the folder must exist", "Check the spelling."
        fail("load_images", rule, f"found none at {folder}", advice, kind=FileNotFoundError)
    if not folder.is_dir():
        rule, advice = "the path must be a folder", "Name the folder of the classes."
        fail("load_images", rule, f"got the file {folder}", advice, kind=NotADirectoryError)
    return folder


def _classes(folder: Path) -> list[str]:
    visible = _visible(folder)
    who, layout = f"load_images: {folder}", "Put pictures into folder/class_name/."
    loose = sorted(path for path in visible if path.suffix.lower() in _SUFFIXES)
    if loose:
        fail(who, "pictures must be in folders of their classes", f"got {loose[0].name}", layout)
    names = sorted(path.name for path in visible if path.is_dir())
    if not names:
        fail(who, "must hold a folder for every class", "found none", layout)
    return names


def _pictures(folder: Path) -> list[Path]:
    who = f"load_images: {folder}"
    found = sorted(_visible(folder))
    if not found:
        fail(who, "a class must have pictures", "found none", "Add some or remove the folder.")
    for path in found:
        if path.is_dir() or path.suffix.lower() not in _SUFFIXES:
            came = f"got {path.name}"
            advice = "Convert it or take it away."
            fail(who, f"must hold nothing but {', '.join(_SUFFIXES)} files", came, advice)
    return found


def _visible(folder: Path) -> list[Path]:
    return [
        path
        for path in folder.iterdir()
        if not path.name.startswith(".") and path.name.lower() not in _SYSTEM_FILES
    ]


def _check_size(size: tuple[int, int]) -> None:
    if not isinstance(size, tuple | list) or len(size) != 2:
        rule, advice = "`size` must be (height, width)", "Pass for example (28, 28)."
        fail("load_images", rule, f"got {size!r}", advice, kind=TypeError)
    for name, number in zip(("height", "width"), size, strict=True):
        check_integer("load_images", f"size: {name}", number, low=1)
