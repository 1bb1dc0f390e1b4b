"""Looks at one point: asks every opinion about every entry and judges."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from . import _components, _differences, _noise, _rounding, _verdict
from ._components import Base
from ._evaluate import Evaluator
from ._subject import Gradient, Subject
from ._units import units
from ._verdict import FAIL, PASS, Opinions

CONFIRMED = 64
"""Of the entries that only the stripped program accuses, so many are differenced as well."""
ELSEWHERE = 10.0
"""Factor on the error bars at further points: a bug that shows only there is not that small."""
LARGE = -2
"""Exponent of the first step that leaves the neighborhood of a point."""


class Witnesses(NamedTuple):
    """The further opinions, compiled once for all points.

    Attributes:
      stripped: the gradient without any rule of the user's; None if it is `gradient` itself.
      permitted: the gradient with the allowed rules alone; None if there are none.
      evaluator: values of the function.
      width: float64 numbers that one value needs.
    """

    stripped: Gradient | None
    permitted: Gradient | None
    evaluator: Evaluator
    width: int


class Finding(NamedTuple):
    """What is known at one point.

    Attributes:
      name: of the point.
      base: the point, its units, the value and the noise there.
      known: the opinions.
      status: of every entry, `(size,)`.
      differenced: positions that were compared one by one.
      directions: how many random directions were compared.
      unstripped: why there is no opinion without rules; empty if there is one.
    """

    name: str
    base: Base
    known: Opinions
    status: np.ndarray
    differenced: np.ndarray
    directions: int
    unstripped: str

    @property
    def failed(self) -> bool:
        """Whether any entry fails."""
        return bool(np.any(self.status == FAIL))


def look(
    subject: Subject,
    witnesses: Witnesses,
    name: str,
    point: np.ndarray,
    random: np.random.Generator,
    components: str | int | None,
) -> Finding:
    """Collect every opinion at `point`.

    Args:
      subject: what is checked.
      witnesses: the other opinions.
      name: what to call the point.
      point: `(size,)`.
      random: source of directions and samples.
      components: as in `check_gradients`; None to difference only what looks wrong.
    """
    base = _base(subject, witnesses.evaluator, point, random)
    g = subject.gradient(point)
    roundoff = subject.paths.roundoff
    rounding = _rounding.of_gradient(subject.gradient, point, g, random, roundoff)
    if components is None:
        rounding += _rounding.lenient(subject.problem.slices, g, base.unit)
    known = _verdict.opinions(g, rounding, base.unit, base.value)
    unstripped = _ask_stripped(witnesses, known, base, random, roundoff)
    suspects = _suspects(known)
    slices = subject.problem.slices
    chosen = suspects[:CONFIRMED]
    if components is not None:
        sample = _components.choose(slices, g, witnesses.width, components, random)
        chosen = np.union1d(sample, chosen)
    elif not np.any(np.isfinite(known.stripped)):
        chosen = _components.choose(slices, g, witnesses.width, 8 * len(slices), random)
    chosen = chosen.astype(int)
    difference(witnesses.evaluator, known, base, chosen, near=subject.paths.loops)
    directions = 0
    if components is not None and chosen.size < g.size and np.all(np.isfinite(g)):
        directions, extra = _components.search_directions(
            witnesses.evaluator, base, g, rounding, slices, random
        )
        extra = np.setdiff1d(extra, chosen)
        difference(witnesses.evaluator, known, base, extra, near=subject.paths.loops)
        chosen = np.union1d(chosen, extra)
    if components is None:
        known.bar[:] *= ELSEWHERE
    status = _verdict.judge(known)
    _acquit(subject, known, status, np.setdiff1d(suspects, chosen), chosen)
    return Finding(name, base, known, status, chosen, directions, unstripped)


def difference(
    evaluator: Evaluator, known: Opinions, base: Base, positions: np.ndarray, *, near: bool
) -> None:
    """Take differences at some positions, with more rungs where the first leave doubt.

    Args:
      evaluator: values of the function.
      known: where to write the slopes, and whom to doubt.
      base: the point.
      positions: sorted entries of the flat vector.
      near: take no large steps, because a loop might not end far away.
    """
    if positions.size == 0:
        return
    climb: Callable = _differences.climb
    point, unit = base.point, base.unit
    ladder = climb(evaluator, point, unit, positions, positions + 1, _differences.FIRST)
    known.record(positions, _differences.slopes(ladder, base.value, base.noise))
    for exponents in _differences.FURTHER:
        left = _verdict.unsettled(known, positions)
        if left.size == 0:
            return
        allowed = tuple(e for e in exponents if e < LARGE or not near)
        more = climb(evaluator, point, unit, left, left + 1, allowed)
        ladder = ladder.of(np.isin(positions, left)).merged(more)
        positions = left
        known.record(positions, _differences.slopes(ladder, base.value, base.noise))


def _base(
    subject: Subject, evaluator: Evaluator, point: np.ndarray, random: np.random.Generator
) -> Base:
    unit = units(point, subject.problem.slices)
    direction = unit * random.choice([-1.0, 1.0], point.size)
    value, noise = _noise.measure(
        evaluator,
        point,
        direction,
        roundoff=subject.paths.roundoff,
        iterative=subject.paths.iterative or subject.problem.on_host,
    )
    return Base(point, unit, value, noise)


def _ask_stripped(
    witnesses: Witnesses,
    known: Opinions,
    base: Base,
    random: np.random.Generator,
    roundoff: float,
) -> str:
    """Fill in the opinions of the stripped program; say why if it has none."""
    if witnesses.stripped is None:
        known.stripped[:] = known.gradient
        return ""
    try:
        found = witnesses.stripped(base.point)
    except Exception as error:  # a while loop has no reverse mode, and libraries refuse variously
        return str(error).splitlines()[0] if str(error) else type(error).__name__
    known.stripped[:] = found
    doubt = _rounding.of_gradient(witnesses.stripped, base.point, found, random, roundoff)
    known.doubt[:] = np.where(np.isfinite(doubt), doubt, 0.0)
    if witnesses.permitted is not None:
        permitted = witnesses.permitted(base.point)
        changed = ~(np.abs(permitted - found) <= known.doubt + known.rounding)
        known.permitted[changed] = permitted[changed]
    return ""


def _suspects(known: Opinions) -> np.ndarray:
    """Positions where gradient and stripped program differ, the worst first."""
    with np.errstate(all="ignore"):
        gap = np.abs(known.gradient - known.stripped) / np.fmax(
            np.abs(known.gradient), np.abs(known.stripped)
        )
        differs = np.isfinite(known.stripped) & ~_verdict.agrees(known, known.stripped)
    found = np.flatnonzero(differs | ~np.isfinite(known.gradient))
    return found[np.argsort(-np.nan_to_num(gap[found], nan=np.inf))]


def _acquit(
    subject: Subject,
    known: Opinions,
    status: np.ndarray,
    accused: np.ndarray,
    differenced: np.ndarray,
) -> None:
    """Drop accusations of the stripped program in leaves where differences refuted them."""
    tested = differenced[~_verdict.agrees(known, known.stripped)[differenced]]
    for piece in subject.problem.slices:
        here = tested[(tested >= piece.start) & (tested < piece.stop)]
        if here.size and np.all(status[here] == PASS):
            others = accused[(accused >= piece.start) & (accused < piece.stop)]
            status[others[np.isfinite(known.gradient[others])]] = PASS
