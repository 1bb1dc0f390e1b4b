"""Parameters alone in one checksummed file: plain bytes that no loading can run as code.

Layout: 8 bytes of magic, the last of them the version; the length of the header, 8 bytes; the
SHA-256 of the header; the header, JSON; then the leaves, raw little-endian bytes, one after the
other. The header gives path, shape, dtype, place and SHA-256 of each leaf, so that every byte
of the file is either checked by a digest or fixed.
"""

import hashlib
import itertools
import json
import math
import os
import struct
from collections.abc import Sequence
from typing import Any, BinaryIO, NamedTuple, NoReturn

import jax
import jax.numpy as jnp
import numpy as np

from jaxopt_dl._core.errors import fail, is_traced
from jaxopt_dl._core.files import existing_file, writable_file, write_atomically
from jaxopt_dl._core.types import PyTree

_VERSION = 1
# A byte above 127 and a line end, as in PNG, show at once what a transfer as text has damaged.
_NAME = b"\x89JODL\r\n"
_PREFIX = struct.Struct("<7sBQ32s")
_LARGEST_HEADER = 64 * 2**20
_DTYPES = (
    *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("bfloat16", "float8_e4m3fn", "float8_e5m2", "float16", "float32", "float64"),
    *("complex64", "complex128"),
)
_SHOWN = 8

Path = tuple[str, ...]


class _Record(NamedTuple):
    """What the header says of one leaf.

    Attributes:
      path: names on the way to it.
      shape: of the array; of the key data, where the leaf holds PRNG keys.
      dtype: one of `_DTYPES`.
      key: name of the PRNG implementation, or None for plain numbers.
      offset: first byte, counted from the end of the header.
      size: in bytes.
      sha256: of the bytes, hexadecimal.
    """

    path: Path
    shape: tuple[int, ...]
    dtype: str
    key: str | None
    offset: int
    size: int
    sha256: str


def save_params(path: str | os.PathLike[str], params: PyTree) -> None:
    """Save the arrays of a tree in one file with a checksum for each leaf.

    The file appears under its name only when it is complete and on disk, so a failing save
    leaves the previous one as it was.

    Args:
      path: the file to write; its folder must exist, and an old file is replaced.
      params: any tree of arrays and numbers, also bfloat16, empty arrays and typed PRNG keys.

    Raises:
      TypeError: if a leaf is no array of numbers (strings, objects, tracers), before anything
        is written.
      ValueError: if two leaves have the same path, or one lies inside another.
      OSError: if the folder does not exist or the file cannot be written.

    Examples:
      >>> import pathlib, tempfile
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     file = pathlib.Path(folder) / "best.params"
      ...     save_params(file, {"kernel": np.ones((2, 3), np.float32)})
      ...     load_params(file)["kernel"].shape
      (2, 3)
    """
    path = writable_file("save_params", path)
    leaves = _paths_and_leaves(params)
    _check_paths_apart("save_params", [leaf_path for leaf_path, _ in leaves])
    records, contents, offset = [], [], 0
    for leaf_path, leaf in leaves:
        values, key = _plain(leaf_path, leaf)
        data = _little_endian_bytes(values)
        digest = hashlib.sha256(data).hexdigest()
        dtype = values.dtype.name
        records.append(_Record(leaf_path, values.shape, dtype, key, offset, data.nbytes, digest))
        contents.append(data)
        offset += data.nbytes
    header = json.dumps([record._asdict() for record in records]).encode()
    if len(header) > _LARGEST_HEADER:
        came = f"got {len(leaves)} leaves with a header of {len(header)} bytes"
        advice = "Stack leaves into fewer arrays."
        fail("save_params", f"the header must fit into {_LARGEST_HEADER} bytes", came, advice)
    prefix = _PREFIX.pack(_NAME, _VERSION, len(header), hashlib.sha256(header).digest())
    write_atomically(path, [prefix, header, *contents])


