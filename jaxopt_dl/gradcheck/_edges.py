"""Operations that change their answer exactly at the parameters.

`where(x == 0, 0.0, x)` has slope 1 at zero, but only the branch for zero is differentiated there;
`heaviside` jumps there; and of several kinks at one point each may be given a valid slope of its
own, and their sum a wrong one. The program is run at the point and a hair to both sides of it, and
the first operation that answers differently is where the function changes its formula.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxopt_dl._core import jaxpr
from jaxopt_dl._core.jaxpr import Equation, Site
from jaxopt_dl._core.numerics import is_floating
from jaxopt_dl._core.types import Array

from ._components import Base
from ._local import any_of, slopes
from ._parts import Cause
from ._subject import Subject

HAIR = 2.0**-30
"""Relative to the unit of each entry."""
CONTINUOUS, LEAP = 1e-6, 1e-3
"""Relative changes: inputs that move less, and outputs or slopes that move more."""
GAIN = 2.0**20
"""A leap is larger than the move of any input by this factor."""
STEPPED = frozenset(("floor", "ceil", "round", "sign", "rem", *jaxpr.RULES))
"""Operations with real outputs that may leap."""
TWINS = "twins"
SHOWN = 3

ON_A_TRAP = (
    "it answers differently exactly at these parameters than on both sides of them, so what is "
    "differentiated is a branch that holds at this one point only."
)
ON_A_JUMP = (
    "it changes its answer exactly at these parameters, and the loss jumps with it, so it has no "
    "derivative here."
)
ON_A_KINK = (
    "its slope changes exactly at these parameters; where several such kinks meet, the slopes that "
    "are taken for each of them need not add up to one that the loss has."
)


class Edge(NamedTuple):
    """An operation on whose edge the point lies.

    Attributes:
      site: the operation.
      detail: what that means, one sentence.
    """

    site: Site
    detail: str


def blame_edges(
    subject: Subject, base: Base, failing: np.ndarray
) -> tuple[list[Cause], np.ndarray]:
    """Return the operations on whose edge the point lies, and the failing entries behind them."""
    found = edges(subject, base, failing)
    leaves = subject.leaves_with(failing)
    causes = []
    for edge in found:
        name, place = jaxpr.name_of(edge.site.equation), edge.site.place
        causes.append(Cause("edge", name, place.file, place.line, leaves, edge.detail))
    return list(dict.fromkeys(causes)), failing & bool(found)


def edges(subject: Subject, base: Base, entries: np.ndarray) -> list[Edge]:
    """Return the operations that change their answer when some entries move."""
    shift = np.where(entries, HAIR * base.unit, 0.0)
    shift *= np.random.default_rng(0).uniform(0.5, 1.0, shift.shape)
    points = base.point + np.multiply.outer([0.0, 1.0, -1.0], shift)
    for mark in (_jumps, _bends):
        try:
            marks = subject.marker(mark, twins=TWINS)(points)
        except NotImplementedError:  # something that cannot be mapped over the points
            return []
        sites = [site for site in jaxpr.walk(subject.program) if marks.get(id(site.equation))]
        if sites:
            detail = ON_A_KINK if mark is _bends else _of_jumps(subject, points, base)
            return [Edge(site, detail) for site in sites[:SHOWN]]
    return []


def _of_jumps(subject: Subject, points: np.ndarray, base: Base) -> str:
    here, *sides = np.asarray(jax.jit(jax.vmap(subject.problem.value))(points))
    room = 1e3 * base.noise + 2.0**-20 * abs(here)
    return ON_A_JUMP if max(abs(side - here) for side in sides) > room else ON_A_TRAP


def _jumps(equation: Equation, inputs: list, outputs: Sequence[Any]) -> Array:
    """Whether outputs leap although no input does."""
    moves = [_move(value) for value in inputs if is_floating(value)]
    if not moves:
        return jnp.array(False)
    gain = GAIN * jnp.max(jnp.stack(moves))
    stepped = equation.primitive.name in STEPPED
    real = [out for out in outputs if is_floating(out) and stepped]
    leaps = [_moved(out, LEAP) & (_move(out) > gain) for out in real]
    leaps += [_moved(out, 0.0) for out in outputs if not is_floating(out)]
    return _steady(inputs) & any_of(leaps)


def _bends(equation: Equation, inputs: list, outputs: Sequence[Any]) -> Array:
    """Whether slopes leap although no input does."""
    moves = [_move(value) for value in inputs if is_floating(value)]
    if not moves:
        return jnp.array(False)
    gain = GAIN * jnp.max(jnp.stack(moves))
    back = slopes(equation, inputs)
    return _steady(inputs) & any_of([_moved(s, LEAP) & (_move(s) > gain) for s in back])


def _steady(inputs: list) -> Array:
    return ~any_of([_moved(value, CONTINUOUS, floor=1.0) for value in inputs])


def _moved(value: Any, share: float, floor: float = 0.0) -> Array:
    """Whether a value differs from that of the first twin, by more than a share if it is real."""
    value = jnp.asarray(value)
    if jnp.issubdtype(value.dtype, jax.dtypes.extended) or value.size == 0:
        return jnp.array(False)
    if not is_floating(value):
        return jnp.any(value != _first(value))
    size = jnp.max(jnp.maximum(jnp.abs(value), jnp.abs(_first(value))))
    return _move(value) > share * jnp.maximum(size, floor)


def _move(value: Any) -> Array:
    """How far a real value is from that of the first twin."""
    return jnp.max(jnp.abs(value - _first(value)), initial=0.0)


def _first(value: Any) -> Array:
    return jax.lax.all_gather(jnp.asarray(value), TWINS)[0]
