"""Division of a data set into disjoint parts: train, dev and test."""

import math
from collections.abc import Sequence

import jax
import numpy as np
from jax.typing import ArrayLike

from jaxopt_dl._core.errors import (
    check_choice,
    check_integer,
    check_key,
    check_number,
    check_shape,
    fail,
)
from jaxopt_dl._core.types import Key

from ._groups import deal_groups

_EVEN, _LARGER_DEV = "even", "larger_dev"
_DEALS = 4
"""Of so many random deals of groups, the one with the nearest sizes is taken."""


def split(
    key: Key,
    n: int,
    fractions: Sequence[float],
    *,
    labels: ArrayLike | None = None,
    groups: ArrayLike | None = None,
) -> tuple[np.ndarray, ...]:
    """Divide the indices 0 to n - 1 at random into disjoint parts.

    Train fits, dev compares models and tunes them, test measures the chosen one once. Leave the
    third out where no unbiased final estimate is needed.

    Part `j` gets `n * fractions[j]` examples, rounded by largest remainder, ties to the later
    part. With `labels` every class is divided in these proportions too, to within one example,
    and the sizes of the parts stay the same. A class with fewer examples than there are parts
    is then missing from some of them.

    With `groups` all examples of a group, such as the recordings of one patient, stay in one
    part; otherwise dev and test would measure how well patients are remembered. Groups are dealt
    at random, large and small ones in proportion; then sizes come as near as exchanging two
    groups, or moving one, brings them. `group_duplicates` makes groups of equal examples.

    Args:
      key: decides the split; the same key gives the same split.
      n: number of examples, at least 2.
      fractions: two or more positive shares that sum to 1 within 1e-9.
      labels: `(n,)` integers, booleans or strings; classes to keep in proportion.
      groups: `(n,)` integers, booleans or strings; examples to keep together. Not with `labels`.

    Returns:
      One integer array of indices, `(size,)`, for each fraction, in random order.

    Raises:
      TypeError: if `key`, `n`, a fraction, `labels` or `groups` is of the wrong type.
      ValueError: if fewer than two fractions come, one is not positive, their sum is not 1, a
        part would be empty, `labels` or `groups` does not have shape `(n,)`, both come, or one
        group takes more than half of what the other parts need.

    Examples:
      >>> train, dev, test = split(jax.random.key(0), 1797, (0.6, 0.2, 0.2))
      >>> len(train), len(dev), len(test)
      (1078, 359, 360)
    """
    check_key("split", key)
    check_integer("split", "n", n, low=2)
    _check_fractions(fractions)
    sizes = _sizes(n, fractions)
    _check_no_empty_part(sizes, n, fractions)
    if labels is not None and groups is not None:
        advice = "Leave one of them out; of few groups, choose the parts by hand."
        fail("split", "`labels` and `groups` exclude each other", "got both", advice)
    order = np.asarray(jax.random.permutation(key, n))
    if labels is not None:
        codes = _codes("labels", labels, n)[1]
        part_in_order = _stratified(codes[order], fractions, sizes)
    elif groups is not None:
        names, codes = _codes("groups", groups, n)
        turns = np.asarray(jax.random.uniform(jax.random.fold_in(key, 1), (_DEALS, 64)))
        part_in_order = deal_groups(codes[order], names, sizes, turns)
    else:
        part_in_order = np.repeat(np.arange(len(sizes)), sizes)
    return tuple(order[part_in_order == part] for part in range(len(sizes)))


