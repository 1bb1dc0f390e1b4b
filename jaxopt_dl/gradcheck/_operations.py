"""Operations whose derivative the user supplies: compared with differences of their own values.

`custom_root`, `custom_linear_solve` and `linear_call` are differentiated by functions given to
them, and a primitive of the user's own by what is registered for it. None of them has a body that
could be differentiated instead, so each is asked by itself, at the values that really reach it.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxopt_dl._core import jaxpr
from jaxopt_dl._core.jaxpr import Equation, Site
from jaxopt_dl._core.numerics import is_floating
from jaxopt_dl._core.types import Array

from ._components import Base
from ._local import by_itself
from ._nonfinite import gradient_without
from ._parts import Cause
from ._subject import Subject

STEPS = (2.0**-14, 2.0**-17)
"""Relative to the size of each operand."""
APART = 1e-4
"""Relative; what is called wrong here already makes entries fail."""


def blame_derivatives(
    subject: Subject, base: Base, failing: np.ndarray
) -> tuple[list[Cause], np.ndarray]:
    """Return the operations with a wrong derivative, and the failing entries that use them."""
    point = base.point
    explained = np.zeros(failing.shape, bool)
    suspects = [
        site for site in jaxpr.walk(subject.program) if jaxpr.has_given_derivative(site.equation)
    ]
    if not suspects:
        return [], explained
    marks = subject.marker(_is_wrong)(point)
    causes = []
    for site in (site for site in suspects if marks.get(id(site.equation))):
        gradient, cut = subject.automatic(point), gradient_without(subject, site.equation)(point)
        behind = failing & (np.abs(gradient - cut) > APART * np.abs(gradient))
        if np.any(behind):
            forward = not subject.marker(_is_wrong_forward)(point)[id(site.equation)]
            causes.append(_cause(subject, site, behind, forward))
            explained |= behind
    return causes, explained


def _cause(subject: Subject, site: Site, behind: np.ndarray, forward: bool) -> Cause:
    name, place = jaxpr.name_of(site.equation), site.place
    if name == "custom_root" or name.startswith("_"):
        name = place.function
    detail = "its derivative does not agree with differences of its own values: check the "
    detail += "functions that are given for it."
    if forward:
        detail = "differentiated forward it agrees with differences of its own values, backward "
        detail += "it does not: its transpose is wrong."
    if forward and name == "custom_linear_solve":
        detail += " With symmetric=True the matrix must be symmetric."
    return Cause("rule", name, place.file, place.line, subject.leaves_with(behind), detail)


def _is_wrong(equation: Equation, inputs: list, outputs: Sequence[Any]) -> Array:
    return _apart(equation, inputs, outputs, _backward)


def _is_wrong_forward(equation: Equation, inputs: list, outputs: Sequence[Any]) -> Array:
    return _apart(equation, inputs, outputs, _forward)


def _apart(equation: Equation, inputs: list, outputs: Sequence[Any], slope: Any) -> Array:
    """Whether the slope of one weighted sum of outputs in one direction is not its derivative."""
    if not jaxpr.has_given_derivative(equation):
        return jnp.array(False)
    weighed = [_waves(out, 0.3) for out in outputs if is_floating(out)]
    local, inner = by_itself(equation, inputs)
    moving = [i for i in range(len(inner)) if _has_derivative(local, inner, i)]
    if not moving or not weighed:
        return jnp.array(False)
    values = [inner[i] for i in moving]
    direction = [_waves(v, 1.1 + i) * _size(v) for i, v in enumerate(values)]

    def combined(*values: Array) -> Array:
        filled = dict(zip(moving, values, strict=True))
        found = local(*[filled.get(i, value) for i, value in enumerate(inner)])
        return jnp.asarray(sum(jnp.vdot(w, out) for w, out in zip(weighed, found, strict=True)))

    def quotient(step: float) -> Array:
        ends = [
            combined(*[v + side * step * d for v, d in zip(values, direction, strict=True)])
            for side in (1, -1)
        ]
        return (ends[0] - ends[1]) / (2 * step)

    try:
        claimed = slope(combined, values, direction)
    except Exception:  # not every operation can be differentiated both ways
        return jnp.array(False)
    coarse, fine = quotient(STEPS[0]), quotient(STEPS[1])
    room = APART * (jnp.abs(fine) + jnp.abs(claimed)) + 8 * jnp.abs(fine - coarse)
    return jnp.abs(claimed - fine) > room


def _has_derivative(local: Callable, values: list[Array], which: int) -> bool:
    """Whether an operand has a derivative; not all of those of a `linear_call` do."""

    def moved(value: Array) -> list:
        return local(*values[:which], value, *values[which + 1 :])

    try:
        jax.eval_shape(lambda value: jax.jvp(moved, (value,), (value,)), values[which])
    except Exception:  # an assertion, or no rule
        return False
    return True


def _backward(function: Any, values: list[Array], direction: list[Array]) -> Array:
    slopes = jax.grad(function, argnums=tuple(range(len(values))))(*values)
    return jnp.asarray(sum(jnp.vdot(s, d) for s, d in zip(slopes, direction, strict=True)))


def _forward(function: Any, values: list[Array], direction: list[Array]) -> Array:
    return jax.jvp(function, tuple(values), tuple(direction))[1]


def _waves(like: Any, phase: float) -> Array:
    """Numbers between -1 and 1 without a pattern, shaped like something."""
    count = np.arange(1, np.size(like) + 1, dtype=np.float64)
    return jnp.asarray(np.sin(7.3 * count + phase).reshape(np.shape(like)))


def _size(value: Array) -> Array:
    largest = jnp.max(jnp.abs(value), initial=0.0)
    return jnp.where(largest > 0, largest, 1.0)
