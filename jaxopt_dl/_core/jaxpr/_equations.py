"""Equations of a program and what is inside them, whatever the release of JAX."""

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

Program: TypeAlias = Any
"""A jaxpr with its constants, as `jax.make_jaxpr` returns it."""
Equation: TypeAlias = Any
RULES = ("custom_jvp_call", "custom_vjp_call")
CALLS = ("jit", "pjit", "closed_call", "core_call", "remat2", "checkpoint")


def is_literal(atom: Any) -> bool:
    """Whether an input is a number written into the program, not a variable."""
    return hasattr(atom, "val")


def named_values(program: Program, values: Sequence[Any]) -> dict[Any, Any]:
    """Return variable -> value for the constants and the inputs of a program."""
    inner = getattr(program, "jaxpr", program)
    known = dict(zip(inner.constvars, getattr(program, "consts", ()), strict=True))
    known.update(zip(inner.invars, values, strict=True))
    return known


def look_up(known: dict[Any, Any], atoms: Sequence[Any]) -> list[Any]:
    """Return the values of variables and literals."""
    return [atom.val if is_literal(atom) else known[atom] for atom in atoms]


def inner_programs(equation: Equation) -> list[Program]:
    """Return the programs an equation calls, such as the branches of a `cond`."""
    found = []
    for value in equation.params.values():
        parts = value if isinstance(value, tuple | list) else [value]
        found += [part for part in parts if hasattr(part, "eqns") or hasattr(part, "jaxpr")]
    return [part for part in found if hasattr(getattr(part, "jaxpr", part), "eqns")]


def body_of(equation: Equation) -> Program | None:
    """Return the program that a call or a custom rule runs forward, None for other equations."""
    if equation.primitive.name not in (*RULES, *CALLS):
        return None
    return next(iter(inner_programs(equation)), None)


def input_types(equation: Equation) -> list[Any]:
    """Return shape and dtype of every input."""
    return [atom.aval for atom in equation.invars]


def output_types(equation: Equation) -> list[Any]:
    """Return shape and dtype of every output."""
    return [variable.aval for variable in equation.outvars]


def scan_counts(equation: Equation) -> tuple[int, int]:
    """Return the number of constants and of carried values of a `scan`."""
    params = equation.params
    if "num_consts" in params:
        return params["num_consts"], params["num_carry"]
    consts, carry, _ = params["ft_in"].unpack()
    return len(consts), len(carry)


class Loop(NamedTuple):
    """A `while` equation taken apart.

    Attributes:
      test: whether to go on; its inputs are `tested` constants and the state. Under `vmap` it
        answers for every lane, and the state leads with the axes of the answer.
      body: one step; its inputs are `looped` constants and the state.
      tested: number of constants of the test, which come first among the equation's inputs.
      looped: number of constants of the body, which come next; the first state is the rest.
    """

    test: Program
    body: Program
    tested: int
    looped: int


def loop_of(equation: Equation) -> Loop:
    """Take a `while` equation apart."""
    params = equation.params
    parts = params["cond_jaxpr"], params["body_jaxpr"]
    return Loop(*parts, params["cond_nconsts"], params["body_nconsts"])


class LinearSolve(NamedTuple):
    """A `custom_linear_solve` equation and its inputs taken apart.

    Attributes:
      apply: the matrix as a program, after its `applied` constants.
      solve: the solver as a program, after its `solved` constants.
      applied: values of these constants.
      solved: values of these constants.
      right: the right-hand side.
    """

    apply: Program
    solve: Program
    applied: list
    solved: list
    right: list


def linear_solve_of(equation: Equation, values: Sequence[Any]) -> LinearSolve:
    """Take a `custom_linear_solve` equation apart."""
    lengths, programs = equation.params["const_lengths"], equation.params["jaxprs"]
    before = lengths.matvec + lengths.vecmat
    end = before + lengths.solve + lengths.transpose_solve
    return LinearSolve(
        programs.matvec,
        programs.solve,
        list(values[: lengths.matvec]),
        list(values[before : before + lengths.solve]),
        list(values[end:]),
    )
