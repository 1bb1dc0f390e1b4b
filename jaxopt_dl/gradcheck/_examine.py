"""Looks at one point: asks every opinion about every entry and judges."""

from typing import NamedTuple

import numpy as np

from . import _appeals, _components, _directions, _noise, _rounding, _verdict
from ._components import Base, difference
from ._evaluate import Evaluator
from ._review import Roundings, beyond_rounding, review
from ._subject import Gradient, Subject, Traced
from ._units import units
from ._verdict import FAIL, PASS, Opinions

CONFIRMED = 64
"""Of the entries that only the stripped program accuses, so many are differenced as well."""
ROUNDS = 3
"""Random directions in a leaf; further ones only where the last left something unexplained."""
ELSEWHERE = 10.0
"""Factor on the error bars at further points: a bug that shows only there is not that small."""


class Witnesses(NamedTuple):
    """The further opinions, compiled once for all points.

    Attributes:
      stripped: the gradient without any rule of the user's; None if it is `gradient` itself.
      permitted: the gradient with the allowed rules alone; None if there are none.
      evaluator: values of the function.
      width: float64 numbers that one value needs.
      roundings: rounding errors of all of them.
    """

    stripped: Traced | Gradient | None
    permitted: Gradient | None
    evaluator: Evaluator
    width: int
    roundings: Roundings


class Finding(NamedTuple):
    """What is known at one point.

    Attributes:
      name: of the point.
      base: the point, its units, the value and the noise there.
      known: the opinions.
      status: of every entry, `(size,)`.
      differenced: positions that were compared one by one.
      directions: how many random directions were compared.
      unexplained: numbers of the leaves in which more entries than those listed are wrong.
      unstripped: why there is no opinion without rules; empty if there is one.
      heard: what speaks for entries that differences alone would reject, one sentence each.
    """

    name: str
    base: Base
    known: Opinions
    status: np.ndarray
    differenced: np.ndarray
    directions: int
    unexplained: tuple[int, ...]
    unstripped: str
    heard: tuple[str, ...]

    @property
    def failed(self) -> bool:
        """Whether any entry fails."""
        return bool(np.any(self.status == FAIL))

    def without_numbers(self) -> "Finding":
        """Return what is told of a further point where nothing is wrong: that it was visited.

        The numbers of many points would fill memory.
        """
        nowhere = np.zeros(0, int)
        point, unit = self.base.point[nowhere], self.base.unit[nowhere]
        return self._replace(
            base=self.base._replace(point=point, unit=unit),
            known=self.known.at(nowhere),
            status=self.status[nowhere],
            differenced=nowhere,
        )


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
    base = base_at(subject, witnesses.evaluator, point, random)
    g = subject.gradient(point)
    roundoff = subject.paths.roundoff
    rounding = _rounding.of_gradient(subject.gradient, point, g, random, roundoff)
    if components is None:
        rounding += _rounding.lenient(subject.problem.slices, g, base.unit)
    known = _verdict.opinions(g, rounding, base.unit, base.value)
    unstripped = _ask_stripped(witnesses, known, base, random, roundoff)
    suspects = _suspects(known)
    slices = subject.problem.slices
    chosen = _components.some_of_each(suspects, slices, CONFIRMED)
    if components is not None:
        sample = _components.choose(slices, g, witnesses.width, components, random)
        chosen = np.union1d(sample, chosen)
    elif not np.any(np.isfinite(known.stripped)):
        chosen = _components.choose(slices, g, witnesses.width, 8 * len(slices), random)
    chosen = chosen.astype(int)
    difference(witnesses.evaluator, known, base, chosen, slices, near=subject.near)
    directions, unexplained = 0, ()
    if components is not None and chosen.size < g.size:
        chosen, directions, unexplained = _search(subject, witnesses, known, base, chosen, random)
    caution = ELSEWHERE if components is None else 1.0
    known.bar[:] *= caution
    _appeals.withdraw_excuses(subject, base, known)
    heard = _appeals.hear(subject, witnesses.evaluator, base, known, _verdict.judge(known))
    status = _verdict.judge(known)
    if np.any(status == FAIL) and not heard.jumps and not beyond_rounding(known, status):
        failing = chosen[status[chosen] == FAIL]
        base = review(
            subject, witnesses.evaluator, witnesses.roundings, base, known, failing, caution
        )
        _appeals.withdraw_excuses(subject, base, known)
        status = _verdict.judge(known)
    _acquit(subject, known, status, suspects, chosen)
    return Finding(
        name, base, known, status, chosen, directions, unexplained, unstripped, heard.notes
    )


def glance(
    subject: Subject,
    witnesses: Witnesses,
    name: str,
    point: np.ndarray,
    random: np.random.Generator,
) -> Finding:
    """Look at a further point, closely only if gradient and stripped program differ there.

    Args:
      subject: what is checked.
      witnesses: the other opinions.
      name: what to call the point.
      point: `(size,)`.
      random: source of directions and samples.
    """
    slices, g = subject.problem.slices, subject.gradient(point)
    unit, value = units(point, slices), witnesses.evaluator.value(point)
    known = _verdict.opinions(g, _rounding.lenient(slices, g, unit), unit, value)
    try:
        known.stripped[:] = g if witnesses.stripped is None else witnesses.stripped(point)
    except Exception:  # said by the closer look
        return look(subject, witnesses, name, point, random, None)
    status = _verdict.judge(known)
    if np.any(status != PASS):
        return look(subject, witnesses, name, point, random, None)
    base, nowhere = Base(point, unit, value, 0.0), np.zeros(0, int)
    return Finding(name, base, known, status, nowhere, 0, (), "", ())


def _search(
    subject: Subject,
    witnesses: Witnesses,
    known: Opinions,
    base: Base,
    chosen: np.ndarray,
    random: np.random.Generator,
) -> tuple[np.ndarray, int, tuple[int, ...]]:
    """Look for further wrong entries along random directions.

    Returns:
      All positions that were differenced, how many directions were compared, and the leaves in
      which there is more to be found.
    """
    slices = subject.problem.slices
    affordable = _components.affordable(witnesses.width)
    directions, open_leaves = 0, np.arange(len(slices))
    for _ in range(ROUNDS):
        pieces = [slices[leaf] for leaf in open_leaves]
        search = _directions.search(witnesses.evaluator, known, base, pieces, affordable, random)
        extra = np.setdiff1d(search.entries, chosen)
        difference(witnesses.evaluator, known, base, extra, slices, near=subject.near)
        chosen = np.union1d(chosen, extra)
        directions += open_leaves.size
        for piece, vouched in zip(pieces, search.explained & search.sharp, strict=True):
            known.vouched[piece.start : piece.stop] = vouched
        open_leaves = open_leaves[~search.explained]
        if open_leaves.size == 0:
            break
    return chosen, directions, tuple(int(leaf) for leaf in open_leaves)


def base_at(
    subject: Subject, evaluator: Evaluator, point: np.ndarray, random: np.random.Generator
) -> Base:
    """Measure the value, the noise and the units at a point."""
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
    suspects: np.ndarray,
    differenced: np.ndarray,
) -> None:
    """Drop accusations of the stripped program in leaves where differences refuted them."""
    seen, accused = np.zeros((2, status.size), bool)
    seen[differenced], accused[suspects] = True, True
    accused &= ~seen & np.isfinite(known.gradient)
    tested = seen & ~_verdict.agrees(known, known.stripped)
    for piece in subject.problem.slices:
        here = slice(piece.start, piece.stop)
        if np.any(tested[here]) and np.all(status[here][tested[here]] == PASS):
            status[here][accused[here]] = PASS
