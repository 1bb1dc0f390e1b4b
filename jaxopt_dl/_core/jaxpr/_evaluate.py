"""Running a program with something else in place of some of its equations."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp

from ._equations import (
    CALLS,
    RULES,
    Equation,
    Program,
    inner_programs,
    look_up,
    named_values,
    scan_counts,
)

Replacement: TypeAlias = Callable[[Equation, list], Sequence[Any]]
"""`(equation, input values) -> output values`."""


def evaluate(
    program: Program, values: Sequence[Any], replace: Mapping[int, Replacement]
) -> list[Any]:
    """Run a program with some equations replaced; it stays traceable and differentiable.

    Args:
      program: what to run.
      values: its inputs.
      replace: from `id(equation)` to what happens instead. Replaced equations are found inside
        calls, `scan`, `cond` and rules that are themselves entered; programs that hold none
        of them run untouched, custom rules included.
    """
    return _Run(replace).run(program, values)[0]


def evaluate_each(program: Program, values: Sequence[Any], step: Replacement) -> list[Any]:
    """Run a program with something else in place of every equation that calls nothing inside.

    Args:
      program: what to run. Calls, `scan`, `cond` and the bodies of custom rules are entered.
      values: its inputs.
      step: what happens instead of an equation; `bind` runs it as it stands.
    """
    return _Run({}, step=step).run(program, values)[0]


def evaluate_with_marks(
    program: Program, values: Sequence[Any], mark: Callable[[Equation, list, list], Any]
) -> tuple[list[Any], dict[int, Any]]:
    """Run a program and ask a yes-or-no question at every equation that calls nothing inside.

    Args:
      program: what to run.
      values: its inputs.
      mark: `(equation, inputs, outputs) -> boolean scalar`.

    Returns:
      The outputs, and by `id(equation)` whether the answer ever was yes.
    """
    return _Run({}, mark=mark).run(program, values)


def bind(equation: Equation, values: Sequence[Any]) -> list[Any]:
    """Run one equation as it stands."""
    outputs = equation.primitive.bind(
        *values, **equation.primitive.get_bind_params(equation.params)
    )
    return outputs if equation.primitive.multiple_results else [outputs]


class _Run:
    """One way of evaluating: what is replaced, what is marked, what happens at every equation."""

    def __init__(
        self,
        replace: Mapping[int, Replacement],
        *,
        mark: Callable | None = None,
        step: Replacement | None = None,
    ):
        self._replace = replace
        self._mark = mark
        self._each = step
        self._everywhere = mark is not None or step is not None
        self._enters: dict[int, bool] = {}

    def run(self, program: Program, values: Sequence[Any]) -> tuple[list[Any], dict[int, Any]]:
        inner = getattr(program, "jaxpr", program)
        known = named_values(program, values)
        marks: dict[int, Any] = {}
        for equation in inner.eqns:
            outputs, found = self._step(equation, look_up(known, equation.invars))
            known.update(zip(equation.outvars, outputs, strict=True))
            marks = _either(marks, found)
        return look_up(known, inner.outvars), marks

    def _step(self, equation: Equation, values: list) -> tuple[Sequence[Any], dict[int, Any]]:
        if id(equation) in self._replace:
            return self._replace[id(equation)](equation, values), {}
        if self._enters_inside(equation):
            name = equation.primitive.name
            if name == "scan":
                return self._scan(equation, values)
            if name == "cond":
                return self._cond(equation, values)
            if name in CALLS or (self._each is not None and name in RULES):
                return self.run(inner_programs(equation)[0], values)
        outputs = (self._each or bind)(equation, values)
        if self._mark is None:
            return outputs, {}
        return outputs, {id(equation): self._mark(equation, values, outputs)}

    def _enters_inside(self, equation: Equation) -> bool:
        if id(equation) not in self._enters:
            self._enters[id(equation)] = any(
                self._everywhere or id(inner) in self._replace or self._enters_inside(inner)
                for program in inner_programs(equation)
                for inner in program.eqns
            )
        return self._enters[id(equation)]

    def _scan(self, equation: Equation, values: list) -> tuple[Sequence[Any], dict[int, Any]]:
        body = equation.params["jaxpr"]
        outputs, marks = scan_with(equation, values, lambda given, _: self.run(body, given))
        return outputs, {name: jnp.any(answers) for name, answers in marks.items()}

    def _cond(self, equation: Equation, values: list) -> tuple[Sequence[Any], dict[int, Any]]:
        branches = equation.params["branches"]
        asked = [self._marks_of(branch, values[1:]) if self._mark else {} for branch in branches]
        nowhere = {name: jnp.array(False) for marks in asked for name in marks}

        def take(branch: Program) -> Callable:
            def taken(*operands: Any) -> tuple[list, dict]:
                outputs, marks = self.run(branch, operands)
                return outputs, {**nowhere, **marks}

            return taken

        return jax.lax.switch(values[0], [take(branch) for branch in branches], *values[1:])

    def _marks_of(self, branch: Program, values: Sequence[Any]) -> dict[int, Any]:
        return jax.eval_shape(lambda *operands: self.run(branch, operands)[1], *values)


def scan_with(
    equation: Equation,
    values: Sequence[Any],
    body: Callable[[list, Any], tuple[list, Any]],
    extra: Any = None,
) -> tuple[list[Any], Any]:
    """Run a `scan` with another body.

    Args:
      equation: the `scan`.
      values: its inputs.
      body: `(inputs of a step, its slice of extra) -> (outputs of the step, what to keep)`.
      extra: a pytree whose leaves lead with the length of the scan.

    Returns:
      The outputs of the `scan`, and what was kept, stacked.
    """
    consts, carry = scan_counts(equation)

    def step(carried: list, scanned: tuple[list, Any]) -> tuple[list, tuple[list, Any]]:
        own, more = scanned
        outputs, kept = body([*values[:consts], *carried, *own], more)
        return outputs[:carry], (outputs[carry:], kept)

    options = {name: equation.params[name] for name in ("length", "reverse", "unroll")}
    start = [_strong(value) for value in values[consts : consts + carry]]
    scanned = list(values[consts + carry :]), extra
    last, (stacked, kept) = jax.lax.scan(step, start, scanned, **options)
    return [*last, *stacked], kept


def _either(marks: dict[int, Any], found: dict[int, Any]) -> dict[int, Any]:
    for name, answer in found.items():
        marks[name] = marks[name] | answer if name in marks else answer
    return marks


def _strong(value: Any) -> Any:
    return jax.lax.convert_element_type(value, jnp.result_type(value)) if _weak(value) else value


def _weak(value: Any) -> bool:
    return bool(getattr(getattr(value, "aval", value), "weak_type", False))
