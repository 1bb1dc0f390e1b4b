"""How far each parameter can be expected to matter: the unit that steps are measured in."""

import numpy as np

from ._slices import Slice


def units(point: np.ndarray, slices: tuple[Slice, ...]) -> np.ndarray:
    """Return one power of two per entry, near the entry's own size, `(size,)`.

    Entries far below the median of their leaf use a share of that; a leaf of zeros (a fresh
    bias) uses the median size of all other parameters, at most 1. Powers of two keep the
    displaced points exact.
    """
    size = np.abs(point)
    used = size[size > 0]
    fallback = min(1.0, float(np.median(used))) if used.size else 1.0
    found = np.empty_like(size)
    for piece in slices:
        leaf = size[piece.start : piece.stop]
        positive = leaf[leaf > 0]
        typical = float(np.median(positive)) if positive.size else fallback
        floor = typical / 128 if positive.size else fallback
        found[piece.start : piece.stop] = np.where(leaf > 0, np.maximum(leaf, floor), typical)
    return 2.0 ** np.round(np.log2(found))
