"""Whole groups dealt at random to the parts of a split, with sizes that are nearly right."""

import numpy as np

from jaxopt_dl._core.errors import fail


def deal_groups(
    codes: np.ndarray, names: np.ndarray, sizes: np.ndarray, turns: np.ndarray
) -> np.ndarray:
    """Return the part of every row, `(n,)`, all rows of a group in one part.

    Groups are dealt at random, those of like size in proportion. Then single groups move and
    pairs of them change places as long as that brings the sizes nearer. Of several such deals
    the one with the nearest sizes is taken, because some lead nowhere.

    Args:
      codes: `(n,)` integers from 0, the group of every row; rows in random order.
      names: `(groups,)`, what a person calls them.
      sizes: `(parts,)` integers, the rows every part should get.
      turns: `(deals, 64)` uniform in [0, 1), the randomness of each deal.

    Raises:
      ValueError: if one group is so large, or there are so few, that a part would be starved.
    """
    counts = np.bincount(codes)
    _check_dealable(counts, names, sizes)
    order = np.argsort(np.unique(codes, return_index=True)[1])  # random, as the rows are
    part_of = np.empty(len(counts), np.int64)
    dealt = (_dealt(counts[order], sizes, own) for own in turns)
    deals = [_polished(deal, counts[order], sizes) for deal in dealt]
    part_of[order] = min(deals, key=lambda deal: _off(deal, counts[order], sizes))
    return part_of[codes]


def _dealt(counts: np.ndarray, sizes: np.ndarray, turns: np.ndarray) -> np.ndarray:
    """Deal each group to each part with the probability of the part's share of all rows.

    Groups whose sizes agree to within a factor of two stand side by side on a circle, which is
    turned at random and then cut into parts: so no part gets the small groups alone.
    """
    part_of = np.empty(len(counts), np.int64)
    cuts = np.cumsum(sizes)[:-1] / sizes.sum()
    octaves = np.floor(np.log2(counts)).astype(np.int64)
    for octave in np.unique(octaves):
        alike = octaves == octave
        ends = np.cumsum(counts[alike])
        middles = (ends - counts[alike] / 2) / ends[-1]
        part_of[alike] = np.searchsorted(cuts, (middles + turns[octave]) % 1, side="right")
    return part_of


def _polished(part_of: np.ndarray, counts: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Exchange groups, one against one or against none, while the sizes get nearer."""
    while True:
        filled = np.bincount(part_of, counts, len(sizes)).astype(np.int64)
        best, exchange = _distance(filled, sizes).sum(), None
        for a in range(len(sizes)):
            for b in range(len(sizes)):
                if a != b and filled[a] > 0:
                    distance, pair = _best_exchange(part_of, counts, filled, sizes, a, b)
                    if distance < best:
                        best, exchange = distance, (a, b, *pair)
        if exchange is None:
            return part_of
        a, b, leaving, coming = exchange
        part_of[leaving] = b
        if coming >= 0:
            part_of[coming] = a


def _best_exchange(
    part_of: np.ndarray, counts: np.ndarray, filled: np.ndarray, sizes: np.ndarray, a: int, b: int
) -> tuple[float, tuple[int, int]]:
    """Return how far all sizes are off after the best exchange of `a` with `b`, and its groups.

    Groups of one size are alike, so one of each size is tried. Group -1 stands for none.
    """
    leaving, lost = _one_of_each_size(np.flatnonzero(part_of == a), counts)
    coming, gained = _one_of_each_size(np.flatnonzero(part_of == b), counts)
    coming, gained = np.append(coming, -1), np.append(gained, 0)
    change = gained[None, :] - lost[:, None]
    others = _distance(filled, sizes).sum() - _distance(filled, sizes)[[a, b]].sum()
    distance = others + _distance(filled[a] + change, sizes[a])
    distance += _distance(filled[b] - change, sizes[b])
    row, column = np.unravel_index(distance.argmin(), distance.shape)
    return float(distance[row, column]), (int(leaving[row]), int(coming[column]))


def _off(part_of: np.ndarray, counts: np.ndarray, sizes: np.ndarray) -> float:
    return _distance(np.bincount(part_of, counts, len(sizes)), sizes).sum()


def _one_of_each_size(groups: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    found, first = np.unique(counts[groups], return_index=True)
    return groups[first], found


def _distance(filled: np.ndarray, sizes: np.ndarray | int) -> np.ndarray:
    """Rows too many or too few; an empty part is worse than any other."""
    return np.abs(filled - sizes) + np.where(filled == 0, 1e18, 0.0)


def _check_dealable(counts: np.ndarray, names: np.ndarray, sizes: np.ndarray) -> None:
    if len(counts) < len(sizes):
        came = f"got {len(counts)} for {len(sizes)} parts"
        fail("split", "every part must get at least one group", came, "Bring more groups.")
    largest, others = int(counts.max()), int(sizes.sum() - sizes.max())
    if sizes.sum() - largest < others / 2:
        name = names[counts.argmax()]
        rule = "no group may take more than half of what other parts need"
        came = f"got {largest} of {sizes.sum()} rows in group {name}, others need {others}"
        fail("split", rule, came, "Divide the group, leave it out, or raise the largest fraction.")
