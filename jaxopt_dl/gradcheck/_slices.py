"""The flat vector of all floating-point parameters, cut into leaves with names."""

from typing import NamedTuple

import numpy as np

from ._words import entry_name


class Slice(NamedTuple):
    """One floating-point leaf inside the flat vector.

    Attributes:
      path: the leaf's path, such as `00_dense/kernel`; empty for a bare array.
      shape: its shape.
      dtype: the dtype it had before the check promoted it.
      start: index of its first entry in the flat vector.
      stop: one past its last.
    """

    path: str
    shape: tuple[int, ...]
    dtype: np.dtype
    start: int
    stop: int

    @property
    def size(self) -> int:
        """Number of entries."""
        return self.stop - self.start

    def index(self, position: int) -> tuple[int, ...]:
        """Turn a position in the flat vector into an index of the leaf."""
        return tuple(int(i) for i in np.unravel_index(position - self.start, self.shape))

    def indices(self, positions: np.ndarray) -> tuple[tuple[int, ...], ...]:
        """The same for many positions at once."""
        if not self.shape:
            return ((),) * positions.size
        columns = np.unravel_index(positions - self.start, self.shape)
        return tuple(zip(*(column.tolist() for column in columns), strict=True))

    def entry(self, position: int) -> str:
        """Write one entry as `path[i, j]`."""
        return entry_name(self.path, self.index(position))
