"""Large arrays looked at piece by piece, so that what is mapped from a file stays there."""

from collections.abc import Iterator

import numpy as np

_BYTES = 2**24


def row_blocks(x: np.ndarray) -> Iterator[np.ndarray]:
    """Yield `x` in consecutive blocks of rows, of about 16 MiB each and at least one row."""
    row = int(np.prod(x.shape[1:], dtype=np.int64)) * x.dtype.itemsize
    rows = max(1, _BYTES // max(1, row))
    for start in range(0, len(x), rows):
        yield x[start : start + rows]
