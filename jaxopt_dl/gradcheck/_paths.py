"""Which leaves the loss depends on, through differentiable paths or only through blocked ones.

Read off the traced program, without running it: a path is blocked by an operation whose
derivative is zero wherever it exists, such as rounding, comparing or casting to integers.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxopt_dl._core import jaxpr
from jaxopt_dl._core.jaxpr import Equation, Place, Program

FLAT = frozenset(("round", "floor", "ceil", "sign", "stop_gradient", "nextafter", "is_finite"))
LOOPS = frozenset(("while",))
OPAQUE = frozenset(("pure_callback", "io_callback"))


UNIT_ROUNDOFF = 2.0**-53


class Blocker(NamedTuple):
    """An operation that cuts a path.

    Attributes:
      primitive: its name, such as "round".
      place: the user's line.
    """

    primitive: str
    place: Place


class Reach(NamedTuple):
    """How the leaves reach one value.

    Attributes:
      alive: numbers of the leaves with a differentiable path to it.
      dead: pairs `(leaf, blocker)` for every blocked path to it.
      nan_only: whether it is the answer to "is this NaN?", so that what it selects hardly counts.
    """

    alive: frozenset[int]
    dead: frozenset[tuple[int, Blocker]]
    nan_only: bool = False


class Paths(NamedTuple):
    """Facts about a whole program.

    Attributes:
      loss: how the leaves reach the loss.
      roundoff: unit roundoff of the narrowest floating type on a differentiable path.
      loops: whether it holds a loop that runs until something has converged.
      opaque: whether it calls something that is no JAX program.
    """

    loss: Reach
    roundoff: float
    loops: bool
    opaque: bool

    @property
    def iterative(self) -> bool:
        """Whether rare jumps of the value are to be expected, as an inner solver makes."""
        return self.loops or self.opaque

    def starved(self) -> dict[int, tuple[Blocker, ...]]:
        """Leaves that reach the loss through blocked paths only, and what blocks them."""
        found: dict[int, list[Blocker]] = {}
        for leaf, blocker in self.loss.dead:
            if leaf not in self.loss.alive:
                found.setdefault(leaf, []).append(blocker)
        return {leaf: tuple(sorted(blockers)) for leaf, blockers in sorted(found.items())}


NOTHING = Reach(frozenset(), frozenset())


def trace_paths(program: Program, leaves: int) -> Paths:
    """Follow every leaf through the program.

    Args:
      program: its inputs are the leaves, its outputs what they should reach.
      leaves: how many there are.
    """
    narrowest = [UNIT_ROUNDOFF]

    def transfer(equation: Equation, place: Place, facts: list[Reach]) -> list[Reach]:
        first, *others = equation.invars or (None,)
        asks_for_nan = equation.primitive.name == "ne" and others[0] is first
        if equation.primitive.name == "select_n" and facts[0].nan_only:
            facts = facts[1:2]
        reach = _join_all(facts)
        blocked = _blocked(reach, Blocker(equation.primitive.name, place), nan_only=asks_for_nan)
        out = []
        for kind in jaxpr.output_types(equation):
            passes = _is_floating(kind.dtype) and equation.primitive.name not in FLAT
            if passes and reach.alive:
                narrowest.append(float(jnp.finfo(kind.dtype).eps) / 2)
            out.append(reach if passes else blocked)
        return out

    inputs = [Reach(frozenset([leaf]), frozenset()) for leaf in range(leaves)]
    loss = _join_all(jaxpr.propagate(program, inputs, transfer, join=_join, nothing=NOTHING))
    names = {site.equation.primitive.name for site in jaxpr.walk(program)}
    return Paths(loss, max(narrowest), bool(names & LOOPS), bool(names & OPAQUE))


def _blocked(reach: Reach, blocker: Blocker, *, nan_only: bool) -> Reach:
    dead = reach.dead | frozenset((leaf, blocker) for leaf in reach.alive)
    return Reach(frozenset(), dead, nan_only)


def _join(a: Reach, b: Reach) -> Reach:
    return Reach(a.alive | b.alive, a.dead | b.dead, a.nan_only and b.nan_only)


def _join_all(facts: list[Reach]) -> Reach:
    alive = frozenset().union(*(fact.alive for fact in facts))
    return Reach(alive, frozenset().union(*(fact.dead for fact in facts)))


def _is_floating(dtype: np.dtype) -> bool:
    return not jnp.issubdtype(dtype, jax.dtypes.extended) and bool(
        jnp.issubdtype(dtype, np.inexact)
    )
