"""Custom rules and other derivatives that somebody gave: where from, and by what name."""

import functools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jax.interpreters import ad

from ._equations import RULES, Equation, body_of
from ._places import Place, is_library, short_name, user_place

WRAPPERS = ("wrapped_fun", "fn_wrapped", "fn_wrapper")
"""Functions that `jax.custom_gradient` and `equinox.filter_custom_vjp` put around the user's."""
WRAPPING_FILE = "custom_derivatives.py"
PARTS_OF_A_RULE = ("bwd", "jvp_jaxpr_fun", "fwd_jaxpr_thunk")
"""Parameters of a custom rule that hold the functions it is made of."""
TAKERS = ("custom_linear_solve", "linear_call")
"""Operations of JAX that are differentiated by functions given to them."""
HIGH_LEVEL = "call_hi_primitive"
"""What newer releases of JAX make of an operation with rules of its own, such as `custom_root`."""


def definition(equation: Equation, place: Place) -> Place:
    """Return where a custom rule is defined, as well as that is known.

    That is where its function is, or where the user's rule for a library's function is.

    Args:
      equation: a call of a custom rule.
      place: where it is called.
    """
    body = body_of(equation)
    written = _source(getattr(body, "jaxpr", body)) or place
    if written.function in WRAPPERS or Path(written.file).name == WRAPPING_FILE:
        inner = (user_place(equation) for equation in getattr(body, "eqns", ()))
        return next((found for found in inner if found is not None), written)
    if is_library(written.file):
        parts = [_source(equation.params.get(name)) for name in PARTS_OF_A_RULE]
        own = (part for part in parts if part is not None and not is_library(part.file))
        return next(own, written)
    return written


def name_of(equation: Equation) -> str:
    """Return what a person calls an operation: its primitive, or the function with the rule."""
    name = equation.primitive.name
    if name in RULES:
        return definition(equation, Place(name, "", 0)).function
    own = type(equation.params.get("_prim")).__name__
    return re.sub("(?<=[a-z])(?=[A-Z])", "_", own).lower() if name == HIGH_LEVEL else name


def has_given_derivative(equation: Equation) -> bool:
    """Whether a user supplies the derivative of an operation, other than by a custom rule.

    As the functions given to `custom_root` or `linear_call`, or as a primitive of the user's own.
    """
    primitive = equation.primitive
    if primitive.name in RULES:
        written = definition(equation, Place("", "", 0))
        return is_library(written.file) and written.function.startswith("_")
    rules = [table.get(primitive) for table in (ad.primitive_jvps, ad.primitive_transposes)]
    return primitive.name in (*TAKERS, HIGH_LEVEL) or any(
        not is_library(file) for rule in rules for file in _files_in(rule)
    )


def _source(traced: Any) -> Place | None:
    """Where the function behind something traced is defined; None if that is unknown."""
    info = str(getattr(getattr(traced, "debug_info", None), "func_src_info", "") or "")
    name, _, where = info.rpartition(" at ")
    file, _, line = where.rpartition(":")
    return Place(short_name(name), file, int(line) if line.isdigit() else 0) if file else None


def _files_in(part: Any) -> Iterator[str]:
    """Files of the functions that a differentiation rule of a primitive is made of."""
    if isinstance(part, functools.partial):
        part = (part.func, *part.args)
    if isinstance(part, tuple | list):
        for inner in part:
            yield from _files_in(inner)
    elif hasattr(part, "__code__"):
        yield part.__code__.co_filename
