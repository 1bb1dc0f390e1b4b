"""Custom rules and `stop_gradient` of the user: what they are, and the program without them."""

from collections.abc import Callable, Collection, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxopt_dl._core import jaxpr
from jaxopt_dl._core.jaxpr import Equation, Place, Program, Site

from ._loops import has_loops

STOP = "stop_gradient"
IDLE = frozenset(("copy", "convert_element_type", "reshape", "squeeze", "broadcast_in_dim"))
"""A body made of these returns its operand; a rule on it can only mean to change the gradient."""


class Rule(NamedTuple):
    """One custom rule, or one line with `stop_gradient`, at all the places it is used.

    Attributes:
      name: of the function with the rule, or "stop_gradient".
      place: its definition; for `stop_gradient` the line that calls it.
      equations: every use in the program.
    """

    name: str
    place: Place
    equations: tuple[Equation, ...]


def find_rules(program: Program, *, trusted: bool = False) -> tuple[Rule, ...]:
    """Return the rules that the user wrote, in the order of the program.

    Args:
      program: where to look.
      trusted: return the rules of libraries instead.
    """
    found: dict[tuple[str, Place], dict[int, Equation]] = {}
    for site in jaxpr.walk(program):
        key = _identity(site, trusted)
        if key is not None:
            found.setdefault(key, {})[id(site.equation)] = site.equation
    return tuple(Rule(name, place, tuple(uses.values())) for (name, place), uses in found.items())


def without(program: Program, rules: Collection[Rule]) -> Callable[[Sequence[Any]], Any]:
    """Return the program as a function of its inputs, with some rules taken out.

    Taken out means: a custom rule becomes its body, differentiated as it stands;
    `stop_gradient` passes its operand on.
    """
    replace: dict[int, jaxpr.Replacement] = {}

    def enter(equation: Equation, values: list) -> Sequence[Any]:
        return jaxpr.evaluate(jaxpr.body_of(equation), values, replace)

    for rule in rules:
        chosen = _pass_on if rule.name == STOP else enter
        replace.update((id(equation), chosen) for equation in rule.equations)
    return lambda values: jaxpr.evaluate(program, values, replace)[0]


def _pass_on(equation: Equation, values: list) -> list:
    del equation
    return values


def outside(program: Program, rule: Rule, rules: Collection[Rule]) -> tuple[Rule, ...]:
    """Return those of the rules in whose bodies `rule` is used."""
    own = {id(equation) for equation in rule.equations}
    around = {
        id(outer)
        for site in jaxpr.walk(program)
        if id(site.equation) in own
        for outer in site.inside
    }
    return tuple(
        other
        for other in rules
        if other is not rule and around & {id(equation) for equation in other.equations}
    )


def inside(program: Program, rule: Rule) -> tuple[Rule, ...]:
    """Return everything that is a rule inside the body of `rule`, trusted or not."""
    own = {id(equation) for equation in rule.equations}
    used = [
        site.equation
        for site in jaxpr.walk(program)
        if own & {id(outer) for outer in site.inside} and _is_rule(site.equation)
    ]
    stops = tuple(e for e in used if e.primitive.name == STOP)
    calls = tuple(e for e in used if e.primitive.name != STOP)
    found = (Rule(STOP, rule.place, stops), Rule(rule.name, rule.place, calls))
    return tuple(part for part in found if part.equations)


def _is_rule(equation: Equation) -> bool:
    return equation.primitive.name == STOP or equation.primitive.name in jaxpr.RULES


def _identity(site: Site, trusted: bool) -> tuple[str, Place] | None:
    """Name and place of a rule, if it belongs to the user or, on demand, to a library."""
    equation = site.equation
    if not _is_rule(equation):
        return None
    if equation.primitive.name == STOP:
        place, file = site.place, jaxpr.caller_file(equation, STOP)
        name = STOP
    else:
        place = jaxpr.definition(equation, site.place)
        name, file = place.function, place.file
    return (name, place) if jaxpr.is_library(file) == trusted else None


def is_surrogate(rule: Rule) -> bool:
    """Whether a rule replaces a derivative on purpose.

    It does if it stops the gradient, if its body returns its operand, or if its body has a
    derivative of zero wherever one looks, as a rounding or a step has.
    """
    if rule.name == STOP:
        return True
    body = jaxpr.body_of(rule.equations[0])
    names = {site.equation.primitive.name for site in jaxpr.walk(body)} - set(jaxpr.CALLS)
    return names <= IDLE or _is_flat(body, jaxpr.input_types(rule.equations[0]))


def _is_flat(body: Program, types: Sequence[Any]) -> bool:
    """Whether the derivative of a program is zero at random inputs of several sizes.

    A loop need not end there, and seldom has a derivative.
    """
    if has_loops(body):
        return False
    random = np.random.default_rng(0)
    moving = [i for i, kind in enumerate(types) if jnp.issubdtype(kind.dtype, np.floating)]

    def run(*values: Any) -> list:
        filled = dict(zip(moving, values, strict=True))
        given = [filled.get(i, np.zeros(k.shape, k.dtype)) for i, k in enumerate(types)]
        outputs = jaxpr.evaluate(body, given, {})
        return [out for out in outputs if jnp.issubdtype(jnp.result_type(out), np.floating)]

    try:
        for size in (0.1, 1.0, 10.0):
            values = [size * random.standard_normal(types[i].shape) for i in moving]
            given = [np.asarray(v, types[i].dtype) for v, i in zip(values, moving, strict=True)]
            out, pull = jax.vjp(run, *given)
            slopes = pull([jnp.ones_like(value) for value in out])
            if any(np.any(np.asarray(slope) != 0) for slope in slopes):
                return False
    except Exception:  # no reverse mode, or inputs that the function cannot take
        return False
    return True
