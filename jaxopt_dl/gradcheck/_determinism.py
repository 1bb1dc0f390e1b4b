"""Two evaluations at the same parameters must agree, or no difference quotient means anything."""

import jax
import numpy as np

from jaxopt_dl._core import jaxpr
from jaxopt_dl._core.jaxpr import Place, Program
from jaxopt_dl.gradcheck._problem import Problem
from jaxopt_dl.gradcheck._report import Cause
from jaxopt_dl.gradcheck._subject import Subject

AGREEMENT = 1e-10
"""Relative; parallel sums may differ in the last digits and are no drawing of numbers."""


def find_randomness(problem: Problem, program: Program) -> Cause | None:
    """Return the cause if the loss differs between two traces or two runs; None if it does not."""
    again = problem.trace()
    changed = jaxpr.first_difference(program, again)
    callback = next(
        (s for s in jaxpr.walk(program) if "callback" in s.equation.primitive.name), None
    )
    if changed is None and callback is None:
        return None
    run = jax.jit(lambda leaves: jaxpr.evaluate(program, leaves, {})[0])
    leaves = problem.split(problem.start)
    values = [float(run(leaves)), float(run(leaves))]
    if changed is not None:
        values.append(float(jax.jit(lambda x: jaxpr.evaluate(again, x, {})[0])(leaves)))
    if _agree(np.asarray(values)):
        return None
    site = callback if changed is None else changed
    assert site is not None
    return _cause(site.place, values[0], values[-1] if changed else values[1])


def gradient_is_random(subject: Subject, point: np.ndarray) -> Cause | None:
    """Return the cause if a hand-written gradient differs between two calls."""
    if subject.written is None:
        return None
    first, second = subject.gradient(point), subject.gradient(point)
    if _agree(np.stack([first, second])):
        return None
    worst = int(np.argmax(np.abs(first - second)))
    return _cause(subject.written, float(first[worst]), float(second[worst]))


def _agree(values: np.ndarray) -> bool:
    same = np.isclose(values, values[:1], rtol=AGREEMENT, atol=0, equal_nan=True)
    return bool(np.all(same))


def _cause(place: Place, first: float, second: float) -> Cause:
    detail = (
        f"two calls with the same parameters gave {first:.12g} and {second:.12g}. "
        "Fix the key (dropout?) or any other source of random numbers."
    )
    return Cause("nondeterministic", place.function, place.file, place.line, (), detail)
