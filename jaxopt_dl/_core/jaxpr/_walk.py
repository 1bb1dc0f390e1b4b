"""Every equation of a program in its order, and the first one in which two programs differ."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxopt_dl._core.errors import is_traced

from ._equations import CALLS, RULES, Equation, Program, body_of, inner_programs, is_literal
from ._places import Place, user_place


class Site(NamedTuple):
    """One equation of a program, and the nearest line of user code.

    Attributes:
      equation: the equation.
      place: where the user wrote it; inside library code, the call that led there.
      inside: the rules it lies in, outermost first.
    """

    equation: Equation
    place: Place
    inside: tuple[Equation, ...]


def walk(program: Program, place: Place | None = None, inside: tuple = ()) -> Iterator[Site]:
    """Yield every equation of a program, outer ones before those inside them."""
    for equation in program.eqns:
        here = user_place(equation) or place or Place("unknown", "", 0)
        yield Site(equation, here, inside)
        deeper = (*inside, equation) if equation.primitive.name in RULES else inside
        for inner in inner_programs(equation):
            yield from walk(inner, here, deeper)


def scoped_equations(program: Program, scope: str = "") -> Iterator[tuple[str, Equation]]:
    """Yield every equation with its named scope, such as `block/00_dense`; calls are entered.

    Scopes are those of `jax.named_scope` (and of Flax modules); empty outside all of them.
    """
    for equation in program.eqns:
        own = str(equation.source_info.name_stack)
        here = "/".join(part for part in (scope, own) if part)
        body = body_of(equation) if equation.primitive.name in CALLS else None
        if body is None:
            yield here, equation
        else:
            yield from scoped_equations(body, here)


def first_difference(one: Program, other: Program) -> Site | None:
    """Return the first equation in which two programs differ, None where they are the same.

    Constants count by value, so that two traces of a function that draws new numbers differ.
    """
    pairs = zip(walk(one), walk(other), strict=False)
    unequal = _unequal_constants(one, other)
    for mine, theirs in pairs:
        if mine.equation.primitive is not theirs.equation.primitive:
            return mine
        atoms = zip(mine.equation.invars, theirs.equation.invars, strict=False)
        if any(_differs(a, b, unequal) for a, b in atoms) or _own_params(mine) != _own_params(
            theirs
        ):
            return mine
    return None


def _unequal_constants(one: Program, other: Program) -> set[Any]:
    variables = getattr(one, "jaxpr", one).constvars
    pairs = zip(variables, one.consts, other.consts, strict=False)
    return {name for name, a, b in pairs if not _same(a, b)}


def _differs(mine: Any, theirs: Any, unequal: set[Any]) -> bool:
    if is_literal(mine) and is_literal(theirs):
        return not _same(mine.val, theirs.val)
    return not is_literal(mine) and mine in unequal


def _same(a: Any, b: Any) -> bool:
    """Whether two constants are equal; of traced ones only the shape is known."""
    if jnp.shape(a) != jnp.shape(b):
        return False
    if is_traced(a) or is_traced(b):
        return True
    if hasattr(a, "dtype") and jnp.issubdtype(a.dtype, jax.dtypes.extended):
        a, b = jax.random.key_data(a), jax.random.key_data(b)
    return bool(np.array_equal(np.asarray(a), np.asarray(b), equal_nan=True))


def _own_params(site: Site) -> dict[str, Any]:
    """Numbers and words among the parameters; the programs among them are walked themselves."""
    return {name: value for name, value in site.equation.params.items() if _is_plain(value)}


def _is_plain(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(_is_plain(part) for part in value)
    return value is None or isinstance(value, str | int | float)
