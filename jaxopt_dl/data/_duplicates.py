"""Examples that occur more than once: an example in train and in test measures memory."""

import dataclasses
import hashlib
from collections.abc import Mapping
from itertools import combinations

import numpy as np
from jax.typing import ArrayLike

from jaxopt_dl._core.errors import fail

from ._blocks import row_blocks
from ._check import as_numbers


@dataclasses.dataclass(frozen=True, eq=False)
class Duplicates:
    """Rows of one part that also occur in another.

    Attributes:
      first: name of the part that comes first.
      second: name of the other.
      pairs: `(count, 2)` integers, one line for every row of `second` that occurs in `first`:
        where it is first found there, and its own row.

    Examples:
      >>> (found,) = find_duplicates({"train": [[1, 2], [3, 4]], "test": [[5, 6], [3, 4]]})
      >>> print(found.first, found.second, found.count, found.pairs)
      train test 1 [[1 1]]
    """

    first: str
    second: str
    pairs: np.ndarray

    @property
    def count(self) -> int:
        """How many rows of `second` occur in `first`."""
        return len(self.pairs)


def find_duplicates(parts: Mapping[str, ArrayLike]) -> tuple[Duplicates, ...]:
    """Find the examples that train, dev and test have in common, exactly equal ones.

    Rows are compared by a hash of 128 bits, so it takes one pass over each array. 0.0 and -0.0
    are equal, and so are two NaN: a row copied with its gaps is a copy. Drop `pairs[:, 1]` from
    the second part, or split with `groups=group_duplicates(x)` in the first place.

    Args:
      parts: name -> `(n, ...)` numbers; all of one dtype and with rows of one shape.

    Returns:
      One entry for every two parts, in the order of `parts`; `pairs` is empty where they have
      nothing in common.

    Raises:
      TypeError: if an array does not hold numbers, or their dtypes differ.
      ValueError: if fewer than two parts come, rows hold nothing, or differ in shape.

    Examples:
      >>> found = find_duplicates({"train": [1.0, 2.0], "dev": [3.0, 4.0], "test": [-0.0, 1.0]})
      >>> [(pair.first, pair.second, pair.count) for pair in found]
      [('train', 'dev', 0), ('train', 'test', 1), ('dev', 'test', 0)]
    """
    who = "find_duplicates"
    if len(parts) < 2:
        advice = 'Pass for example `{"train": x_train, "test": x_test}`.'
        fail(who, "`parts` must hold at least two arrays", f"got {len(parts)}", advice)
    arrays = {name: _rows(who, f"parts[{name!r}]", values) for name, values in parts.items()}
    _check_comparable(who, arrays)
    hashes = {name: _hashes(rows) for name, rows in arrays.items()}
    return tuple(Duplicates(a, b, _pairs(hashes[a], hashes[b])) for a, b in combinations(hashes, 2))


def group_duplicates(x: ArrayLike) -> np.ndarray:
    """Number the examples so that exactly equal ones get the same number, for `split(groups=)`.

    Args:
      x: `(n, ...)` numbers; 0.0 and -0.0 are equal, and so are two NaN.

    Returns:
      `(n,)` integers from 0, in the order in which examples first occur.

    Raises:
      TypeError: if `x` does not hold numbers.
      ValueError: if `x` has no rows, or they hold nothing.

    Examples:
      >>> group_duplicates([[1, 2], [3, 4], [1, 2]]).tolist()
      [0, 1, 0]
    """
    numbers: dict[bytes, int] = {}
    rows = _rows("group_duplicates", "x", x)
    return np.array([numbers.setdefault(h, len(numbers)) for h in _hashes(rows)], np.int64)


def _rows(who: str, name: str, values: ArrayLike) -> np.ndarray:
    array = as_numbers(who, name, values)
    if array.ndim == 0 or 0 in array.shape[1:]:
        came = f"got shape {array.shape}"
        fail(who, f"`{name}` must have rows of numbers", came, "Pass (n, features).")
    return array


def _check_comparable(who: str, arrays: dict[str, np.ndarray]) -> None:
    (first, rows), *others = arrays.items()
    for name, other in others:
        if other.shape[1:] != rows.shape[1:]:
            came = f"got {rows.shape[1:]} in {first!r} and {other.shape[1:]} in {name!r}"
            fail(who, "rows must have one shape", came, "Pass parts of one data set.")
        if other.dtype != rows.dtype:
            came = f"got {rows.dtype} in {first!r} and {other.dtype} in {name!r}"
            advice = "Convert them; rounding may make different rows equal."
            fail(who, "parts must have one dtype", came, advice, kind=TypeError)


def _hashes(rows: np.ndarray) -> list[bytes]:
    return [
        hashlib.blake2b(row, digest_size=16).digest()
        for block in row_blocks(rows)
        for row in _canonical(block)
    ]


def _canonical(rows: np.ndarray) -> np.ndarray:
    """Return a contiguous copy of which equal rows have equal bytes: one zero, one NaN."""
    if rows.dtype.kind in "iub":
        return np.ascontiguousarray(rows).reshape(len(rows), -1).view(np.uint8)
    copy = np.array(rows, order="C").reshape(len(rows), -1)
    copy += np.zeros((), copy.dtype)
    copy[np.isnan(copy)] = np.nan
    return copy.view(np.uint8)


def _pairs(first: list[bytes], second: list[bytes]) -> np.ndarray:
    places: dict[bytes, int] = {}
    for place, value in enumerate(first):
        places.setdefault(value, place)
    found = [(places[value], place) for place, value in enumerate(second) if value in places]
    return np.array(found, np.int64).reshape(-1, 2)
