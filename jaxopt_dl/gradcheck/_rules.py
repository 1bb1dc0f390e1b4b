"""Custom rules and `stop_gradient` of the user: what they are, and the program without them."""

from collections.abc import Callable, Collection, Sequence
from typing import Any, NamedTuple

from jaxopt_dl._core import jaxpr
from jaxopt_dl._core.jaxpr import Equation, Place, Program, Site
from jaxopt_dl.gradcheck._paths import trace_paths

STOP = "stop_gradient"
IDLE = frozenset(("copy", "convert_element_type", "reshape", "squeeze", "broadcast_in_dim"))
"""A body made of these returns its operand; a rule on it can only mean to change the gradient."""


class Rule(NamedTuple):
    """One custom rule, or one line with `stop_gradient`, at all the places it is used.

    Attributes:
      name: of the function with the rule, or "stop_gradient".
      place: its definition; for `stop_gradient` the line that calls it.
      surrogate: whether it replaces a derivative on purpose: it stops the gradient, or its body
        does nothing, or has no derivative of its own.
      equations: every use in the program.
    """

    name: str
    place: Place
    surrogate: bool
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
    return tuple(
        Rule(name, place, _is_surrogate(tuple(uses.values())), tuple(uses.values()))
        for (name, place), uses in found.items()
    )


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


def with_nested(program: Program, rule: Rule) -> tuple[Rule, ...]:
    """Return a rule and all those that run inside its body."""
    own = {id(equation) for equation in rule.equations}
    inside = [
        site.equation
        for site in jaxpr.walk(program)
        if own & {id(outer) for outer in site.inside} and _is_rule(site.equation)
    ]
    stops = tuple(e for e in inside if e.primitive.name == STOP)
    calls = tuple(e for e in inside if e.primitive.name != STOP)
    return (
        rule,
        Rule(STOP, rule.place, True, stops),
        Rule(rule.name, rule.place, rule.surrogate, calls),
    )


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


def _is_surrogate(equations: tuple[Equation, ...]) -> bool:
    body = jaxpr.body_of(equations[0])
    if body is None:
        return True
    names = {site.equation.primitive.name for site in jaxpr.walk(body)} - set(jaxpr.CALLS)
    return names <= IDLE or not trace_paths(body, len(equations[0].invars)).loss.alive
