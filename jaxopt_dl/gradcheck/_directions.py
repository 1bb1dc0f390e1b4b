"""Random directions stand for the entries that are not differenced one by one.

Each lies within one leaf. Where no opinion explains the slope along it, bisection follows the
disagreement to single entries (group testing). What is known to be wrong is held fixed, so that
only further faults are looked for.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from . import _differences, _verdict
from ._components import Base
from ._differences import Slopes
from ._evaluate import Evaluator
from ._slices import Slice
from ._verdict import Opinions

SPLIT = 8
LEAST, MOST = 4, 32
"""Ranges that bisection follows at once: those that are furthest off, as many as affordable."""
MOSTLY = 0.5
"""Where this share of the differenced entries is wrong, bisection would end at every entry."""
AGREEMENT = 1e-8
VOUCHING = 1e-4
"""A bar up to this share of an ordinary slope lets a direction speak for its entries."""


class Claim(NamedTuple):
    """What an opinion says about every entry; both `(size,)`.

    Attributes:
      gradient: its values, finite.
      doubt: how far rounding alone moves them.
    """

    gradient: np.ndarray
    doubt: np.ndarray


class Search(NamedTuple):
    """What random directions, one per leaf, have shown.

    Attributes:
      entries: sorted positions of single entries that no opinion explains.
      explained: whether an opinion explains the slope, one flag per leaf.
      sharp: whether the slope was sure enough to vouch for the leaf, one flag per leaf.
    """

    entries: np.ndarray
    explained: np.ndarray
    sharp: np.ndarray


def search(
    evaluator: Evaluator,
    known: Opinions,
    base: Base,
    slices: Sequence[Slice],
    affordable: int,
    random: np.random.Generator,
) -> Search:
    """Compare one random direction within every leaf, and bisect those that nothing explains.

    Args:
      evaluator: values of the function.
      known: the opinions, differences included where they were taken.
      base: the point.
      slices: the leaves.
      affordable: how many slopes may be taken.
      random: source of the directions; of random lengths, so that errors do not cancel.
    """
    low = np.array([piece.start for piece in slices])
    high = np.array([piece.stop for piece in slices])
    claims = _claims(known)
    wrong = _unexplained(known, claims)
    held = wrong | ~np.isfinite(known.gradient)
    lengths = random.uniform(0.5, 1.5, held.shape) * random.choice([-1.0, 1.0], held.shape)
    moving = base._replace(unit=np.where(held, 0.0, base.unit * lengths))
    slopes = _slopes(evaluator, moving, low, high)
    misfit = _misfit(slopes, claims, moving.unit, low, high)
    size = np.maximum(np.abs(claims[0].gradient), known.floor) * np.abs(moving.unit)
    typical = np.array([np.linalg.norm(size[a:b]) for a, b in zip(low, high, strict=True)])
    sharp = slopes.bar <= VOUCHING * typical
    worst = np.argsort(-misfit)[:MOST]
    worst = worst[(misfit[worst] > 1) & (_share(wrong, known, low, high)[worst] < MOSTLY)]
    each = affordable // max(worst.size, 1)
    entries = [_bisect(evaluator, moving, claims, each, int(low[i]), int(high[i])) for i in worst]
    return Search(np.sort(np.concatenate([*entries, []]).astype(int)), misfit <= 1, sharp)


def _claims(known: Opinions) -> list[Claim]:
    """The gradient's, and that of the stripped program where it differs."""
    own = np.where(np.isfinite(known.gradient), known.gradient, 0.0)
    other = np.where(np.isfinite(known.stripped), known.stripped, own)
    claims = [Claim(own, np.nan_to_num(known.rounding))]
    return claims if np.array_equal(own, other) else [*claims, Claim(other, known.doubt)]


def _unexplained(known: Opinions, claims: Sequence[Claim]) -> np.ndarray:
    """Where differences contradict every claim about a finite gradient, `(size,)`."""
    with np.errstate(all="ignore"):
        apart = [
            np.abs(known.slope - claim.gradient)
            > known.bar + claim.doubt + _verdict.TOLERANCE * np.abs(known.slope)
            for claim in claims
        ]
    return np.all(apart, axis=0) & ~known.kinked & np.isfinite(known.gradient)


