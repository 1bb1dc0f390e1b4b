"""What every rule shares: a state, its numbers as data, and one update per structure.

A rule is a state type `(count, *slots, hyperparams)` and a pure function of numbers, gradients
and slots. Its `update` depends on structure only and is the same object for every value, so a
compiled program serves all of them.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxopt_dl._core.trees import wide_dtype, widen
from jaxopt_dl._core.types import Array, PyTree

from ._check import check_params, check_state, check_updates
from ._numbers import cast, check_hyperparam, evaluate, stored
from ._order import Link, kind_of, link

STRUCTURES = 512
"""How many structures keep their update; an evicted one would only compile again."""


def zeros(params: PyTree) -> PyTree:
    """Return one array of zeros per parameter, in at least float32."""
    return jax.tree.map(lambda leaf: jnp.zeros(np.shape(leaf), wide_dtype(leaf)), params)


def rule(
    who: str,
    state_type: type,
    step: Callable,
    numbers: dict[str, Any],
    *,
    start: Callable[[PyTree], Any] = zeros,
    **options: Any,
) -> optax.GradientTransformationExtraArgs:
    """Make a transformation out of a state type, a step and its numbers.

    Args:
      who: the public name, for messages.
      state_type: a NamedTuple with the fields `count`, one field per slot, `hyperparams`.
      step: `step(numbers, updates, slots, params, **options) -> (updates, slots)`, a function at
        the top of its module; `leafwise` makes one out of a formula for one leaf.
      numbers: name -> number or schedule, each name in the table of ranges.
      start: `start(params)` returns what a slot holds before the first update.
      options: what changes the formula itself, hashable.
    """
    for name, value in numbers.items():
        check_hyperparam(who, name, value)

    def init(params: PyTree) -> Any:
        check_params(who, params)
        return state_type(
            jnp.zeros((), jnp.int32),
            *(start(params) for _ in state_type._fields[1:-1]),
            {name: stored(value) for name, value in numbers.items()},
        )

    update = _update(who, state_type, step, **options)
    link(update, Link(kind_of(state_type), who, "learning_rate" in numbers))
    return optax.GradientTransformationExtraArgs(init, update)


def leafwise(formula: Callable) -> Callable:
    """Turn a formula for one leaf into a step over trees.

    `formula(n, gradient, *slots, **options)` returns a tuple `(update, *slots)`. It computes in
    at least float32; `n` has the numbers in that dtype.
    """

    @functools.wraps(formula)
    def step(numbers, updates, slots, params, **options):
        del params
        gradients, structure = jax.tree.flatten(updates)
        columns = [structure.flatten_up_to(slot) for slot in slots]
        rows = [
            formula(cast(numbers, wide_dtype(gradient)), widen(gradient), *row, **options)
            for gradient, *row in zip(gradients, *columns, strict=True)
        ]
        trees = [structure.unflatten(row[i] for row in rows) for i in range(1 + len(columns))]
        return trees[0], trees[1:]

    return step


def descend(n: Any, direction: Array) -> Array:
    """Turn a direction into an update: the single place where the sign flips.

    A block has no learning rate and hands its direction on.
    """
    return -n.learning_rate * direction if hasattr(n, "learning_rate") else direction


@functools.lru_cache(maxsize=STRUCTURES)
def _update(who: str, state_type: type, step: Callable, **options: Any) -> Callable:
    def update(updates, state, params=None, **extra):
        del extra
        check_state(who, state, state_type)
        slots = state[1:-1]
        check_updates(who, updates, params, slots)
        count = jnp.asarray(optax.safe_increment(state.count))
        numbers = evaluate(state.hyperparams, state.count, step=count)
        changed, slots = step(numbers, updates, slots, params, **options)
        changed = jax.tree.map(lambda new, old: new.astype(jnp.result_type(old)), changed, updates)
        return changed, state_type(count, *slots, state.hyperparams)

    return update
