"""What every schedule promises."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxopt_dl import optim
from jaxopt_dl._core.errors import check_callable

from ._agree import assert_close, assert_pure
from ._promise import given, hold_all

COUNTS = range(15)


def check_schedule(schedule: Callable, *, strict: bool = False) -> None:
    """Check that a schedule keeps the promises of the library's own.

    It is a function of the count alone, from 0 at the first update, that returns one finite number
    of at least 0 for every kind of count, compiled or not and under `vmap`; and an optimizer
    applies its values. Whether its *numbers* are data is for `check_numbers_are_data`.

    Args:
      schedule: what `schedules.cosine(0.1, steps=100)` would return; a plain function such as
        `lambda count: 0.1` or one of optax will do.
      strict: whether to ask all of it once more under strict dtype promotion and without rank
        promotion. A schedule that mixes dtypes as JAX allows is not at fault otherwise.

    Raises:
      AssertionError: at the first broken promise, saying which, for which input, what came, and
        what to do.
      TypeError: if `schedule` cannot be called.

    Examples:
      >>> from jaxopt_dl import schedules
      >>> check_schedule(schedules.cosine(0.1, steps=100))
      >>> check_schedule(lambda count: 0.1)
    """
    check_callable("check_schedule", "schedule", schedule)
    hold_all("check_schedule", PROMISES, schedule, strict=strict)


def returns_a_scalar(schedule: Callable) -> None:
    """The value is one real number for every kind of count.

    Return a Python number or an array of shape (), computed from one argument, the count; look
    for a missing `return`.
    """
    for count in (4, np.int64(4), np.int32(4), jnp.int32(4)):
        with given(f"a count of type {type(count).__name__}"):
            value = schedule(count)
            assert value is not None, "got None"
            assert np.shape(value) == (), f"got shape {np.shape(value)}"
            dtype = jnp.result_type(value)
            assert jnp.issubdtype(dtype, np.number), f"got dtype {dtype}"
            assert not jnp.issubdtype(dtype, np.complexfloating), f"got dtype {dtype}"


def repeats_itself(schedule: Callable) -> None:
    """The same count gives the same value.

    Compute it from the count alone: no counter of its own, and no random numbers of the host.
    """
    for count in (0, 4):
        with given(f"count {count}"):
            assert_pure(lambda count: jnp.asarray(schedule(count)), jnp.int32(count))


def is_finite(schedule: Callable) -> None:
    """Values are finite and at least 0, also long after its end.

    Clip the count, `jnp.minimum(count, steps)`, or the value, `jnp.maximum(value, 0)`.
    """
    for count in (*COUNTS, 10**6, 10**9):
        with given(f"count {count}"):
            value = float(schedule(jnp.int32(count)))
            assert np.isfinite(value) and value >= 0, f"got {value}"


def compiles(schedule: Callable) -> None:
    """Compiled values, and values under vmap, are the interpreted ones.

    Branch on the count with `jnp.where`, and keep nothing outside of it.
    """
    counts = jnp.arange(len(COUNTS), dtype=jnp.int32)
    alone = np.array([float(schedule(count)) for count in counts], np.float32)
    compiled = jax.jit(jax.vmap(lambda count: jnp.asarray(schedule(count), jnp.float32)))
    assert_close(compiled(counts), alone)


def is_applied(schedule: Callable) -> None:
    """An optimizer applies its value at the count, from 0 on.

    Use nothing but the count that comes: the first update sees 0.
    """
    params = jnp.array([1.0, -2.0])
    rule = optim.sgd(schedule)
    state: Any = rule.init(params)
    for count in range(8):
        with given(f"count {count}"):
            updates, state = rule.update(params, state, params)
            expected = -float(schedule(jnp.int32(count))) * np.asarray(params)
            assert_close(updates, expected.astype(np.float32))


PROMISES = (returns_a_scalar, repeats_itself, is_finite, compiles, is_applied)
