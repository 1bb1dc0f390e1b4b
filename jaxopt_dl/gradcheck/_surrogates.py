"""Whether a rule replaces a derivative on purpose, as a straight-through estimator does."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxopt_dl._core import jaxpr
from jaxopt_dl._core.jaxpr import Equation, Program
from jaxopt_dl._core.numerics import is_floating
from jaxopt_dl._core.types import Array

from ._loops import has_loops
from ._rules import STOP, Rule

IDLE = frozenset(("copy", "convert_element_type", "reshape", "squeeze", "broadcast_in_dim"))
"""A body made of these returns its operand; a rule on it can only mean to change the gradient."""


def is_surrogate(rule: Rule, program: Program, leaves: Sequence[Array]) -> bool:
    """Say whether a rule is a surrogate.

    It is if it stops the gradient, if its body returns its operand, or if its body has a
    derivative of zero wherever one looks, as a rounding or a step has.

    Args:
      rule: the rule.
      program: the one it is used in.
      leaves: inputs of the program; what reaches the rule from there is looked at first.
    """
    if rule.name == STOP:
        return True
    return _is_identity(rule.equations[0]) or _is_flat(*_reached(rule, program, leaves))


def _is_identity(equation: Equation) -> bool:
    body = jaxpr.body_of(equation)
    names = {site.equation.primitive.name for site in jaxpr.walk(body)} - set(jaxpr.CALLS)
    sizes = [
        sum(kind.size for kind in types if jnp.issubdtype(kind.dtype, np.floating))
        for types in (jaxpr.input_types(equation), jaxpr.output_types(equation))
    ]
    return names <= IDLE and sizes[0] == sizes[1]


class _Reached(Exception):
    """Ends the program where it first comes to a rule."""


def _reached(rule: Rule, program: Program, leaves: Sequence[Array]) -> tuple[Equation, list]:
    """Run the program up to the first use of the rule: that use, and what it is given."""
    own = {id(equation) for equation in rule.equations}

    def end(equation: Equation, values: list) -> list:
        raise _Reached(equation, values)

    def enter(equation: Equation, values: list) -> list:
        return jaxpr.evaluate(jaxpr.body_of(equation), values, replace)

    around = {
        id(outer)
        for site in jaxpr.walk(program)
        if id(site.equation) in own
        for outer in site.inside
    }
    replace = dict.fromkeys(around, enter) | dict.fromkeys(own, end)
    try:
        with jax.disable_jit():  # loops run step by step, so that values are known in them
            jaxpr.evaluate(program, leaves, replace)
    except _Reached as found:
        return found.args
    except Exception:  # some operations insist on being compiled
        pass
    types = jaxpr.input_types(rule.equations[0])
    return rule.equations[0], [np.zeros(kind.shape, kind.dtype) for kind in types]


def _is_flat(equation: Equation, given: Sequence[Any]) -> bool:
    """Whether the derivative is zero at the given inputs, and at random ones of several sizes.

    A loop need not end there, and seldom has a derivative.
    """
    if has_loops(jaxpr.body_of(equation)):
        return False
    body, random = jaxpr.body_of(equation), np.random.default_rng(0)
    moving = [i for i, value in enumerate(given) if is_floating(value)]

    def run(*values: Any) -> list:
        filled = dict(zip(moving, values, strict=True))
        inputs = [filled.get(i, value) for i, value in enumerate(given)]
        return [out for out in jaxpr.evaluate(body, inputs, {}) if is_floating(out)]

    def at(size: float) -> list[Array]:
        here = [given[i] for i in moving]
        drawn = [size * random.standard_normal(np.shape(value)) for value in here]
        return [jnp.asarray(a if size else v, v.dtype) for a, v in zip(drawn, here, strict=True)]

    try:
        return not any(_slopes(run, at(size)) for size in (0.0, 0.1, 1.0, 10.0))
    except Exception:  # no reverse mode, or inputs that the function cannot take
        return False


def _slopes(run: Any, values: Sequence[Array]) -> bool:
    """Whether any derivative is not zero."""
    out, pull = jax.vjp(run, *values)
    slopes = pull([jnp.ones_like(value) for value in out])
    return any(bool(np.any(np.asarray(slope) != 0)) for slope in slopes)
