"""What JAX refuses about the user's function, said in one sentence with the user's line."""

import contextlib
import linecache
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, NoReturn

import jax
import numpy as np

from jaxopt_dl._core import jaxpr
from jaxopt_dl._core.errors import fail
from jaxopt_dl._core.jaxpr import Program

from ._words import elided

UNTRACEABLE = (
    jax.errors.ConcretizationTypeError,
    jax.errors.NonConcreteBooleanIndexError,
    jax.errors.TracerArrayConversionError,
    jax.errors.TracerIntegerConversionError,
)
OWN = (str(Path(__file__).parent), str(Path(np.__file__).parent))
ON_HOST = "or pass `gradient=`, and the function runs as it is, one call per value"
SHOWN = 60
"""Characters of the user's line."""


class Refusal(NamedTuple):
    """Something JAX cannot do with a function that it can trace.

    Attributes:
      kind: the exception JAX raises.
      words: part of its message.
      primitive: the operation at fault.
      rule: what must hold.
      advice: what to do.
    """

    kind: type[Exception]
    words: str
    primitive: str
    rule: str
    advice: str


REFUSALS = (
    Refusal(
        ValueError,
        "Reverse-mode differentiation does not work for lax.while_loop",
        "while",
        "the function must have a reverse mode, and `lax.while_loop` has none",
        "Use `lax.scan`, or `fori_loop` with bounds known beforehand; or give the loop a "
        "`jax.custom_vjp`; or pass `gradient=`.",
    ),
    Refusal(
        ValueError,
        "Pure callbacks do not support JVP",
        "pure_callback",
        "the function must have a derivative, and `jax.pure_callback` has none",
        "Give it a `jax.custom_vjp`, or pass `gradient=`.",
    ),
)


def is_untraceable(error: Exception) -> bool:
    """Whether a function failed because it needs numbers where JAX passes tracers."""
    causes = (error, error.__cause__)
    formatted = isinstance(error, TypeError) and "Tracer.__format__" in str(error)
    return formatted or any(isinstance(cause, UNTRACEABLE) for cause in causes)


def refuse_untraceable(who: str, error: Exception) -> NoReturn:
    """Say that the function must be traceable, where it is not, and what to do.

    Raises:
      TypeError: always, from `error`.
    """
    rule = "the function must be traceable by JAX, which passes arrays without numbers"
    advice = f"{_remedy(error)}, {ON_HOST}."
    fail(who, rule, f"but needs numbers {_line_of(error)}", advice, kind=TypeError, cause=error)


@contextlib.contextmanager
def explained(who: str, program: Program) -> Iterator[None]:
    """Say in one sentence what JAX cannot do with the program.

    Raises:
      ValueError: or what JAX raised, with the user's line.
    """
    try:
        yield
    except (ValueError, NotImplementedError) as error:
        for known in REFUSALS:
            if isinstance(error, known.kind) and known.words in str(error):
                came = f"used {_line_with(program, known.primitive)}"
                fail(who, known.rule, came, known.advice, kind=known.kind, cause=error)
        raise


def _remedy(error: Exception) -> str:
    found = error if isinstance(error, UNTRACEABLE) else error.__cause__ or error
    if isinstance(found, jax.errors.TracerBoolConversionError):
        return "Use `jnp.where` or `lax.cond` instead of Python's `if`, `and`, `while`"
    if isinstance(found, jax.errors.TracerArrayConversionError):
        return "Use jnp instead of np"
    if isinstance(found, jax.errors.NonConcreteBooleanIndexError):
        return "Use `jnp.where` with the mask instead of indexing by it"
    return "Keep it a JAX array, without `float`, `int`, `.item` or sizes that depend on it"


def _line_of(error: Exception) -> str:
    """Return the last line of the traceback that is the user's, with its text."""
    frames = traceback.extract_tb(error.__traceback__)
    written = [f for f in frames if not f.filename.startswith(OWN) and f.lineno]
    own = [f for f in written if not jaxpr.is_library(f.filename)]
    if not own:
        return "somewhere"
    return _quoted(own[-1].filename, own[-1].lineno or 0)


def _line_with(program: Program, primitive: str) -> str:
    for site in jaxpr.walk(program):
        if site.equation.primitive.name == primitive:
            return _quoted(site.place.file, site.place.line)
    return "somewhere"


def _quoted(file: str, line: int) -> str:
    text = elided(linecache.getline(file, line).strip(), SHOWN)
    return f"in line {line} of {file}" + (f" (`{text}`)" if text else "")
