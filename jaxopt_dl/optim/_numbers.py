"""The numbers of the rules: their names and ranges, how they are stored and evaluated.

One table for all rules, so that a number means the same everywhere and an edit of a running
state is checked like a construction.
"""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxopt_dl._core.errors import check_number, fail, is_traced
from jaxopt_dl._core.trees import as_pytree
from jaxopt_dl._core.types import Array, Number, PyTree

_SHARE = {"low": 0.0, "high": 1.0, "high_open": True}
_POSITIVE = {"low": 0.0, "low_open": True}
_NOT_NEGATIVE = {"low": 0.0}

RANGES: dict[str, dict[str, Any]] = {
    "atol": _NOT_NEGATIVE,
    "b1": _SHARE,
    "b2": _SHARE,
    "cooldown": _NOT_NEGATIVE,
    "decay": _SHARE,
    "eps": _POSITIVE,
    "eps_root": _NOT_NEGATIVE,
    "factor": {"low": 0.0, "low_open": True, "high": 1.0, "high_open": True},
    "lambd": _NOT_NEGATIVE,
    "learning_rate": _NOT_NEGATIVE,
    "limit": _POSITIVE,
    "max_norm": _POSITIVE,
    "min_scale": {"low": 0.0, "high": 1.0},
    "patience": {"low": 1.0},
    "rtol": {"low": 0.0, "high": 1.0},
    "weight_decay": _NOT_NEGATIVE,
}
_WHOLE = {"cooldown", "patience"}
"""Numbers that count something."""

ROUNDING = 8
"""Units of rounding a schedule may leave its range by: one that ends at 0 may end just below."""


def default_float() -> np.dtype:
    """Return float32, or float64 inside an `enable_x64` scope."""
    return np.dtype(jnp.result_type(float))


def check_hyperparam(who: str, name: str, value: Any) -> None:
    """Check one number against its range, as given and as it will be stored.

    Storing rounds: 0.99999999 becomes 1.0 in float32, where a bias correction is 0/0. Of a schedule
    it is the first value, and those where it turns or ends as far as its numbers tell; one that
    leaves the range elsewhere becomes NaN, see `value_at`.
    """
    if not callable(value):
        _check_one(who, name, name, value)
        return
    for count in _landmarks(value):
        shown = f"{name} (schedule value at count {count})"
        with jax.ensure_compile_time_eval():  # a tracer only where the schedule's own numbers are
            if count == 0 or _leaves_its_range(name, value, count):
                _check_one(who, name, shown, value(jnp.int32(count)))


def stored(value: Any) -> PyTree:
    """Return a number, or every number of a schedule, as strongly typed scalars of its own.

    The integers of a schedule stay integers, so that dividing a count by them is exact. A plain
    function becomes a schedule without numbers.
    """
    if not callable(value):
        return jnp.array(value, default_float())
    return jax.tree.map(_stored_leaf, as_pytree(value))


def evaluate(hyperparams: dict[str, PyTree], count: Array, *, step: Array) -> SimpleNamespace:
    """Return every number at this count, and `step`, the count from 1."""
    values = {name: value_at(name, number, count) for name, number in hyperparams.items()}
    return SimpleNamespace(**values, step=step)


def value_at(name: str, number: PyTree, count: Array) -> Array:
    """Return a number, or a schedule's value at `count`, as a scalar (one per run of a batch).

    Nobody can raise an error in a compiled program: a value out of its range is NaN there, and so
    is the update, which is found and reported, whereas a step uphill would not be.
    """
    value = jnp.asarray(number(count) if callable(number) else number)
    if value.shape != count.shape:
        fail(
            f"optim: {name}",
            "a schedule must return one number",
            f"got an array of shape {value.shape}",
            "Return a scalar; use vmap for several.",
        )
    value = value if jnp.issubdtype(value.dtype, np.floating) else value.astype(default_float())
    room = ROUNDING * float(jnp.finfo(default_float()).eps) if callable(number) else 0.0
    return _in_range(value, room, **RANGES[name])


def cast(numbers: SimpleNamespace, dtype: np.dtype) -> SimpleNamespace:
    """Return the numbers in the dtype a leaf is computed in."""
    return SimpleNamespace(**{name: value.astype(dtype) for name, value in vars(numbers).items()})


def _check_one(who: str, name: str, shown: str, value: Any) -> None:
    check_number(who, shown, value, **RANGES[name])
    if not is_traced(value):
        if name in _WHOLE and value != int(value):
            fail(who, f"`{shown}` must be a whole number", f"got {value}", "Pass an int.")
        stored = np.asarray(value, default_float())
        check_number(who, f"{shown} rounded to {stored.dtype}", stored, **RANGES[name])


def _landmarks(schedule: Callable) -> list[int]:
    """Return counts at which to look at a schedule: 0, each length in its numbers, and their sum.

    Of a plain function nothing is known, and it is looked at in its beginning alone.
    """
    leaves = [x for x in jax.tree.leaves(as_pytree(schedule)) if not is_traced(x)]
    lengths = [int(x) for x in leaves if _is_whole(x)]
    last = np.iinfo(np.int32).max
    return sorted({0, *(min(length, last) for length in (*lengths, sum(lengths)))})


def _leaves_its_range(name: str, schedule: Callable, count: int) -> bool:
    value = value_at(name, schedule, jnp.int32(count))
    return not is_traced(value) and bool(jnp.isnan(value))


def _is_whole(leaf: Any) -> bool:
    return isinstance(leaf, int | np.integer | jax.Array) and (
        np.ndim(leaf) == 0 and jnp.issubdtype(jnp.result_type(leaf), np.integer)
    )


def _in_range(value: Array, room: float, *, low=0.0, low_open=False, high=np.inf, high_open=False):
    """Return the value where it is in its range, a closed end of it within `room`, and else NaN."""
    above = value > low if low_open else value >= low - room
    below = value < high if high_open else value <= high + room
    # A comparison instead of `clip`, whose derivative at the end itself is not 1.
    kept = jnp.where(value < low, low, jnp.where(value > high, high, value))
    return jnp.where(above & below & jnp.isfinite(value), kept, jnp.nan)


def _stored_leaf(leaf: Number) -> Array:
    whole = jnp.issubdtype(jnp.result_type(leaf), np.integer)
    return jnp.array(leaf, jnp.int32 if whole else default_float())
