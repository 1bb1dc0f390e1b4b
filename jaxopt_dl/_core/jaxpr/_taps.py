"""Where to tap a program: every matrix product and nonlinearity, under a name a person can read.

A tap is found by its position, the indices of the equations that lead to it, because two calls
of one compiled function share its equations.
"""

import enum
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp

from ._equations import (
    CALLS,
    RULES,
    Equation,
    Program,
    body_of,
    is_literal,
    output_types,
)
from ._propagate import propagate
from ._rules import name_of
from ._walk import walk

PRODUCTS = ("dot_general", "conv_general_dilated", "ragged_dot_general")
NONLINEAR = (
    *("tanh", "logistic", "erf", "erfc", "exp", "exp2", "expm1", "sin", "cos"),
    *("max", "min", "clamp", "select_n"),
)
CURVED = ("abs", "sign", "square", "integer_pow", "pow", "sqrt", "rsqrt", "log", "log1p")
"""Nonlinear as well, but tapped as parts of an activation alone: losses, penalties and
normalization consist of them."""
ENTRYWISE = (
    *NONLINEAR,
    *CURVED,
    *("add", "sub", "mul", "div", "neg", "gt", "ge", "lt", "le", "eq", "ne", "and", "or", "not"),
    *("is_finite", "convert_element_type", "broadcast_in_dim", "stop_gradient", "copy"),
    *("jit", "pjit"),
    *RULES,
)
"""What an activation function may consist of."""
TRANSFORMED = re.compile(r"\w+\(([^()]*)\)")
"""How a name stack shows the scopes inside `vmap` or `grad`: `vmap(block)`."""

Position: TypeAlias = tuple[int, ...]


class Tap(NamedTuple):
    """One recorded output.

    Attributes:
      name: scope, operation, and a number from the second of the same name on, such as
        `head/dot_general_1`.
      output: which output of the equation.
      spec: shape and dtype; the steps of the scans it lies in come first.
    """

    name: str
    output: int
    spec: jax.ShapeDtypeStruct


Taps: TypeAlias = Mapping[Position, Sequence[Tap]]


class Influence(enum.IntEnum):
    """How floating-point inputs influence a value: not, by comparisons alone, or smoothly."""

    NONE = 0
    STEPS = 1
    SMOOTH = 2


def find_taps(program: Program) -> Taps:
    """Return the taps of a program, by position and in its order.

    Tapped are products, nonlinear operations entry by entry, custom rules as a whole, and
    compiled functions that are an activation, such as `silu`. Calls and scans are entered, other
    loops, branches and rules are not. Left out is what no floating-point input has an influence
    on, such as random numbers, what a given mask selects, and single numbers outside of scans.
    """
    counts: dict[str, int] = {}
    found: dict[Position, list[Tap]] = {}
    for position, scope, equation, steps in _places(program, _dependent(program)):
        for index, aval in enumerate(output_types(equation)):
            shape = (*steps, *aval.shape)
            if not shape or not _is_floating(aval):
                continue
            name = "/".join(part for part in (scope, _operation(equation)) if part)
            spec = jax.ShapeDtypeStruct(shape, aval.dtype)
            found.setdefault(position, []).append(Tap(_numbered(name, counts), index, spec))
    return found


def _numbered(name: str, counts: dict[str, int]) -> str:
    """Return a name that was not there yet."""
    count = counts.get(name, 0)
    counts[name] = count + 1
    return _numbered(f"{name}_{count}", counts) if count else name


def _places(
    program: Program,
    dependent: set[int],
    position: Position = (),
    scope: str = "",
    steps: tuple = (),
) -> Iterator[tuple[Position, str, Equation, tuple[int, ...]]]:
    """Yield position, scope, equation and lengths of the scans around it, for all taps."""
    for index, equation in enumerate(program.eqns):
        here = (*position, index)
        inner = "/".join(part for part in (scope, _scope(equation)) if part)
        if _is_tapped(equation, dependent):
            yield here, inner, equation, steps
        elif equation.primitive.name == "scan":
            deeper = (*steps, equation.params["length"])
            yield from _places(equation.params["jaxpr"], dependent, here, inner, deeper)
        elif equation.primitive.name in CALLS:
            yield from _places(body_of(equation), dependent, here, inner, steps)


def _is_tapped(equation: Equation, dependent: set[int]) -> bool:
    name = equation.primitive.name
    if name in CALLS:
        return _is_activation(equation) and any(
            id(site.equation) in dependent for site in walk(body_of(equation))
        )
    known = name in (*PRODUCTS, *RULES) or (name in NONLINEAR and not _is_idle(equation))
    return known and id(equation) in dependent


def _is_activation(equation: Equation) -> bool:
    """Whether a compiled function with a name is nonlinear, entry by entry, in one array."""
    arrays = [atom.aval for atom in equation.invars if getattr(atom.aval, "shape", ())]
    outputs = output_types(equation)
    if len(arrays) != 1 or len(outputs) != 1 or "name" not in equation.params:
        return False
    inside = [site.equation for site in walk(body_of(equation))]
    names = [inner.primitive.name for inner in inside]
    return (
        outputs[0].shape == arrays[0].shape
        and len([name for name in names if name not in ("jit", "pjit", *RULES)]) > 1
        and any(name in (*NONLINEAR, *CURVED) for name in names)
        and all(name in ENTRYWISE for name in names)
    )


def _is_idle(equation: Equation) -> bool:
    """Whether it is the maximum with minus infinity, which `softmax` takes, or the like."""
    literals = [atom.val for atom in equation.invars if is_literal(atom)]
    return any(jnp.ndim(value) == 0 and math.isinf(value) for value in literals)


def _dependent(program: Program) -> set[int]:
    """Return the `id` of every equation that a floating-point input has an influence on.

    A selection counts only if that goes for what it selects by: a given mask is linear.
    """
    found: set[int] = set()

    def transfer(equation: Equation, place: Any, facts: list[Influence]) -> list[Influence]:
        most = max(facts, default=Influence.NONE)
        given = equation.primitive.name == "select_n" and facts[0] is Influence.NONE
        if most is Influence.SMOOTH and not given:
            found.add(id(equation))
        least = min(most, Influence.STEPS)
        return [most if _is_floating(aval) else least for aval in output_types(equation)]

    atoms = getattr(program, "jaxpr", program).invars
    inputs = [Influence.SMOOTH if _is_floating(atom.aval) else Influence.NONE for atom in atoms]
    propagate(program, inputs, transfer, join=max, nothing=Influence.NONE)
    return found


def _is_floating(aval: Any) -> bool:
    return hasattr(aval, "dtype") and jnp.issubdtype(aval.dtype, jnp.floating)


def _scope(equation: Equation) -> str:
    """The named scopes of an equation, without the transformations around them."""
    scope = str(equation.source_info.name_stack)
    while TRANSFORMED.search(scope):
        scope = TRANSFORMED.sub(r"\1", scope)
    return "/".join(part for part in scope.split("/") if part)


def _operation(equation: Equation) -> str:
    return equation.params["name"] if equation.primitive.name in CALLS else name_of(equation)