def load_params(path: str | os.PathLike[str], like: PyTree = None) -> PyTree:
    """Load what `save_params` wrote, after checking every byte of it.

    Numbers come back as NumPy arrays of the dtype they were saved in, because a float64 JAX
    array outside an `enable_x64` scope would silently lose half its digits; JAX functions take
    them as they are. PRNG keys come back as typed JAX keys.

    Args:
      path: the file.
      like: a tree whose structure, shapes and dtypes the file must have, such as freshly
        initialized parameters or their `jax.eval_shape`. Without it, the leaves come back in
        nested dicts with string keys, lists and tuples too (`{"0": ..., "1": ...}`), and empty
        containers are lost, since the file holds leaves only.

    Returns:
      The tree, in the structure of `like` if given.

    Raises:
      FileNotFoundError: if there is no such file.
      IsADirectoryError: if the path is a folder.
      ValueError: if the file is of another kind or version, is damaged in any byte, cut short
        or continued, or does not match `like`; the message names the leaves.

    Examples:
      >>> import pathlib, tempfile
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     file = pathlib.Path(folder) / "best.params"
      ...     save_params(file, [np.float32(1.5), np.arange(3)])
      ...     load_params(file)["1"].tolist(), load_params(file, like=[np.float32(0), np.arange(3)])
      ([0, 1, 2], [array(1.5, dtype=float32), array([0, 1, 2])])
    """
    path = existing_file("load_params", path)
    who = f"load_params: {path}"
    with path.open("rb") as file:
        records = _read_header(who, file)
        leaves = {record.path: _read_leaf(who, file, record) for record in records}
    return _nested(leaves) if like is None else _arranged(who, leaves, like)


def _paths_and_leaves(tree: PyTree) -> list[tuple[Path, Any]]:
    flat = jax.tree_util.tree_leaves_with_path(tree)
    return [
        (tuple(jax.tree_util.keystr((entry,), simple=True) for entry in path), leaf)
        for path, leaf in flat
    ]


def _check_paths_apart(who: str, paths: Sequence[Path]) -> None:
    # In sorted order, whatever lies inside a path follows directly after it.
    ordered = sorted(paths)
    for first, second in itertools.pairwise(ordered):
        if second[: len(first)] == first:
            came = f"got {_shown(first)} and {_shown(second)}"
            fail(who, "every leaf must have a path of its own", came, "Rename one of them.")


def _plain(path: Path, leaf: Any) -> tuple[np.ndarray, str | None]:
    """Return a leaf as an array of plain numbers, and the PRNG implementation of keys."""
    if is_traced(leaf):
        _unsupported(path, "a tracer")
    key = None
    if _is_key(leaf):
        key, leaf = str(jax.random.key_impl(leaf)), jax.random.key_data(leaf)
    values = np.asarray(leaf)
    if values.dtype.name not in _DTYPES:
        _unsupported(path, f"dtype {values.dtype}")
    return values, key


def _unsupported(path: Path, came: str) -> NoReturn:
    rule = f"leaf {_shown(path)} must be an array of numbers"
    advice = "Save arrays only, and outside `jit`."
    fail("save_params", rule, f"got {came}", advice, kind=TypeError)


def _is_key(leaf: Any) -> bool:
    dtype = getattr(leaf, "dtype", None)
    return dtype is not None and jnp.issubdtype(dtype, jax.dtypes.prng_key)


def _little_endian_bytes(values: np.ndarray) -> memoryview:
    ordered = values.astype(values.dtype.newbyteorder("<"), copy=False)
    return np.ascontiguousarray(ordered).reshape(-1).view(np.uint8).data


