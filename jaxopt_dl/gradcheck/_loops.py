"""While loops run in another way: no longer than a limit, and on until nothing moves any more.

An inner solver that stops at a tolerance returns a value near the solution, with a slope that
may be far from the solution's. Run on, it returns the solution. A loop that is no solver and
must stop where it does (a counter, a time) is found by trying, and left as it is.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxopt_dl._core import jaxpr
from jaxopt_dl._core.jaxpr import Equation, Loop, Program
from jaxopt_dl._core.types import Array

LOOP, SOLVE = "while", "custom_linear_solve"
LIMITS = tuple(4**power for power in range(2, 13))
"""Tried in turn, to learn how many steps the loops of a program take."""
SPARE = 64
"""Elsewhere they may take so many times more."""
STILL = 4.0
"""A step that moves nothing by more than this, in roundoffs of the largest value so far."""
STILL_STEPS = 3
CONVERGED = 2.0**12
"""The same for the last step of a loop that never stands still, because it rocks."""
ROUNDS = 40
"""Iterative refinement of a linear system gains at least a factor of three in each."""
SOLVED = 1e-12
"""Residual of a solved linear system, relative to its right-hand side."""
MODEST = 0.5
"""A loop that moves the result by a larger share when run on was not about to converge."""


class Pace(NamedTuple):
    """How the loops of a program run.

    Attributes:
      limit: most steps of any loop; one that wants more returns NaN.
      settles: `(solvers,)`, whether each runs on until it has converged; NaN if it does not.
    """

    limit: Any
    settles: Any


class _Progress(NamedTuple):
    """A loop under way; `lanes` is the shape of its test, which is `()` but under `vmap`.

    Attributes:
      state: the loop's own values.
      largest: size of every floating-point value so far, each `lanes`.
      running: whether its test says to go on, `lanes`.
      change: of the last step, in roundoffs, `lanes`.
      still: steps in a row that moved nothing, `lanes`.
      steps: how many so far.
    """

    state: list
    largest: list
    running: Array
    change: Array
    still: Array
    steps: Array


def has_loops(program: Program) -> bool:
    """Whether there is any `while` loop in a program."""
    return any(site.equation.primitive.name == LOOP for site in jaxpr.walk(program))


def find_solvers(program: Program) -> list[Equation]:
    """Return the linear solvers that iterate, and the `while` loops outside of them."""
    found: dict[int, Equation] = {}
    inside: set[int] = set()
    for equation in (site.equation for site in jaxpr.walk(program)):
        name = equation.primitive.name
        deeper = [s.equation for part in jaxpr.inner_programs(equation) for s in jaxpr.walk(part)]
        iterates = any(e.primitive.name == LOOP for e in deeper)
        if id(equation) not in inside and (name == LOOP or (name == SOLVE and iterates)):
            found[id(equation)] = equation
        if name == SOLVE:
            inside |= {id(e) for e in deeper}
    return list(found.values())


def paced(program: Program, pace: Pace) -> Callable[[Sequence[Any]], list]:
    """Return the program as a function of its inputs, its loops run at another pace.

    Rules and linear solvers are entered, so that it must not be differentiated.
    """
    settles = {id(e): pace.settles[i] for i, e in enumerate(find_solvers(program))}
    never = np.zeros((), bool)
    replace: dict[int, jaxpr.Replacement] = {}

    def run(part: Program | None, values: Sequence[Any]) -> list:
        return jaxpr.evaluate(part, values, replace)

    def enter(equation: Equation, values: list) -> list:
        return run(jaxpr.body_of(equation), values)

    def solve(equation: Equation, values: list) -> list:
        return _solve(equation, values, settles.get(id(equation), never), run)

    def repeat(equation: Equation, values: list) -> list:
        return _repeat(equation, values, pace.limit, settles.get(id(equation), never), run)

    chosen = {LOOP: repeat, SOLVE: solve, **dict.fromkeys(jaxpr.RULES, enter)}
    for site in jaxpr.walk(program):
        if site.equation.primitive.name in chosen:
            replace[id(site.equation)] = chosen[site.equation.primitive.name]
    return lambda values: run(program, values)


def find_pace(program: Program, flat: np.ndarray, expected: Any, size: Any) -> Pace | None:
    """Return a pace that lets the program go wherever it has to, None if there is none.

    Args:
      program: a function of one vector, with one output.
      flat: the vector, `(size,)`.
      expected: the output there.
      size: what counts as large for the output, of its shape.
    """
    solvers = find_solvers(program)
    run = jax.jit(lambda flat, pace: paced(program, pace)([flat])[0])

    def within(share: float, limit: int, settles: np.ndarray) -> bool:
        found = np.asarray(run(flat, Pace(limit, settles)))
        return bool(np.all(np.abs(found - expected) <= share * size))

    none = np.zeros(len(solvers), bool)
    limit = next((limit for limit in LIMITS if within(1e-9, limit, none)), None)
    if limit is None:
        return None
    limit *= SPARE
    able = np.array([_may_settle(solver) for solver in solvers])
    if within(MODEST, limit, able):
        return Pace(limit, able)
    alone = np.diag(able)[able]
    settles = np.any([only for only in alone if within(MODEST, limit, only)], axis=0) | none
    return Pace(limit, settles if within(MODEST, limit, settles) else none)


def _repeat(
    equation: Equation, values: list, limit: Any, settle: Any, run: Callable[..., list]
) -> list:
    """Run one loop at another pace."""
    test, body, tested, looped = jaxpr.loop_of(equation)
    start = [_strong(value) for value in values[tested + looped :]]
    counted = _is_counted(equation)

    def goes_on(state: list) -> Array:
        return run(test, [*values[:tested], *state])[0]

    def is_active(at: _Progress) -> Array:
        further = settle & (at.still < STILL_STEPS)
        if counted:
            further &= goes_on(
                [a if _decides(a) else b for a, b in zip(start, at.state, strict=True)]
            )
        return (at.running | further) & (at.steps < limit)

    def advance(at: _Progress) -> _Progress:
        active = is_active(at)
        lanes = active.shape
        new = [_strong(v) for v in run(body, [*values[tested : tested + looped], *at.state])]
        taken = active & (at.running | _all(lanes, [jnp.isfinite(v) for v in _floats(new)]))
        state = [_where(taken, a, b) for a, b in zip(new, at.state, strict=True)]
        moves = [jnp.abs(a - b) for a, b in zip(_floats(state), _floats(at.state), strict=True)]
        sizes = [_largest(lanes, value) for value in _floats(state)]
        largest = [jnp.maximum(a, b) for a, b in zip(at.largest, sizes, strict=True)]
        change = _in_roundoffs(lanes, moves, largest)
        still = jnp.where(change <= STILL, at.still + 1, 0)
        return _Progress(
            state,
            largest,
            at.running & goes_on(state),
            jnp.where(taken, change, at.change),
            jnp.where(taken, still, STILL_STEPS),
            at.steps + 1,
        )

    running = goes_on(start)
    largest = [_largest(running.shape, v) for v in _floats(start)]
    nowhere = jnp.full(running.shape, jnp.inf)
    none = jnp.zeros(running.shape, int)
    first = _Progress(start, largest, running, nowhere, none, jnp.asarray(0))
    last = jax.lax.while_loop(lambda at: jnp.any(is_active(at)), advance, first)
    good = ~last.running & (~settle | (last.change <= CONVERGED))
    return [_where(good, v, jnp.full_like(v, jnp.nan)) if _is_float(v) else v for v in last.state]


def _solve(equation: Equation, values: list, settle: Any, run: Callable[..., list]) -> list:
    """Solve one linear system, again for the residual until there is none.

    A solver may use its tolerance inside as well, so that its loop cannot just run on.
    """
    apply, solver, applied, solved, right = jaxpr.linear_solve_of(equation, values)
    size = _norm(right)

    def refine(at: tuple) -> tuple:
        found, left, rounds = at
        scale = size / _norm(left)
        more = run(solver, [*solved, *[scale * part for part in left]])
        found = [_strong(a + b / scale) for a, b in zip(found, more, strict=True)]
        product = run(apply, [*applied, *found])
        return found, [_strong(b - a) for a, b in zip(product, right, strict=True)], rounds + 1

    def is_open(at: tuple) -> Array:
        again = settle & (at[2] < ROUNDS) & (_norm(at[1]) > 4 * np.finfo(float).eps * size)
        return (size > 0) & ((at[2] == 0) | again)

    right = [_strong(part) for part in right]
    start = [jnp.zeros_like(part) for part in right], right, jnp.asarray(0)
    found, left, _ = jax.lax.while_loop(is_open, refine, start)
    good = ~settle | (_norm(left) <= SOLVED * size)
    return [jnp.where(good, part, jnp.nan) for part in found]


def _norm(parts: list) -> Array:
    return jnp.sqrt(sum(jnp.sum(jnp.abs(part) ** 2) for part in parts))


def _may_settle(equation: Equation) -> bool:
    """Whether a loop ends when numbers have become small or close, as far as one can see."""
    if equation.primitive.name == SOLVE:
        return True
    loop = jaxpr.loop_of(equation)
    state = _state_types(equation)
    fixed = [False] * loop.tested
    if _depends(loop.test, [*fixed, *map(_is_float, state)])[0]:
        return True
    decides = _depends(loop.test, [*fixed, *map(_decides, state)])[0]
    return decides and not _is_counted(equation)


def _is_counted(equation: Equation) -> bool:
    """Whether the numbers of a loop depend on a counter, which must not leave its range."""
    loop: Loop = jaxpr.loop_of(equation)
    state = _state_types(equation)
    counters = [not _decides(kind) for kind in state]
    moved = _depends(loop.body, [*[False] * loop.looped, *counters])
    return any(by for by, kind in zip(moved, state, strict=True) if _is_float(kind))


def _depends(program: Program, marked: Sequence[bool]) -> list[bool]:
    """Which outputs depend on the marked inputs."""

    def transfer(equation: Equation, place: Any, facts: list[bool]) -> list[bool]:
        return [any(facts)] * len(jaxpr.output_types(equation))

    return jaxpr.propagate(program, marked, transfer, join=lambda a, b: a or b, nothing=False)


def _state_types(equation: Equation) -> list[Any]:
    loop = jaxpr.loop_of(equation)
    return jaxpr.input_types(equation)[loop.tested + loop.looped :]


def _is_float(value: Any) -> bool:
    if jnp.issubdtype(value.dtype, jax.dtypes.extended):
        return False
    return bool(jnp.issubdtype(value.dtype, np.inexact))


def _decides(value: Any) -> bool:
    """Whether a value is a number or a flag, and no counter."""
    return _is_float(value) or value.dtype == np.bool_


def _floats(values: Iterable[Any]) -> list[Any]:
    return [value for value in values if _is_float(value)]


def _strong(value: Any) -> Array:
    """A value with a type of its own, as a loop wants to carry it."""
    if jnp.issubdtype(jnp.result_type(value), jax.dtypes.extended):
        return value
    value = jnp.asarray(value)
    return jax.lax.convert_element_type(value, value.dtype)


def _where(lanes: Array, new: Any, old: Any) -> Array:
    return jnp.where(lanes.reshape(lanes.shape + (1,) * (new.ndim - lanes.ndim)), new, old)


def _per_lane(lanes: tuple, value: Any) -> Array:
    return value.reshape(*lanes, -1)


def _largest(lanes: tuple, value: Any) -> Array:
    return jnp.max(_per_lane(lanes, jnp.abs(value)), axis=-1, initial=0)


def _all(lanes: tuple, answers: list) -> Array:
    parts = [jnp.all(_per_lane(lanes, answer), axis=-1) for answer in answers]
    return jnp.all(jnp.stack(parts), axis=0) if parts else jnp.ones(lanes, bool)


def _in_roundoffs(lanes: tuple, moves: list, largest: list) -> Array:
    """The largest move, each in roundoffs of the largest value it belongs to."""
    found = jnp.zeros(lanes)
    for move, size in zip(moves, largest, strict=True):
        roundoff = jnp.finfo(move.dtype).eps * size
        share = _largest(lanes, move) / jnp.where(roundoff > 0, roundoff, 1)
        found = jnp.maximum(found, share.astype(found.dtype))
    return found
