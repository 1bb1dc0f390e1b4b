"""Where a NaN or an infinity enters the gradient: the operation whose own derivative has it."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxopt_dl._core import jaxpr
from jaxopt_dl._core.jaxpr import Equation, Program, Site
from jaxopt_dl._core.numerics import is_floating
from jaxopt_dl._core.types import Array

from ._local import any_of, slopes
from ._parts import Cause
from ._subject import Automatic, Subject

POLES = frozenset(("div", "log", "log1p", "rsqrt", "pow", "integer_pow", "atanh", "lgamma"))
"""Operations that reach infinity at a point; all others do so by growing."""
TRIED = 8
"""Each suspect costs a compilation."""


def blame_operations(subject: Subject, point: np.ndarray, broken: np.ndarray) -> list[Cause]:
    """Return the operations that make the `broken` entries of the gradient NaN or infinite.

    An operation is a suspect if its local derivative, or its value, is not finite though its
    inputs hold no NaN. It is guilty if entries become finite once nothing flows through it.
    """
    program = subject.examined
    suspects = _suspects(subject, program, point)
    bad = broken.copy()
    causes = []
    for site in suspects[:TRIED]:
        cured = bad & np.isfinite(Automatic(_without(subject, program, site.equation))(point))
        if np.any(cured):
            causes.append(_cause(subject, site, cured))
            bad &= ~cured
    if np.any(bad) and suspects and not causes:
        causes.append(_cause(subject, suspects[0], bad))
    return causes


def blame_value(subject: Subject, point: np.ndarray, value: float) -> Cause:
    """Return the first operation that makes the loss itself NaN or infinite."""
    suspects = _suspects(subject, subject.program, point)
    paths = tuple(piece.path for piece in subject.problem.slices)
    what = "loss" if subject.problem.along is None else "slope along the random direction"
    detail = f"the {what} itself is {value} at the given parameters."
    if not suspects:
        return Cause("non_finite", "the function", "", 0, paths, detail)
    site = suspects[0]
    name, place = jaxpr.name_of(site.equation), site.place
    return Cause("non_finite", name, place.file, place.line, paths, detail)


def overflows(subject: Subject, point: np.ndarray) -> bool:
    """Whether something grows beyond the largest number at `point`: then it lies too far out."""

    def grows(equation: Equation, inputs: list, outputs: Sequence[Any]) -> Array:
        if equation.primitive.name in POLES:
            return jnp.array(False)
        before, after = (
            [value for value in values if is_floating(value)] for values in (inputs, outputs)
        )
        return ~_any(_not_finite, before) & _any(jnp.isinf, after)

    run = jax.jit(lambda leaves: jaxpr.evaluate_with_marks(subject.program, leaves, grows)[1])
    return any(bool(answer) for answer in run(subject.problem.split(point)).values())


def _suspects(subject: Subject, program: Program, point: np.ndarray) -> list[Site]:
    run = jax.jit(lambda leaves: jaxpr.evaluate_with_marks(program, leaves, _is_suspect)[1])
    marks = run(subject.problem.split(point))
    return [site for site in jaxpr.walk(program) if marks.get(id(site.equation), False)]


def gradient_without(subject: Subject, equation: Equation) -> Automatic:
    """Return the gradient with one equation's results taken as finite constants.

    Nothing flows back through it, and no infinity goes on from it to break what comes after.
    """
    return Automatic(subject.problem.examined(_without(subject, subject.program, equation)))


def _without(subject: Subject, program: Program, equation: Equation) -> Callable[[Array], Array]:
    """Return a program as a function of the flat vector, one equation made a constant."""

    def cut(equation: Equation, values: list) -> list:
        return [_constant(out) for out in jaxpr.bind(equation, values)]

    def run(flat: Array) -> Array:
        return jaxpr.evaluate(program, subject.problem.split(flat), {id(equation): cut})[0]

    return run


def _constant(out: Any) -> Array:
    out = jax.lax.stop_gradient(out)
    return jnp.where(jnp.isfinite(out), out, jnp.ones_like(out)) if is_floating(out) else out


def _is_suspect(equation: Equation, inputs: list, outputs: Sequence[Any]) -> Array:
    values = [value for value in inputs if is_floating(value)]
    found = [out for out in outputs if is_floating(out)]
    back = slopes(equation, inputs) if values else []
    if not back:
        return jnp.array(False)
    return ~_any(jnp.isnan, values) & (_any(_not_finite, back) | _any(jnp.isnan, found))


def _any(question: Any, arrays: Sequence[Array]) -> Array:
    return any_of([jnp.any(question(array)) for array in arrays])


def _not_finite(array: Array) -> Array:
    return ~jnp.isfinite(array)


def _cause(subject: Subject, site: Site, cured: np.ndarray) -> Cause:
    name, leaves = jaxpr.name_of(site.equation), subject.leaves_with(cured)
    detail = f"its derivative is not finite at these inputs; called in {site.place.function}."
    return Cause("non_finite", name, site.place.file, site.place.line, leaves, detail)
