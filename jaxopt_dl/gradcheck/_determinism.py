"""Two evaluations at the same parameters must agree, or no difference quotient means anything."""

import re

import jax
import numpy as np

from jaxopt_dl._core import jaxpr
from jaxopt_dl._core.jaxpr import Place, Program

from ._parts import Cause
from ._problem import Problem
from ._subject import Subject, place_of

AGREEMENT = 1e-10
"""Relative; parallel sums may differ in the last digits and are no drawing of numbers."""


def find_randomness(problem: Problem, program: Program) -> Cause | None:
    """Return the cause if the loss differs between two traces or two runs; None if it does not."""
    if problem.on_host:
        place = place_of(problem.function)
        values = [float(problem.loss(*problem.split(problem.start))) for _ in range(2)]
        return None if _agree(np.asarray(values)) else _cause(place, _difference(*values))
    try:
        return _between_traces(problem, program)
    except jax.errors.UnexpectedTracerError as error:
        return kept_value(problem, error)


def kept_value(problem: Problem, error: Exception) -> Cause:
    """Return the cause where a call met a value that an earlier one left behind."""
    place = place_of(problem.function)
    made = re.search(r"created on line (.+):(\d+):\d+ \((.+?)\)", str(error))
    if made is not None:
        file, line, name = made.groups()
        place = Place(name.rpartition("<locals>.")[2], file, int(line))
    detail = (
        "a value computed here is kept for later calls, in a cache, a global or an attribute. "
        "Compute it anew in every call, or pass it in `args`."
    )
    return Cause("nondeterministic", place.function, place.file, place.line, (), detail)


def _between_traces(problem: Problem, program: Program) -> Cause | None:
    place = place_of(problem.function)
    again = problem.trace()
    changed = jaxpr.first_difference(program, again)
    callback = any("callback" in s.equation.primitive.name for s in jaxpr.walk(program))
    if changed is None and not callback:
        return None
    run = jax.jit(lambda leaves: jaxpr.evaluate(program, leaves, {})[0])
    leaves = problem.split(problem.start)
    values = [float(run(leaves)), float(run(leaves))]
    where = ""
    if changed is not None:
        values.append(float(jax.jit(lambda x: jaxpr.evaluate(again, x, {})[0])(leaves)))
        where = f" They part in {changed.place.function}, line {changed.place.line}."
    if _agree(np.asarray(values)):
        return None
    return _cause(place, _difference(values[0], values[-1]) + where)


def gradient_is_random(subject: Subject, point: np.ndarray) -> Cause | None:
    """Return the cause if a hand-written gradient differs between two calls."""
    if subject.written is None:
        return None
    first, second = subject.gradient(point), subject.gradient(point)
    if _agree(np.stack([first, second])):
        return None
    with np.errstate(all="ignore"):
        worst = int(np.argmax(np.abs(first - second)))
    return _cause(subject.written, _difference(float(first[worst]), float(second[worst])))


def _agree(values: np.ndarray) -> bool:
    same = np.isclose(values, values[:1], rtol=AGREEMENT, atol=0, equal_nan=True)
    return bool(np.all(same))


def _difference(first: float, second: float) -> str:
    return f"two calls with the same parameters gave {first:.12g} and {second:.12g}."


def _cause(place: Place, fact: str) -> Cause:
    detail = f"{fact} Fix the key (dropout?) or any other source of change."
    return Cause("nondeterministic", place.function, place.file, place.line, (), detail)
