"""The question asked of every data set before it is used: is it all finite?"""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxopt_dl._core.errors import fail, is_traced

from ._blocks import row_blocks

_SHOWN = 5


def check_finite(who: str, name: str, x: Any, *, columns: Sequence[str] | None = None) -> None:
    """Check on the host that an array holds no NaN and no infinity, and say where it does.

    One NaN in one row turns every parameter into NaN after one step, so data is checked once,
    before training. Integers are always finite; tracers are let through.

    Args:
      who: the function on whose behalf the check is made; begins the message.
      name: what the caller calls the array.
      x: `(n, ...)` numbers, rows first.
      columns: names of the columns, one for each position of a row in row-major order; without
        them, columns are named by their index.

    Raises:
      TypeError: if `x` does not hold numbers.
      ValueError: with the number of bad rows, the first of them and their columns.

    Examples:
      >>> check_finite("example", "x", [[1.0, 2.0], [3.0, float("nan")]])
      Traceback (most recent call last):
      ...
      ValueError: example: `x` must be finite, got NaN or infinity in 1 of 2 rows (row 1), \
column 1. Drop or fill these rows.
    """
    if is_traced(x):
        return
    x = as_numbers(who, name, x)
    if not jnp.issubdtype(x.dtype, np.inexact):
        return
    x = np.atleast_1d(x)
    rows, places = _not_finite(x)
    if not len(rows):
        return
    came = f"got NaN or infinity in {len(rows)} of {len(x)} rows ({_some('row', rows)})"
    if places.ndim:
        came += f", {_some('column', _column_names(places, columns))}"
    fail(who, f"`{name}` must be finite", came, "Drop or fill these rows.")


def as_numbers(who: str, name: str, x: Any) -> np.ndarray:
    """Return `x` as a NumPy array of real numbers or booleans, dtype kept.

    Raises:
      TypeError: if it holds anything else, such as strings, objects or complex numbers.
    """
    array = np.asarray(x)
    kinds = (np.integer, np.floating, np.bool_)
    if not any(jnp.issubdtype(array.dtype, kind) for kind in kinds):
        came = f"got dtype {array.dtype}"
        advice = "Convert it to an array of floats."
        fail(who, f"`{name}` must hold real numbers", came, advice, kind=TypeError)
    return array


def _not_finite(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows that are not all finite, and where in a row any of them is not."""
    rows, places, start = [np.empty(0, np.int64)], np.zeros(x.shape[1:], bool), 0
    for block in row_blocks(x):
        bad = ~np.isfinite(block)
        if bad.any():
            rows.append(start + np.flatnonzero(bad.reshape(len(bad), -1).any(axis=1)))
            places |= bad.any(axis=0)
        start += len(block)
    return np.concatenate(rows), places


def _column_names(bad: np.ndarray, names: Sequence[str] | None) -> list[str]:
    if names is not None and len(names) == bad.size:
        return [repr(names[index]) for index in np.flatnonzero(bad).tolist()]
    return [", ".join(map(str, position)) for position in np.argwhere(bad).tolist()]


def _some(noun: str, items: Sequence[Any] | np.ndarray) -> str:
    """Write `row 3` or `rows 3; 4; 8 and 2 more`."""
    listed = "; ".join(str(item) for item in items[:_SHOWN])
    more = f" and {len(items) - _SHOWN} more" if len(items) > _SHOWN else ""
    return f"{noun}{'s' if len(items) > 1 else ''} {listed}{more}"
