"""Solvers that fail at a further point, of which a right implicit rule knows nothing.

Such a rule gives the slope of the solution. Where the solution has left the solver's bracket, the
solver stands still at the border; where the fixed number of steps no longer suffices, it returns
something on the way. A rule cannot be held against that: the first is judged with results that
stand still taken as constants, the second not at all.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxopt_dl._core import jaxpr
from jaxopt_dl._core.jaxpr import Equation
from jaxopt_dl._core.numerics import is_floating
from jaxopt_dl._core.types import Array

from . import _verdict
from ._examine import Finding
from ._loops import LOOP, Pace, find_solvers, paced
from ._rules import STOP
from ._subject import Automatic, Subject
from ._verdict import FAIL, UNRESOLVED

STEPS = "scan"
NUDGE, STILL = 2.0**-12, 2.0**-40
"""Relative: what the operands of a rule are moved by, and what moves a result less is constant."""
ENOUGH = 2**16
"""Steps of a loop whose operands were moved; one that takes more is not known to stand still."""
FLAT = 1e-3
"""Slope, as a share of the gradient, of a loss whose inner solver stands still."""
CONVERGED = 1e-7
"""Of the loss and its slopes, what twice as many steps may change."""


def forgive(subject: Subject, given: Finding, finding: Finding) -> None:
    """Drop accusations at a further point that only a failing solver explains.

    Args:
      subject: what is checked.
      given: the finding at the given point, where solvers work.
      finding: that at the further point; its status may change.
    """
    if subject.paths.loops and finding.unstripped:
        _where_the_loss_is_flat(finding)
    solvers = _rules_with_loops(subject)
    if not (finding.failed and solvers):
        return
    if (longer := _longer(subject, solvers)) is not None:
        if not _agrees(longer, given):
            return
        if not _agrees(longer, finding):
            finding.status[finding.status == FAIL] = UNRESOLVED
            return
    _where_results_stand_still(subject, solvers, finding)


def _where_the_loss_is_flat(finding: Finding) -> None:
    known = finding.known
    with np.errstate(all="ignore"):
        flat = np.abs(known.slope) <= FLAT * np.abs(known.gradient)
    finding.status[flat & (finding.status == FAIL)] = UNRESOLVED


def _where_results_stand_still(
    subject: Subject, solvers: Sequence[Equation], finding: Finding
) -> None:
    """Drop accusations that do not hold with these results taken as constants."""
    known, status = finding.known, finding.status
    replace = {id(equation): _held for equation in solvers}
    held = Automatic(_loss(subject, replace))(finding.base.point)
    again = _verdict.judge(known._replace(gradient=held, stripped=np.full_like(held, np.nan)))
    seen = np.isfinite(known.bar) & (status == FAIL)
    for piece in subject.problem.slices:
        here = slice(piece.start, piece.stop)
        explained = seen[here] & (again[here] != FAIL)
        if np.any(explained) and np.all(explained == seen[here]):
            status[here][status[here] == FAIL] = UNRESOLVED


def _rules_with_loops(subject: Subject) -> list[Equation]:
    if subject.written is not None:
        return []
    equations = [e for rule in subject.rules if rule.name != STOP for e in rule.equations]
    return [e for e in equations if _loops_of(e, LOOP) or _loops_of(e, STEPS)]


def _loops_of(equation: Equation, name: str) -> list[Equation]:
    inner = (site.equation for site in jaxpr.walk(jaxpr.body_of(equation)))
    return [found for found in inner if found.primitive.name == name]


def _loss(subject: Subject, replace: Mapping[int, jaxpr.Replacement]) -> Callable[[Array], Array]:
    """Return the loss of the flat vector with some equations replaced."""

    def run(flat: Array) -> Array:
        return jaxpr.evaluate(subject.program, subject.problem.split(flat), replace)[0]

    return subject.problem.examined(run)


def _held(equation: Equation, values: list) -> list:
    """Run a rule, and take as constant what stands still when its operands move."""
    results = jaxpr.bind(equation, values)
    body, random = jaxpr.body_of(equation), np.random.default_rng(0)
    never = np.zeros(len(find_solvers(body)), bool)
    run = paced(body, Pace(ENOUGH, never))
    here = run([jax.lax.stop_gradient(value) for value in values])
    still: list[Any] = [True] * len(results)
    for _ in range(2):
        there = run([_nudged(jax.lax.stop_gradient(value), random) for value in values])
        still = [s & _same(a, b) for s, a, b in zip(still, here, there, strict=True)]
    return [
        jnp.where(s, jax.lax.stop_gradient(out), out) if is_floating(out) else out
        for s, out in zip(still, results, strict=True)
    ]


def _nudged(value: Array, random: np.random.Generator) -> Array:
    if not is_floating(value):
        return value
    shares = random.choice([-1.0, 1.0], np.shape(value)) * random.uniform(0.5, 1.0, np.shape(value))
    return value * (1 + NUDGE * shares).astype(jnp.result_type(value))


def _same(a: Array, b: Array) -> Array:
    return jnp.abs(a - b) <= STILL * jnp.abs(a)


def _longer(subject: Subject, solvers: Sequence[Equation]) -> Callable | None:
    """Return the loss with twice as many steps in loops of a fixed number; None without any.

    Loops that go through data, or collect results, are no solvers.
    """
    found = [loop for equation in solvers for loop in _loops_of(equation, STEPS)]
    fixed = [loop for loop in found if sum(jaxpr.scan_counts(loop)) == len(loop.invars)]
    if not fixed:
        return None
    replace: dict[int, jaxpr.Replacement] = {id(loop): _twice_as_long for loop in fixed}
    replace |= {id(equation): _entered(replace) for equation in solvers}
    return jax.jit(_loss(subject, replace))


def _entered(replace: dict[int, jaxpr.Replacement]) -> jaxpr.Replacement:
    def enter(equation: Equation, values: list) -> list:
        return jaxpr.evaluate(jaxpr.body_of(equation), values, replace)

    return enter


def _twice_as_long(loop: Equation, values: list) -> list:
    steps = 2 * loop.params["length"]
    return loop.primitive.bind(*values, **{**loop.params, "length": steps})


def _agrees(longer: Callable, finding: Finding) -> bool:
    base, gradient = finding.base, finding.known.gradient
    size = abs(base.value) + np.max(np.abs(gradient) * base.unit)
    return bool(abs(longer(base.point) - base.value) <= CONVERGED * size)
