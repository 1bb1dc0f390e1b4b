"""Many values of the function at once: small vmapped batches in one compiled loop.

Batches as large as the cache beat both one value at a time and everything at once, and need
little memory.

A direction is a range of the flat vector. The entries of the range move by `step` times their
own unit (scale and sign); one entry is a coordinate direction, several are a masked random one.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxopt_dl._core.types import Array

from ._problem import Problem

BATCH = 16
"""Values computed side by side, if they fit the cache; more gain nothing."""
CACHE = 2**16
"""Float64 numbers."""
LARGE_CACHE = 2**21
"""The same for functions without wide convolutions, which want few values at once."""
CALL = 128
"""Values per call, unless they are large. One size for all, so that one compilation serves."""
LARGE_CALL = 2**24
"""Float64 numbers one call may write, so that it returns in a moment."""


class Moves(NamedTuple):
    """Where to evaluate: each field is `(n,)`.

    Attributes:
      low: first moved entry of the flat vector.
      high: one past the last.
      step: factor on the unit of every moved entry.
    """

    low: np.ndarray
    high: np.ndarray
    step: np.ndarray


class Evaluator:
    """Evaluates a function of a flat vector at many displaced points.

    Attributes:
      calls: how many values were computed so far.
    """

    def __init__(
        self,
        function: Callable[[Array], Array],
        width: int,
        on_progress: Callable[[int], None],
        cache: int = CACHE,
    ):
        """Compile lazily.

        Args:
          function: scalar function of a `(size,)` vector.
          width: how many float64 numbers one evaluation holds.
          on_progress: called with the number of values after every call.
          cache: how many float64 numbers one batch may hold.
        """
        self.calls = 0
        batch = int(np.clip(cache // width, 1, BATCH))
        self._chunk = batch * max(int(min(CALL, LARGE_CALL // width)) // batch, 1)
        self._on_progress = on_progress
        self._function = function
        self._one_by_one = batch == 1
        self._batched = jax.jit(_mapped(function, batch))

    def value(self, point: np.ndarray) -> float:
        """Return the value at one point."""
        nowhere = np.zeros(1, np.int64)
        return float(
            self.values(point, np.ones_like(point), Moves(nowhere, nowhere, np.zeros(1)))[0]
        )

    def values(self, point: np.ndarray, unit: np.ndarray, moves: Moves) -> np.ndarray:
        """Return the `(n,)` values at `point` displaced by each move."""
        total = moves.step.shape[0]
        chunk = self._chunk
        flat, units = jnp.asarray(point), jnp.asarray(unit)
        found = np.empty(total)
        for start in range(0, total, chunk):
            piece = [_padded(column[start : start + chunk], chunk) for column in moves]
            out = np.asarray(self._run(flat, units, *piece))
            found[start : start + chunk] = out[: total - start]
            self.calls += min(chunk, total - start)
            self._on_progress(self.calls)
        return found

    def _run(self, *inputs: Array | np.ndarray) -> Array:
        """Evaluate a chunk side by side, or one by one where something inside refuses `vmap`."""
        if not self._one_by_one:
            try:
                return self._batched(*inputs)
            except (NotImplementedError, ValueError):  # a callback, an operation of the user's
                self._one_by_one = True
                self._batched = jax.jit(_mapped(self._function, 1))
        return self._batched(*inputs)


class HostEvaluator(Evaluator):
    """The same for a function that JAX cannot trace: one call per value."""

    def __init__(self, function: Callable, on_progress: Callable[[int], None]):
        """Keep the function as it is."""
        self.calls = 0
        self._function = function
        self._on_progress = on_progress

    def values(self, point: np.ndarray, unit: np.ndarray, moves: Moves) -> np.ndarray:
        """Return the `(n,)` values at `point` displaced by each move."""
        found = np.empty(moves.step.shape[0])
        for row, (low, high, step) in enumerate(zip(*moves, strict=True)):
            moved = point.copy()
            moved[low:high] += step * unit[low:high]
            found[row] = self._function(moved)
            self.calls += 1
            self._on_progress(self.calls)
        return found


def evaluator_of(
    problem: Problem,
    width: int,
    on_progress: Callable[[int], None] = lambda done: None,
    cache: int = CACHE,
) -> Evaluator:
    """Return the evaluator that suits the problem's function."""
    if problem.on_host:
        return HostEvaluator(problem.value, on_progress)
    return Evaluator(problem.value, width, on_progress, cache)


def _displaced(function: Callable[[Array], Array]) -> Callable[..., Array]:
    def at(flat: Array, unit: Array, low: Array, high: Array, step: Array) -> Array:
        position = jnp.arange(flat.shape[0])
        moved = (position >= low) & (position < high)
        return function(flat + jnp.where(moved, step * unit, jnp.zeros_like(unit)))

    return at


def _displaced_alone(function: Callable[[Array], Array]) -> Callable[..., Array]:
    """The same for one move at a time: a single entry is moved without a pass over all others."""
    displaced = _displaced(lambda flat: flat)

    def at(flat: Array, unit: Array, low: Array, high: Array, step: Array) -> Array:
        def single(flat: Array, unit: Array) -> Array:
            return flat.at[low].add(step * unit[low])

        def many(flat: Array, unit: Array) -> Array:
            return displaced(flat, unit, low, high, step)

        return function(jax.lax.cond(high - low == 1, single, many, flat, unit))

    return at


def _mapped(function: Callable[[Array], Array], batch: int) -> Callable[..., Array]:
    at = _displaced_alone(function) if batch == 1 else _displaced(function)

    def run(flat: Array, unit: Array, *moves: Array) -> Array:
        at_once = batch if batch > 1 else None
        return jax.lax.map(lambda move: at(flat, unit, *move), moves, batch_size=at_once)

    return run


def _padded(column: np.ndarray, length: int) -> np.ndarray:
    return np.pad(column, (0, length - column.shape[0]), mode="edge")
