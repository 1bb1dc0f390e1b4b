"""Pushing facts about values through a program without running it."""

from collections.abc import Callable, Sequence
from typing import Any

from ._equations import CALLS, Equation, Program, inner_programs, is_literal, loop_of, scan_counts
from ._places import Place, user_place


def propagate(
    program: Program,
    inputs: Sequence[Any],
    transfer: Callable[[Equation, Place, list], Sequence[Any]],
    *,
    join: Callable[[Any, Any], Any],
    nothing: Any,
    place: Place | None = None,
) -> list[Any]:
    """Push facts about values through a program without running it.

    Args:
      program: what to analyze.
      inputs: one fact per input.
      transfer: `(equation, place, facts of its inputs) -> facts of its outputs`, for equations
        that are not entered. Calls, `scan`, `while` and `cond` are entered; custom rules are not.
      join: combines two facts about one value; repeated joins must come to an end.
      nothing: the fact about constants.
      place: where the program is called.

    Returns:
      One fact per output.
    """
    inner = getattr(program, "jaxpr", program)
    known = dict.fromkeys(inner.constvars, nothing)
    known.update(zip(inner.invars, inputs, strict=True))
    deeper = {"join": join, "nothing": nothing}
    for equation in inner.eqns:
        here = user_place(equation) or place or Place("unknown", "", 0)
        facts = [nothing if is_literal(a) else known[a] for a in equation.invars]

        def through(part: Program, given: Sequence[Any], at: Place = here) -> list[Any]:
            return propagate(part, given, transfer, place=at, **deeper)

        outputs = _through_call(equation, facts, through, join)
        outputs = transfer(equation, here, facts) if outputs is None else outputs
        known.update(zip(equation.outvars, outputs, strict=True))
    return [nothing if is_literal(a) else known[a] for a in inner.outvars]


def _through_call(
    equation: Equation, facts: list, through: Callable, join: Callable
) -> list[Any] | None:
    """Facts behind an equation that is entered; None if it is not."""
    name, params = equation.primitive.name, equation.params
    if name in CALLS:
        return through(inner_programs(equation)[0], facts)
    if name == "cond":
        found = [through(branch, facts[1:]) for branch in params["branches"]]
        joined = found[0]
        for other in found[1:]:
            joined = [join(a, b) for a, b in zip(joined, other, strict=True)]
        return [join(fact, facts[0]) for fact in joined]
    if name == "scan":
        consts, carry = scan_counts(equation)
        return _repeat(
            lambda state: through(
                params["jaxpr"], [*facts[:consts], *state, *facts[consts + carry :]]
            ),
            facts[consts : consts + carry],
            join,
        )
    if name == "while":
        test, body, tested, looped = loop_of(equation)
        fixed = facts[tested : tested + looped]
        start = facts[tested + looped :]
        ends = _repeat(lambda state: through(body, [*fixed, *state]), start, join)
        stop = through(test, [*facts[:tested], *ends])[0]
        return [join(fact, stop) for fact in ends]
    return None


def _repeat(step: Callable[[list], list], state: list, join: Callable) -> list[Any]:
    """Join facts over the rounds of a loop until they no longer change."""
    while True:
        outputs = step(state)
        joined = [join(a, b) for a, b in zip(state, outputs[: len(state)], strict=True)]
        if joined == state:
            return [*joined, *outputs[len(state) :]]
        state = joined
