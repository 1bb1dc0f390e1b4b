"""Running a program with its taps open."""

from collections.abc import Mapping, Sequence
from typing import Any

from ._equations import Equation, Program, body_of, look_up, named_values
from ._evaluate import bind, scan_with
from ._taps import Position, Tap, Taps


def evaluate_with_taps(
    program: Program,
    values: Sequence[Any],
    taps: Taps,
    shifts: Mapping[str, Any],
    position: Position = (),
) -> tuple[list[Any], dict[str, Any]]:
    """Run a program and record its taps; differentiable in everything.

    Args:
      program: what to run.
      values: its inputs.
      taps: those of `find_taps`.
      shifts: tap name -> what is added to that output; the rest stays as it is.
      position: where the program lies in the one that `taps` are of.

    Returns:
      The outputs, and tap name -> recorded output.
    """
    around = {key[:length] for key in taps for length in range(len(key))}
    known = named_values(program, values)
    recorded: dict[str, Any] = {}
    for index, equation in enumerate(program.eqns):
        here = (*position, index)
        given = look_up(known, equation.invars)
        if here in around:
            outputs, found = _inside(equation, given, taps, shifts, here)
        else:
            outputs, found = _shifted(bind(equation, given), taps.get(here, ()), shifts)
        recorded.update(found)
        known.update(zip(equation.outvars, outputs, strict=True))
    return look_up(known, getattr(program, "jaxpr", program).outvars), recorded


def _shifted(
    outputs: list[Any], taps: Sequence[Tap], shifts: Mapping[str, Any]
) -> tuple[list[Any], dict[str, Any]]:
    found = {}
    for tap in taps:
        if tap.name in shifts:
            outputs[tap.output] = outputs[tap.output] + shifts[tap.name]
        found[tap.name] = outputs[tap.output]
    return outputs, found


def _inside(
    equation: Equation, values: list, taps: Taps, shifts: Mapping[str, Any], here: Position
) -> tuple[list[Any], dict[str, Any]]:
    """Run what an equation calls; in a scan the shifts and the records have one row per step."""
    if equation.primitive.name != "scan":
        return evaluate_with_taps(body_of(equation), values, taps, shifts, here)
    own = {tap.name for key, some in taps.items() if key[: len(here)] == here for tap in some}
    body = equation.params["jaxpr"]

    def step(given: list, of_step: dict) -> tuple[list, dict]:
        return evaluate_with_taps(body, given, taps, of_step, here)

    mine = {name: shift for name, shift in shifts.items() if name in own}
    return scan_with(equation, values, step, mine)
