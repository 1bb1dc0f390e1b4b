"""The subject with its inner solvers run until they have converged, as a witness of its own.

A right implicit rule gives the slope of the solution. A solver that stops at a loose tolerance
returns something else, and a solution of a linear system may enter the gradient as loosely. Both
become the same where the solvers run on; a wrong rule stays wrong.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxopt_dl._core.jaxpr import Program
from jaxopt_dl._core.types import Array

from . import _rounding, _verdict
from ._components import difference, some_of_each
from ._evaluate import Evaluator
from ._examine import Finding, Witnesses, base_at
from ._loops import MODEST, find_pace, has_loops, paced
from ._slices import Slice
from ._subject import Gradient, Subject, Traced
from ._verdict import FAIL, KINK, PASS, UNRESOLVED

EXAMINED = 256
"""So many entries in doubt are differenced again, and stand for the others of their leaf."""


def settle(
    subject: Subject,
    witnesses: Witnesses,
    given: Finding,
    random: np.random.Generator,
    on_progress: Callable[[int], None],
) -> tuple[Subject, Witnesses] | None:
    """Run loops on where there are any, and decide by them what is open at the given point.

    Args:
      subject: what is checked.
      witnesses: the other opinions.
      given: what is known at the given point; entries in doubt may change.
      random: source of the displacements that measure noise and rounding.
      on_progress: called with the number of values after every call.

    Returns:
      Subject and witnesses that come to an end at any point, None if there are none such.
    """
    clear = np.all((given.status == PASS) | (given.status == KINK))
    loops = subject.paths.loops
    if clear and not (loops and (subject.has_own_rules or _unseen(given).size)):
        return None
    steady = settled(subject, witnesses, given, on_progress)
    if steady is not None:
        reconsider(*steady, given, random)
    return steady


def settled(
    subject: Subject,
    witnesses: Witnesses,
    given: Finding,
    on_progress: Callable[[int], None],
) -> tuple[Subject, Witnesses] | None:
    """Return subject and witnesses with loops that converge, and come to an end anywhere.

    Args:
      subject: what is checked.
      witnesses: the other opinions.
      given: what is known at the given point.
      on_progress: called with the number of values after every call.

    Returns:
      A subject with another gradient, witnesses with another evaluator, which return NaN
      where a loop does not end. None where there are no loops, or they cannot be steered.
    """
    if subject.problem.on_host:
        return None
    start, unit, value = given.base.point, given.base.unit, given.base.value
    effect = float(np.max(np.abs(given.known.gradient) * unit))
    loss = _program(subject.problem.value, start)
    slope = _program(subject.gradient.traced, start)
    if loss is None and slope is None:
        return None
    if loss is not None:
        run = _steady(loss, start, value, abs(value) + effect)
        if run is None:
            return None
        witnesses = witnesses._replace(evaluator=Evaluator(run, witnesses.width, on_progress))
    if slope is not None:
        run = _steady(slope, start, given.known.gradient, effect / unit)
        if run is None:
            return None
        subject = subject._replace(gradient=Traced(run))
    return subject, witnesses._replace(stripped=_steady_stripped(witnesses, given, effect / unit))


def _steady_stripped(witnesses: Witnesses, given: Finding, size: np.ndarray) -> Gradient | None:
    """Return the gradient without rules likewise, or one that refuses."""
    if not isinstance(witnesses.stripped, Traced):
        return witnesses.stripped
    if given.unstripped:
        return _refusing(given.unstripped)
    program = _program(witnesses.stripped.traced, given.base.point)
    if program is None:
        return witnesses.stripped
    run = _steady(program, given.base.point, given.known.stripped, size)
    return _refusing("its loops do not converge") if run is None else Traced(run)


def reconsider(
    subject: Subject, witnesses: Witnesses, given: Finding, random: np.random.Generator
) -> None:
    """Let solvers that run on decide about entries in doubt; changes `given`.

    An entry whose gradient then equals the slope is right, if it did not move by much.

    Args:
      subject: as `settled` returned it.
      witnesses: likewise.
      given: the finding at the given point.
      random: source of the displacements that measure noise and rounding.
    """
    doubtful = _doubtful(given, subject.problem.slices)
    if doubtful.size == 0:
        return
    base = base_at(subject, witnesses.evaluator, given.base.point, random)
    g = subject.gradient(base.point)
    rounding = _rounding.of_gradient(
        subject.gradient, base.point, g, random, subject.paths.roundoff
    )
    known = _verdict.opinions(g, rounding, base.unit, base.value)
    difference(witnesses.evaluator, known, base, doubtful, subject.problem.slices, near=False)
    status = _verdict.judge(known)
    examined = np.isin(np.arange(g.size), doubtful)
    with np.errstate(all="ignore"):
        moved = np.abs(g - given.known.gradient) * base.unit
        modest = examined & (moved <= MODEST * np.max(np.abs(g) * base.unit))
    right, wrong = modest & (status == PASS), modest & (status == FAIL) & np.isfinite(known.bar)
    for piece in subject.problem.slices:
        here = slice(piece.start, piece.stop)
        if np.any(right[here]) and np.all(right[here][examined[here]]):
            right[here] |= given.status[here] == FAIL
    right &= given.status != PASS
    given.known.settled[right] = g[right]
    given.known.slope[wrong], given.known.bar[wrong] = known.slope[wrong], known.bar[wrong]
    given.status[right], given.status[wrong] = PASS, FAIL


def _doubtful(given: Finding, slices: Sequence[Slice]) -> np.ndarray:
    """Sorted positions without a clear answer, some of each leaf if there are too many."""
    known, status = given.known, given.status
    differenced = given.differenced[status[given.differenced] != KINK]
    unanswered = np.flatnonzero((status == FAIL) | (status == UNRESOLVED))
    unclear = [_verdict.unsettled(known, differenced), _unseen(given), unanswered]
    found = np.unique(np.concatenate(unclear))
    found = found[np.isfinite(known.gradient[found])]
    failing_first = found[np.argsort(status[found] != FAIL, kind="stable")]
    if found.size > EXAMINED:
        failing_first = some_of_each(failing_first, slices, EXAMINED)
    return np.sort(failing_first)


def _unseen(given: Finding) -> np.ndarray:
    """Entries that differences were taken for in vain."""
    return _verdict.blind(given.known, given.differenced)


def _program(function: Callable | None, start: np.ndarray) -> Program | None:
    """Trace a function of the flat vector, if that can be done and it has loops."""
    if function is None:
        return None
    try:
        # A function object of its own: JAX remembers traces.
        program = jax.make_jaxpr(lambda flat: function(flat))(jnp.asarray(start))
    except Exception:  # plain NumPy, for example
        return None
    return program if has_loops(program) else None


def _steady(
    program: Program, start: np.ndarray, expected: Any, size: Any
) -> Callable[[Any], Array] | None:
    """Return a program as a function of the flat vector, its loops paced; None if that fails."""
    pace = find_pace(program, start, expected, size)
    if pace is None:
        return None
    run = paced(program, pace)
    return lambda flat: run([flat])[0]


def _refusing(reason: str) -> Gradient:
    def refuse(flat: np.ndarray) -> np.ndarray:
        raise NotImplementedError(reason)

    return refuse
