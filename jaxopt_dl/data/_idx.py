"""The IDX format, in which MNIST and its kin are published; also compressed by gzip."""

import gzip
import math
import os
import re
import zlib
from pathlib import Path
from typing import BinaryIO, NoReturn

import numpy as np

from jaxopt_dl._core.errors import fail
from jaxopt_dl._core.files import existing_file

from ._arrays import dataset_of, pixels
from ._dataset import Dataset

_DTYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_GZIP = b"\x1f\x8b"
_LARGEST_RATIO = 1032
"""No deflated byte stands for more than so many, so a header that promises more is wrong."""
_BLOCK = 2**24
_ADVICE = "Check that it is the right file."


def load_idx(
    images: str | os.PathLike[str], labels: str | os.PathLike[str] | None = None
) -> Dataset:
    """Load images and labels from a pair of IDX files, such as those of MNIST.

    Bytes become float32 in [0, 1], other numbers float32 without any scaling. Integer labels are
    classes `0 .. K-1`.

    Args:
      images: the file of the examples, plain or `.gz`: `(n, h, w)`, or any `(n, *features)`.
      labels: the file of the labels, `(n,)`; by default the one beside it whose name has
        `labels` for `images` and `idx1` for `idx3`.

    Returns:
      The data set, named after the file of the images; `image_shape` is that of pictures.

    Raises:
      FileNotFoundError: if there is no such file.
      IsADirectoryError: if a path is a folder.
      ValueError: if no name of labels follows from that of the images, if first axes differ or
        labels are no labels, and whatever `read_idx` raises.

    Examples:
      >>> import tempfile
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     images = Path(folder) / "train-images-idx3-ubyte"
      ...     _ = images.write_bytes(bytes([0, 0, 8, 3, *[0, 0, 0, 2] * 3, *range(0, 256, 32)]))
      ...     labels = Path(folder) / "train-labels-idx1-ubyte"
      ...     _ = labels.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 2, 1, 0]))
      ...     data = load_idx(images)
      >>> data.x.shape, data.y.tolist(), data.image_shape
      ((2, 2, 2), [1, 0], (2, 2))
    """
    images = existing_file("load_idx", images)
    if labels is None:
        labels = images.with_name(_name_of_labels(images))
    x, y = read_idx(images), read_idx(labels)
    x = pixels(x) if x.dtype == np.uint8 else x
    return dataset_of(f"load_idx: {images}", images.name.split(".")[0], x, y)


def read_idx(path: str | os.PathLike[str]) -> np.ndarray:
    """Read one array from an IDX file.

    Args:
      path: a plain file or one compressed by gzip, whatever its name.

    Returns:
      The array in its own dtype, in the byte order of this machine.

    Raises:
      FileNotFoundError: if there is no such file.
      IsADirectoryError: if the path is a folder.
      ValueError: if it is no IDX file, its type of numbers is unknown, it is longer or shorter
        than its header says, or the compressed data is damaged. No memory is taken for more
        than the file can hold.

    Examples:
      >>> import tempfile
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     path = Path(folder) / "labels-idx1-ubyte"
      ...     _ = path.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 3, 5, 0, 4]))
      ...     print(read_idx(path))
      [5 0 4]
    """
    path = existing_file("read_idx", path)
    who = f"read_idx: {path}"
    with path.open("rb") as file:
        compressed = file.read(2) == _GZIP
    if path.suffix == ".gz" and not compressed:
        came = "got another kind of file"
        fail(who, "a .gz file must be compressed by gzip", came, "Load it again, or rename it.")
    try:
        with gzip.open(path, "rb") if compressed else path.open("rb") as file:
            ratio = _LARGEST_RATIO if compressed else 1
            return _read(who, file, path.stat().st_size, ratio)  # pyright: ignore[reportArgumentType]
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        came = f"got {str(error) or type(error).__name__}"
        fail(who, "must be whole", came, "Load the file again.", cause=error)


def _read(who: str, file: BinaryIO, size: int, ratio: int) -> np.ndarray:
    dtype, shape = _header(who, file)
    declared = math.prod(shape) * dtype.itemsize
    if declared > size * ratio:
        _refuse_length(who, shape, dtype, f"got a file of {size}")
    content = bytearray()
    while len(content) <= declared and (block := file.read(min(_BLOCK, declared + 1))):
        content += block
    if len(content) != declared:
        _refuse_length(
            who, shape, dtype, "found more" if len(content) > declared else f"found {len(content)}"
        )
    try:
        array = np.frombuffer(content, dtype).reshape(shape)
    except ValueError as error:  # too many axes; or none are empty but one, and they overflow
        came = f"got {len(shape)} axes: {error}"
        fail(who, "the header must be that of an array", came, _ADVICE, cause=error)
    return array.astype(dtype.newbyteorder("="), copy=False)


def _header(who: str, file: BinaryIO) -> tuple[np.dtype, tuple[int, ...]]:
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[3] == 0:
        came = f"got the bytes {magic.hex(' ') or 'of an empty file'}"
        fail(who, "an IDX file must begin with 0, 0, type, number of axes", came, _ADVICE)
    if magic[2] not in _DTYPES:
        known = ", ".join(f"{code:#04x}" for code in _DTYPES)
        fail(who, f"the type of numbers must be one of {known}", f"got {magic[2]:#04x}", _ADVICE)
    sizes = file.read(4 * magic[3])
    if len(sizes) < 4 * magic[3]:
        came = f"found {len(sizes) // 4} of {magic[3]} sizes"
        fail(who, "the header must be whole", came, "Load the file again.")
    return np.dtype(_DTYPES[magic[2]]), tuple(np.frombuffer(sizes, ">u4").tolist())


def _refuse_length(who: str, shape: tuple[int, ...], dtype: np.dtype, found: str) -> NoReturn:
    promised = math.prod(shape) * dtype.itemsize
    rule = f"must hold the {promised} bytes of its header, {shape} {dtype.newbyteorder('=')}"
    fail(who, rule, found, "Load the file again; it is cut off or not an IDX file.")


def _name_of_labels(images: Path) -> str:
    name = re.sub(r"idx\d", "idx1", images.name.replace("images", "labels"))
    if name == images.name:
        advice = "Pass the file of the labels."
        rule = "the name of the images must say what that of the labels is"
        fail("load_idx", rule, f"got {images.name}", advice)
    return name
