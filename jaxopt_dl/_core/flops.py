"""Floating-point operations of a traced program, counted from shapes.

A count from shapes is the same on every backend and needs no compilation. XLA's own analysis
counts the body of a loop once, however often it runs.
"""

import math
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from jaxopt_dl._core.jaxpr import Equation, Program, body_of, inner_programs, output_types

ARITHMETIC = frozenset(
    "abs add add_any atan2 cbrt ceil cos div erf erf_inv erfc exp exp2 expm1 floor integer_pow "
    "log log1p logistic mul neg nextafter pow rem round rsqrt sin sqrt square sub tan tanh".split()
)
"""Element-wise operations; each output counts as one."""
REDUCTIONS = frozenset("cumlogsumexp cumprod cumsum reduce_prod reduce_sum".split())
"""Sums and products; each input counts as one."""


def count_flops(program: Program) -> int:
    """Return the operations of one run.

    Matrix products and convolutions count 2 for each multiply-add (padding included), arithmetic
    1 per output, sums 1 per input; moving and comparing numbers (a maximum) counts nothing. A
    `scan` counts every step, a `cond` its larger branch, a `while` loop one round.
    """
    return sum(_of(equation) for equation in program.eqns)


def _of(equation: Equation) -> int:
    name = equation.primitive.name
    if (body := body_of(equation)) is not None:
        return count_flops(body)
    if name == "scan":
        return equation.params["length"] * count_flops(equation.params["jaxpr"])
    inner = [count_flops(program) for program in inner_programs(equation)]
    if name == "cond":
        return max(inner)
    if name in _SPECIAL:
        return _SPECIAL[name](equation)
    if name in ARITHMETIC and _is_floating(equation):
        return math.prod(output_types(equation)[0].shape)
    if name in REDUCTIONS and _is_floating(equation):
        return math.prod(_shape(equation, 0))
    return sum(inner)


def _is_floating(equation: Equation) -> bool:
    """Whether it reads numbers other than integers, such as the counters of loops."""
    return jnp.issubdtype(equation.invars[0].aval.dtype, jnp.inexact)


def _dot(equation: Equation) -> int:
    (contracted, _), _ = equation.params["dimension_numbers"]
    depth = math.prod(_shape(equation, 0)[axis] for axis in contracted)
    return 2 * depth * math.prod(output_types(equation)[0].shape)


def _convolution(equation: Equation) -> int:
    kernel = _shape(equation, 1)
    features = kernel[equation.params["dimension_numbers"].rhs_spec[0]]
    return 2 * math.prod(kernel) // features * math.prod(output_types(equation)[0].shape)


def _window(equation: Equation) -> int:
    window = equation.params["window_dimensions"]
    return math.prod(window) * math.prod(output_types(equation)[0].shape)


_SPECIAL: dict[str, Callable[[Equation], int]] = {
    "dot_general": _dot,
    "conv_general_dilated": _convolution,
    "reduce_window_sum": _window,
}


def _shape(equation: Equation, index: int) -> tuple[Any, ...]:
    return equation.invars[index].aval.shape
