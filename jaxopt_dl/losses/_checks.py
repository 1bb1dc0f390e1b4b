"""What losses ask of targets, on the host where their values are known and else in the program."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxopt_dl._core.errors import check_floating, check_same_shape, fail, is_traced
from jaxopt_dl._core.types import Array


def check_values(
    who: str,
    name: str,
    values: Any,
    low: float,
    high: float,
    allowed: str,
    *,
    unit: str = "row",
    advice: str = "Correct or remove such rows first.",
) -> None:
    """Check concrete values against `low <= value <= high`; NaN never passes, tracers do.

    The values are compared as they came: a conversion to JAX could wrap a large integer.

    Args:
      who: the public function.
      name: the argument.
      values: what came.
      low: smallest allowed value.
      high: largest allowed value.
      allowed: what must hold, after "must".
      unit: what the first axis counts.
      advice: what to do.

    Raises:
      ValueError: naming the first bad row, its value and how many rows are bad.
    """
    if is_traced(values):
        return
    host = np.asarray(values)
    bad = np.argwhere(~((host >= low) & (host <= high)))
    if len(bad) == 0:
        return
    value, row = host[tuple(bad[0])], bad[0][0]
    rows = len(np.unique(bad[:, 0]))
    others = f" (the first of {rows} such {unit}s)" if rows > 1 else ""
    rule, came = f"`{name}` must {allowed}", f"got {value} in {unit} {row}{others}"
    fail(who, rule, came, advice)


def check_paired(who: str, outputs: str, a: Array, targets: str, b: Array) -> None:
    """Check floating outputs and real targets of one shape `(batch, ...)`.

    Raises:
      TypeError: if outputs are not floating or targets not real numbers.
      ValueError: if the shapes differ or have no batch axis.
    """
    check_floating(who, outputs, a)
    dtype = jnp.result_type(b)
    if not (dtype == jnp.bool_ or jnp.issubdtype(dtype, jnp.integer)):
        check_floating(who, targets, b)
    check_same_shape(who, outputs, a, targets, b)
    if np.ndim(a) == 0:
        fail(who, f"`{outputs}` must have shape (batch, ...)", "got a scalar", "Add a batch axis.")


def per_example(values: Array) -> Array:
    """Return the mean over all axes but the first, `(batch,)`."""
    return jnp.mean(values, axis=tuple(range(1, values.ndim)))


def poison(values: Array, valid: Array) -> Array:
    """Make the examples that are not valid NaN, their gradients included.

    Inside a compiled program nothing can be raised, and a wrong number must not pass for a
    right one. A product rather than a choice, so that the gradient is poisoned as well.

    Args:
      values: losses `(batch,)`.
      valid: booleans `(batch, ...)`; an example is valid where all of its entries are.
    """
    all_valid = jnp.all(valid, axis=tuple(range(1, valid.ndim)))
    return values * jnp.where(all_valid, 1.0, jnp.nan).astype(values.dtype)