def suggest_split(m: int, *, variant: str = "even") -> tuple[float, float, float]:
    """Suggest shares for train, dev and test by the number of examples.

    What counts is the number of dev and test examples, since the standard error of an error
    rate `p` on `n` of them is `sqrt(p * (1 - p) / n)`. So their share shrinks as `m` grows:
    60/20/20 up to 10 000 examples, 98/1/1 up to a million, 99.5/0.25/0.25 above.

    Args:
      m: number of examples, at least 3.
      variant: `"even"`, or `"larger_dev"` for 99.5/0.4/0.1 above a million.

    Returns:
      Three fractions for `split`; their sum is 1.

    Raises:
      TypeError: if `m` is not an integer.
      ValueError: if `m` is below 3 or `variant` is unknown.

    Examples:
      >>> suggest_split(1797)
      (0.6, 0.2, 0.2)
    """
    check_integer("suggest_split", "m", m, low=3)
    check_choice("suggest_split", "variant", variant, (_EVEN, _LARGER_DEV))
    if m <= 10_000:
        return (0.6, 0.2, 0.2)
    if m <= 1_000_000:
        return (0.98, 0.01, 0.01)
    return (0.995, 0.0025, 0.0025) if variant == _EVEN else (0.995, 0.004, 0.001)


def _check_fractions(fractions: Sequence[float]) -> None:
    if len(fractions) < 2:
        came = f"got {len(fractions)}"
        fail("split", "`fractions` must hold at least two", came, "Pass for example (0.8, 0.2).")
    for index, fraction in enumerate(fractions):
        check_number("split", f"fractions[{index}]", fraction, low=0.0, low_open=True)
    total = math.fsum(float(fraction) for fraction in fractions)
    if abs(total - 1.0) > 1e-9:
        came = f"got {tuple(fractions)} with sum {total:.12g}"
        fail("split", "`fractions` must sum to 1", came, "Change them so that no example is lost.")


def _check_no_empty_part(sizes: np.ndarray, n: int, fractions: Sequence[float]) -> None:
    for part, size in enumerate(sizes):
        if size == 0:
            came = f"got none for part {part} (fraction {fractions[part]:g} of {n} examples)"
            advice = "Raise its fraction, leave it out or bring more data."
            fail("split", "every part must get at least one example", came, advice)


def _sizes(n: int, fractions: Sequence[float]) -> np.ndarray:
    """Round `n * fractions` to integers that sum to `n`, by largest remainder."""
    floors, remainders = _floors(np.array([n]), fractions)
    # Reversed, so that the stable sort gives ties to the later part.
    by_remainder = len(fractions) - 1 - np.argsort(-remainders[0, ::-1], kind="stable")
    sizes = floors[0]
    sizes[by_remainder[: n - sizes.sum()]] += 1
    return sizes


def _floors(counts: np.ndarray, fractions: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """Return the floors of `counts[:, None] * fractions` and what they leave, both (rows, parts).

    In floating point 0.29 * 100 is 28.999999999999996 and means 29, and equal remainders such as
    those of 0.6 and 3.6 differ in the last digit; both are rounded so that ties are ties.
    """
    exact = np.asarray(fractions, np.float64) / math.fsum(fractions)
    shares = np.round(counts[:, None] * exact[None, :], 9)
    floors = np.floor(shares).astype(np.int64)
    return floors, np.round(shares - floors, 9)


def _codes(name: str, values: ArrayLike, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the different values, sorted, and the position of every example's among them."""
    values = np.asarray(values)
    check_shape("split", name, values, (n,))
    if values.dtype.kind not in "iubU":
        came = f"got dtype {values.dtype}"
        advice = f"Leave them out to split without regard to {name}."
        rule = f"`{name}` must be integers or strings"
        fail("split", rule, came, advice, kind=TypeError)
    return np.unique(values, return_inverse=True)


def _stratified(codes: np.ndarray, fractions: Sequence[float], sizes: np.ndarray) -> np.ndarray:
    """Return the part of every example, `(n,)`, given its class.

    Each class first gets the floor of its shares. What is left of a class goes, one example
    each, to the parts that lack most, which fills all parts exactly (Gale and Ryser).
    """
    table, remainders = _floors(np.bincount(codes), fractions)
    lacking = sizes - table.sum(axis=0)
    for row, left in enumerate(np.bincount(codes) - table.sum(axis=1)):
        chosen = np.lexsort((-remainders[row], -lacking))[:left]
        table[row, chosen] += 1
        lacking[chosen] -= 1
    part = np.empty(len(codes), np.int64)
    parts = np.tile(np.arange(len(sizes)), len(table))
    part[np.argsort(codes, kind="stable")] = np.repeat(parts, table.ravel())
    return part