def _share(wrong: np.ndarray, known: Opinions, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Share of the differenced entries that are wrong, per range."""
    seen = np.isfinite(known.bar) & np.isfinite(known.gradient)
    ranges = list(zip(low, high, strict=True))
    counts = np.array([np.sum(seen[a:b]) for a, b in ranges])
    return np.array([np.sum(wrong[a:b]) for a, b in ranges]) / np.maximum(counts, 1)


def _bisect(
    evaluator: Evaluator,
    base: Base,
    claims: Sequence[Claim],
    affordable: int,
    start: int,
    stop: int,
) -> np.ndarray:
    """Follow disagreement within a leaf down to single entries: group testing with masks."""
    levels = np.ceil(np.log(max(stop - start, 2)) / np.log(SPLIT))
    followed = int(np.clip(affordable / (2 * SPLIT * levels), LEAST, MOST))
    low, high = np.array([start]), np.array([stop])
    found = []
    while low.size:
        found.append(low[high - low == 1])
        low, high = _split(low, high, base.unit)
        slopes = _slopes(evaluator, base, low, high)
        misfit = _misfit(slopes, claims, base.unit, low, high)
        worst = np.argsort(-misfit)[:followed]
        worst = worst[misfit[worst] > 1]
        low, high = low[worst], high[worst]
    return np.concatenate(found)


def _slopes(evaluator: Evaluator, base: Base, low: np.ndarray, high: np.ndarray) -> Slopes:
    """Slopes along each range, per unit step."""
    ladder = _differences.climb(evaluator, base.point, base.unit, low, high, _differences.FIRST)
    slopes = _differences.slopes(ladder, base.value, base.noise)
    factor = np.where(high - low == 1, base.unit[low], 1.0)  # single entries come per parameter
    size = np.abs(factor)
    return Slopes(
        slopes.slope * factor,
        slopes.bar * size,
        slopes.left * factor,
        slopes.right * factor,
        slopes.kinked,
    )


def _misfit(
    slopes: Slopes, claims: Sequence[Claim], unit: np.ndarray, low: np.ndarray, high: np.ndarray
) -> np.ndarray:
    """How many error bars each range is away from the claim that comes nearest."""
    return np.min([_bars_away(slopes, claim, unit, low, high) for claim in claims], axis=0)


def _bars_away(
    slopes: Slopes, claim: Claim, unit: np.ndarray, low: np.ndarray, high: np.ndarray
) -> np.ndarray:
    ranges = list(zip(low, high, strict=True))
    along = [claim.gradient[a:b] * unit[a:b] for a, b in ranges]
    doubt = [np.sum(claim.doubt[a:b] * np.abs(unit[a:b])) for a, b in ranges]
    expected = np.array([np.sum(part) for part in along])
    room = slopes.bar + doubt + AGREEMENT * np.array([np.linalg.norm(part) for part in along])
    below = np.minimum(slopes.left, slopes.right) - expected
    above = expected - np.maximum(slopes.left, slopes.right)
    away = np.abs(slopes.slope - expected)
    away = np.where(slopes.kinked, np.minimum(away, np.maximum(below, above)), away)
    with np.errstate(all="ignore"):
        return np.where(np.isfinite(room), away / room, 0.0)


def _split(low: np.ndarray, high: np.ndarray, unit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cut ranges longer than one into pieces, leaving out those in which nothing moves."""
    long = high - low > 1
    pieces = [
        np.unique(np.linspace(a, b, SPLIT + 1).round().astype(int))
        for a, b in zip(low[long], high[long], strict=True)
    ]
    starts = np.concatenate([piece[:-1] for piece in pieces] or [np.array([], int)])
    stops = np.concatenate([piece[1:] for piece in pieces] or [np.array([], int)])
    moves = [bool(np.any(unit[a:b])) for a, b in zip(starts, stops, strict=True)]
    return starts[moves], stops[moves]