def _read_header(who: str, file: BinaryIO) -> list[_Record]:
    size = os.fstat(file.fileno()).st_size
    prefix = file.read(_PREFIX.size)
    if prefix[: len(_NAME)] != _NAME:
        came = "got another kind of file"
        fail(who, "must be a file of parameters", came, "Name one that `save_params` wrote.")
    if len(prefix) < _PREFIX.size:
        _damaged(who, f"it ends after {size} bytes")
    _, version, length, digest = _PREFIX.unpack(prefix)
    if version != _VERSION:
        advice = "Read it with the version of jaxopt_dl that wrote it."
        fail(who, f"must have format version {_VERSION}", f"got version {version}", advice)
    if length > min(_LARGEST_HEADER, size - _PREFIX.size):
        _damaged(who, f"a header of {length} bytes does not fit into its {size} bytes")
    header = file.read(length)
    if hashlib.sha256(header).digest() != digest:
        _damaged(who, "the checksum of its header is wrong")
    records = _parse(who, header)
    whole = _PREFIX.size + length + sum(record.size for record in records)
    if size != whole:
        _damaged(who, f"it has {size} bytes where its header says {whole}")
    return records


def _parse(who: str, header: bytes) -> list[_Record]:
    """Read the header as if a stranger had written it, for a checksum is no signature."""
    records, offset = [], 0
    try:
        for entry in json.loads(header):
            entry = {**entry, "path": tuple(entry["path"]), "shape": tuple(entry["shape"])}
            record = _Record(**entry)
            _check_record(record, offset)
            records.append(record)
            offset += record.size
    except (ValueError, TypeError, KeyError, RecursionError):
        _damaged(who, "its header does not describe leaves")
    _check_paths_apart(who, [record.path for record in records])
    return records


def _check_record(record: _Record, offset: int) -> None:
    sound = (
        all(type(name) is str for name in record.path)
        and all(type(length) is int and length >= 0 for length in record.shape)
        and record.dtype in _DTYPES
        and record.size == math.prod(record.shape) * np.dtype(record.dtype).itemsize
        and record.offset == offset
    )
    if not sound:
        raise ValueError


def _read_leaf(who: str, file: BinaryIO, record: _Record) -> Any:
    data = bytearray(file.read(record.size))
    if hashlib.sha256(data).hexdigest() != record.sha256:
        _damaged(who, f"the checksum of leaf {_shown(record.path)} is wrong")
    dtype = np.dtype(record.dtype)
    try:
        ordered = np.frombuffer(data, np.uint8).view(dtype.newbyteorder("<"))
        values = ordered.astype(dtype, copy=False).reshape(record.shape)
        if record.key is None:
            return values
        return jax.random.wrap_key_data(jnp.asarray(values), impl=record.key)
    except (ValueError, TypeError) as error:
        _damaged(who, f"leaf {_shown(record.path)} does not hold what its header says ({error})")


def _nested(leaves: dict[Path, Any]) -> PyTree:
    tree: dict[str, Any] = {}
    for path, leaf in leaves.items():
        if not path:
            return leaf
        node = tree
        for name in path[:-1]:
            node = node.setdefault(name, {})
        node[path[-1]] = leaf
    return tree


def _arranged(who: str, leaves: dict[Path, Any], like: PyTree) -> PyTree:
    wanted = _paths_and_leaves(like)
    differences = _differences(leaves, dict(wanted))
    if differences:
        more = len(differences) - _SHOWN
        came = "but " + "; ".join(differences[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")
        advice = "Pass a template of the model that was saved."
        fail(who, "the file must hold the leaves of `like`", came, advice)
    return jax.tree.unflatten(jax.tree.structure(like), [leaves[path] for path, _ in wanted])


def _differences(have: dict[Path, Any], want: dict[Path, Any]) -> list[str]:
    lines = [f"{_shown(path)} is missing in the file" for path in want if path not in have]
    lines += [f"{_shown(path)} is only in the file" for path in have if path not in want]
    for path, leaf in want.items():
        if path in have and (found := _kind(have[path])) != (wanted := _kind(leaf)):
            lines.append(f"{_shown(path)} is {found} in the file and {wanted} in `like`")
    return lines


def _kind(leaf: Any) -> str:
    described = leaf if hasattr(leaf, "dtype") else np.asarray(leaf)
    return f"{described.dtype.name} {tuple(described.shape)}"


def _shown(path: Path) -> str:
    return f"`{'/'.join(path) or '.'}`"


def _damaged(who: str, came: str) -> NoReturn:
    fail(who, "the file must be intact", f"but {came}", "Restore it from a copy or save again.")
