"""What may speak for a gradient that disagrees with differences.

A library may stop a gradient on purpose, as a dropout layer does with its rate: that is its own
business and no fault of the user's. Where the loss jumps, or its slope is infinite on one side,
the gradient may be the slope of the other side, to which the value belongs. And where several
kinks meet, as in a median of equal numbers, it may be the gradient of one of the smooth pieces
around, although no single entry moves along that piece.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from jaxopt_dl._core import jaxpr
from jaxopt_dl._core.jaxpr import Place

from . import _differences, _verdict
from ._components import Base
from ._edges import edges
from ._evaluate import Evaluator
from ._nonfinite import gradient_without
from ._rules import STOP, Rule, find_rules
from ._subject import Subject
from ._verdict import FAIL, Opinions
from ._words import leaf_name, listed

SAMPLERS = ("random_gamma",)
"""Operations whose derivative belongs to the distribution they draw from, not to the numbers."""
RUNGS = tuple(range(-8, -30, -2))
HEARD = 64
"""Entries that are differenced again."""
NEIGHBORS, AWAY = 12, 2.0**-16
"""Further points, and their distance in units of each entry."""
FINE_RUNGS = tuple(range(-22, -32, -2))
ALIKE, SURE = 2.0**-10, 1e-4
"""Relative: gradients of one smooth piece, and a gradient that differences confirm."""


class Heard(NamedTuple):
    """What the appeals brought to light.

    Attributes:
      notes: what speaks for entries that differences alone would reject, one sentence each.
      jumps: whether the loss jumps at the point.
    """

    notes: tuple[str, ...]
    jumps: bool


def hear(
    subject: Subject, evaluator: Evaluator, base: Base, known: Opinions, status: np.ndarray
) -> Heard:
    """Change the opinions on failing entries where something speaks for them, and say what."""
    notes, settled, jumps = _slopes_of_one_side(subject, evaluator, base, known)
    failing = (status == FAIL) & np.isfinite(known.gradient) & ~settled
    if np.any(failing):
        notes += _choices_of_libraries(subject, base.point, known, failing)
        notes += _slopes_of_a_neighbor(subject, evaluator, base, known, failing)
    return Heard(tuple(dict.fromkeys(notes)), jumps)


def withdraw_excuses(subject: Subject, base: Base, known: Opinions) -> None:
    """Take back what rounding would excuse where the gradient jumps at the very point.

    There a change by rounding alone moves it a lot, and yet it is exact on each side: a point
    beside has the gradient that differences find, and the given one has another.
    """
    with np.errstate(all="ignore"):
        low, high = (f([known.slope, known.left, known.right], axis=0) for f in (np.min, np.max))
        low, high = np.where(known.kinked, [low, high], known.slope)
        size = np.fmax(np.abs(known.gradient), np.fmax(np.abs(low), np.abs(high)))
        size = np.maximum(size, known.floor)
        far = _distance(known.gradient, low, high) > known.bar + _verdict.COARSE * size
        excused = far & (known.rounding + known.doubt > _verdict.COARSE * size)
        if not np.any(excused):
            return
        for _, gradient in _neighbors(subject, base):
            exact = excused & (_distance(gradient, low, high) <= known.bar + SURE * size)
            known.rounding[exact] = known.doubt[exact] = 0.0


def _distance(value: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    return np.maximum(np.maximum(low - value, value - high), 0.0)


def _choices_of_libraries(
    subject: Subject, point: np.ndarray, known: Opinions, failing: np.ndarray
) -> list[str]:
    """Permit what only differs from the function because a library wants it so."""
    with np.errstate(all="ignore"):
        as_chosen = failing & _verdict.agrees(known, known.stripped)
    if not np.any(as_chosen):
        return []
    notes = []
    for choice in _choices(subject, point, known):
        if np.any(moved := as_chosen & choice.moves(known)):
            known.permitted[moved] = known.stripped[moved]
            leaves = listed([leaf_name(path) for path in subject.leaves_with(moved)])
            place = choice.place
            notes.append(
                f"`{choice.name}` inside a library, which {place.function} calls at "
                f"{place.file}:{place.line}, gives {leaves} another gradient than the function "
                "has; such a choice of a library is accepted"
            )
    return notes


class _Choice(NamedTuple):
    """Something a library does to a gradient on purpose, and the gradients with and without it."""

    name: str
    place: Place
    kept: np.ndarray
    dropped: np.ndarray

    def moves(self, known: Opinions) -> np.ndarray:
        with np.errstate(all="ignore"):
            gap = np.abs(self.kept - self.dropped)
            size = np.fmax(np.abs(self.kept), np.abs(self.dropped))
            return gap > known.rounding + known.doubt + _verdict.TOLERANCE * size


def _choices(subject: Subject, point: np.ndarray, known: Opinions) -> Iterator[_Choice]:
    """Yield the choices one by one, but only if all of them together change anything."""

    def without(*rules: Rule) -> _Choice:
        dropped = subject.stripped_of([*subject.rules, *rules])(point)
        return _Choice(rules[0].name, rules[0].place, known.stripped, dropped)

    library = find_rules(subject.program, trusted=True)
    chosen = [rule for rule in library if rule.name == STOP or rule.name in subject.allow]
    if chosen and np.any(without(*chosen).moves(known)):
        yield from map(without, chosen)
    for site in jaxpr.walk(subject.program):
        if site.equation.primitive.name in SAMPLERS:
            dropped = gradient_without(subject, site.equation)(point)
            yield _Choice("random", site.place, subject.automatic(point), dropped)


def _slopes_of_one_side(
    subject: Subject, evaluator: Evaluator, base: Base, known: Opinions
) -> tuple[list[str], np.ndarray, bool]:
    """Record a kink where the gradient is the slope of one side and the other side has none.

    Returns:
      What to say, the entries that are settled by it, and whether the loss jumps at some of them
      where the gradient is the slope of neither side.
    """
    with np.errstate(all="ignore"):
        blunt = known.bar > _verdict.COARSE * np.abs(known.slope)
        far = np.abs(known.gradient - known.slope) > known.bar + known.rounding
    heard = np.flatnonzero(blunt & far)[:HEARD]
    if heard.size == 0:
        return [], np.zeros(known.slope.shape, bool), False
    ladder = _differences.climb(evaluator, base.point, base.unit, heard, heard + 1, RUNGS)
    jumps = heard[_jumps(ladder.above - base.value) | _jumps(ladder.below - base.value)]
    known.kinked[jumps] = True
    known.left[jumps] = known.right[jumps] = np.nan  # no slope at all, unless found below
    found = np.zeros(known.slope.shape, bool)
    changes = (ladder.below - base.value, ladder.above - base.value)
    for side, (slope, bar) in enumerate(_differences.sides(ladder, base.value, base.noise)):
        beyond = _steepness(changes[1 - side], ladder.steps, base.noise)
        entries = heard[_is_slope(known.gradient[heard], slope, bar, beyond)]
        found[entries] = known.kinked[entries] = True
        (known.left, known.right)[side][entries] = known.gradient[entries]
        (known.right, known.left)[side][entries] = np.inf
    notes = [_one_sided_note(subject, base, found)] if np.any(found) else []
    lost = not np.all(found[jumps])
    found[jumps] = True
    return notes, found, lost


def _jumps(change: np.ndarray) -> np.ndarray:
    """Whether the change of the value stays the same however small the step, `(n,)`."""
    finest = change[len(RUNGS) // 2 :]
    middle = np.abs(np.median(finest, axis=0))
    return (np.ptp(finest, axis=0) <= ALIKE * middle) & (middle > 0)


def _one_sided_note(subject: Subject, base: Base, found: np.ndarray) -> str:
    note = f"the loss jumps, or is infinitely steep, on one side of {_first(subject, found)}"
    for edge in edges(subject, base, found)[:1]:
        place = edge.site.place
        note += f", where `{jaxpr.name_of(edge.site.equation)}` at {place.file}:{place.line} "
        note += "changes its answer"
    return f"{note}; the gradient is the slope of the other side"


def _steepness(change: np.ndarray, steps: np.ndarray, noise: float) -> np.ndarray:
    """The slope over the finest step, 0 where noise could make it, `(n,)`."""
    sure = np.abs(change[-1]) > 1e3 * noise
    return np.where(sure, np.abs(change[-1] / steps[-1]), 0.0)


def _is_slope(
    gradient: np.ndarray, slope: np.ndarray, bar: np.ndarray, beyond: np.ndarray
) -> np.ndarray:
    """Whether the gradient is the slope of one side, and the other side is beyond all measure."""
    size = np.fmax(np.abs(gradient), np.abs(slope))
    near = np.abs(gradient - slope) <= bar + _verdict.SHARP * size
    return near & (beyond > np.maximum(size, bar) / _verdict.COARSE)


def _slopes_of_a_neighbor(
    subject: Subject, evaluator: Evaluator, base: Base, known: Opinions, failing: np.ndarray
) -> list[str]:
    """Record a kink where a point nearby has the same gradient, and differences confirm it there.

    Asked only where the gradient changes nearby. A wrong one is as wrong in the neighborhood: where
    none of many entries is confirmed, no other neighbor is asked.
    """
    nearby = _neighbors(subject, base)
    with np.errstate(all="ignore"):
        alike = [np.isclose(g, known.gradient, rtol=ALIKE, atol=0) for _, g in nearby]
    if not nearby:
        return []
    left = failing & ~np.all(alike, axis=0) & np.any(alike, axis=0)
    found = np.zeros(failing.shape, bool)
    for (point, gradient), same in zip(nearby, alike, strict=True):
        heard = np.flatnonzero(left & same & ~found)[:HEARD]
        if heard.size:
            there = base._replace(point=point, value=evaluator.value(point))
            confirmed = _is_confirmed(evaluator, there, gradient, known.floor, heard)
            found[heard[confirmed]] = True
            if heard.size == HEARD and not np.any(confirmed):
                break
    known.kinked[found] = True
    known.left[found] = known.right[found] = known.gradient[found]
    if not np.any(found):
        return []
    return [
        f"several kinks meet at {_first(subject, found)}; the gradient is that of a smooth piece "
        "of the loss beside it"
    ]


def _neighbors(subject: Subject, base: Base) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return points nearby and the gradients there; none if it is known at one point only."""
    if subject.only_here:
        return []
    random = np.random.default_rng(0)
    shifts = AWAY * base.unit * random.uniform(-1.0, 1.0, (NEIGHBORS, base.unit.size))
    return [(point, subject.gradient(point)) for point in base.point + shifts]


def _is_confirmed(
    evaluator: Evaluator, base: Base, gradient: np.ndarray, floor: np.ndarray, heard: np.ndarray
) -> np.ndarray:
    """Whether differences in the smooth piece around a point agree with the gradient there."""
    ladder = _differences.climb(evaluator, base.point, base.unit, heard, heard + 1, FINE_RUNGS)
    found = _differences.slopes(ladder, base.value, base.noise)
    size = np.abs(gradient[heard])
    near = np.abs(found.slope - gradient[heard]) <= found.bar + SURE * size
    return near & (found.bar <= SURE * np.where(size > 0, size, floor[heard]))


def _first(subject: Subject, entries: np.ndarray) -> str:
    position = int(np.flatnonzero(entries)[0])
    piece = next(s for s in subject.problem.slices if s.start <= position < s.stop)
    more = int(np.sum(entries)) - 1
    return (piece.entry(position) or "the parameter") + (f" and {more} more" if more else "")
