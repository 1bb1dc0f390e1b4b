"""What every schedule promises."""

from collections.abc import Callable
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np

from jaxopt_dl import optim
from jaxopt_dl._core.errors import check_callable

from ._promise import given, hold_all, traced_once

COUNTS = range(15)


def check_schedule(schedule: Callable) -> None:
    """Check that a schedule keeps the promises of the library's own.

    It is a function of the count, from 0 at the first update, that returns one finite number of
    at least 0 for every kind of count, compiled or not, under `vmap` and under strict promotion;
    its numbers are the leaves of a pytree, so that other numbers do not compile again; and an
    optimizer applies its values.

    Args:
      schedule: what `schedules.cosine(0.1, steps=100)` would return.

    Raises:
      AssertionError: at the first broken promise, saying which, for which input, and what came.
      TypeError: if `schedule` cannot be called.

    Examples:
      >>> from jaxopt_dl import schedules
      >>> check_schedule(schedules.cosine(0.1, steps=100))
    """
    check_callable("check_schedule", "schedule", schedule)
    hold_all("check_schedule", PROMISES, schedule)


def returns_a_scalar(schedule: Callable) -> None:
    """The value is a strongly typed scalar of the default dtype for every kind of count."""
    for count in (4, np.int64(4), np.int32(4), jnp.int32(4)):
        with given(f"a count of type {type(count).__name__}"):
            value = schedule(count)
            chex.assert_shape(value, ())
            assert value.dtype == jnp.result_type(float), f"got dtype {value.dtype}"
            assert not value.weak_type, "got a weakly typed value, like a Python number"


def is_finite(schedule: Callable) -> None:
    """Values are finite and at least 0, also long after its end."""
    for count in (*COUNTS, 10**6, 2**31 - 1):
        with given(f"count {count}"):
            value = float(schedule(count))
            assert np.isfinite(value) and value >= 0, f"got {value}"


def compiles(schedule: Callable) -> None:
    """Compiled values, and values under vmap, are the interpreted ones."""
    counts = jnp.arange(len(COUNTS), dtype=jnp.int32)
    alone = np.array([float(schedule(count)) for count in COUNTS])
    rounding = 1e-6 * np.max(np.abs(alone))
    np.testing.assert_allclose(jax.jit(jax.vmap(schedule))(counts), alone, rtol=0, atol=rounding)


def keeps_numbers_as_leaves(schedule: Callable) -> None:
    """Its numbers are leaves of a pytree: other numbers are the same structure and one trace."""
    leaves, structure = jax.tree.flatten(schedule)
    assert leaves and leaves != [schedule], "it has no leaves; register it as a pytree"
    value = traced_once(lambda schedule, count: schedule(count))
    for more in range(3):
        other = structure.unflatten([_other(leaf, more) for leaf in leaves])
        state: Any = optim.sgd(other).init(jnp.ones(2))
        value(state.hyperparams["learning_rate"], state.count)


def needs_no_device(schedule: Callable) -> None:
    """Making it touches no device: its leaves are plain numbers until it is evaluated."""
    for leaf in jax.tree.leaves(schedule):
        assert isinstance(leaf, int | float), f"got a {type(leaf).__name__}"


def is_applied(schedule: Callable) -> None:
    """An optimizer applies its value at the count, from 0 on."""
    params = jnp.array([1.0, -2.0])
    rule = optim.sgd(schedule)
    state = rule.init(params)
    for count in range(8):
        with given(f"count {count}"):
            updates, state = rule.update(params, state, params)
            expected = -float(schedule(count)) * np.asarray(params)
            np.testing.assert_allclose(np.asarray(updates), expected, rtol=2e-6)


PROMISES = (
    returns_a_scalar,
    is_finite,
    compiles,
    keeps_numbers_as_leaves,
    needs_no_device,
    is_applied,
)


def _other(leaf: Any, more: int) -> Any:
    """Return another number of the same kind: lengths grow, values shrink."""
    return leaf + more if isinstance(leaf, int) else leaf / (1 + more)
