"""Custom rules and `stop_gradient` of the user: what they are, and the program without them."""

from collections.abc import Callable, Collection, Sequence
from typing import Any, NamedTuple

from jaxopt_dl._core import jaxpr
from jaxopt_dl._core.jaxpr import Equation, Place, Program, Site

STOP = "stop_gradient"


class Rule(NamedTuple):
    """One custom rule, or one line with `stop_gradient`, at all the places it is used.

    Attributes:
      name: of the function with the rule, or "stop_gradient".
      place: its definition; for `stop_gradient`, and for a rule of a library, the user's line.
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
    found: dict[tuple[str, Place], tuple[Place, dict[int, Equation]]] = {}
    for site in jaxpr.walk(program):
        if not _is_rule(site.equation):
            continue
        name, written, file = _origin(site)
        if jaxpr.is_library(file) == trusted:
            shown = site.place if trusted else written
            found.setdefault((name, written), (shown, {}))[1][id(site.equation)] = site.equation
    return tuple(
        Rule(name, place, tuple(uses.values())) for (name, _), (place, uses) in found.items()
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


def _origin(site: Site) -> tuple[str, Place, str]:
    """Name of a rule, the place that tells it from others, and the file of its author."""
    if site.equation.primitive.name == STOP:
        return STOP, site.place, jaxpr.caller_file(site.equation, STOP)
    written = jaxpr.definition(site.equation, site.place)
    if jaxpr.is_library(written.file) and written.function.startswith("_"):
        # Such as `_custom_root`: a name that says nothing, around functions that the user gave.
        return site.place.function, site.place, written.file
    return written.function, written, written.file
