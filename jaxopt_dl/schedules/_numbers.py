"""The numbers of schedules: checked when made, turned into one dtype when evaluated."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxopt_dl._core.errors import check_integer, check_number, fail, is_traced
from jaxopt_dl._core.types import Array, Number


def real(who: str, name: str, value: Number, *, low: float = 0.0, low_open: bool = False):
    """Check a real number; a Python or NumPy number becomes a float.

    Nobody can raise an error about a traced number: one that is out of range becomes NaN.
    """
    check_number(who, name, value, low=low, low_open=low_open)
    if is_traced(value):
        value = as_float(value)
        return jnp.where(value > low if low_open else value >= low, value, jnp.nan)
    return value if isinstance(value, jax.Array) else float(value)


def length(who: str, name: str, value: Number):
    """Check a number of steps: an integer of at least 1, or a scalar array of integers."""
    if not isinstance(value, jax.Array):
        check_integer(who, name, value, low=1)
        return int(value)
    if not jnp.issubdtype(value.dtype, np.integer):
        came, advice = f"got an array of dtype {value.dtype}", "Count steps in integers."
        fail(who, f"`{name}` must be an integer", came, advice, kind=TypeError)
    check_number(who, name, value, low=1)
    return value


def as_float(value: Number) -> Array:
    """Return a number in the default floating-point dtype, strongly typed."""
    return jnp.asarray(value, jnp.result_type(float))


def as_count(value: Number) -> Array:
    """Return a count or a length as an int32 scalar."""
    return jnp.asarray(value, jnp.int32)


def periods(count: Number, steps: Number, *, staircase: bool = False) -> Array:
    """Return how many times `steps` went by at `count`: whole times only, if `staircase`.

    The division is then one of integers, because a rounded quotient could move a stair. A length
    that is not positive, which only a traced one can be, gives NaN.
    """
    if staircase:
        times = as_float(as_count(count) // as_count(steps))
    else:
        times = as_float(count) / as_float(steps)
    return jnp.where(as_float(steps) > 0, times, jnp.nan)


def progress(count: Number, steps: Number) -> Array:
    """Return the share of `steps` done at `count`, in [0, 1]."""
    return jnp.clip(periods(count, steps), 0.0, 1.0)


def between(initial: Number, final: Number, share: Array) -> Array:
    """Return the value a `share` of the way from `initial` to `final`, exact at both ends."""
    return (1 - share) * as_float(initial) + share * as_float(final)
