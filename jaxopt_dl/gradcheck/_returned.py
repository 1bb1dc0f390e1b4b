"""What the user's function returns: one number, and nothing that only looks like one."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxopt_dl._core.errors import fail
from jaxopt_dl._core.types import Array

from ._words import kind_of


def as_loss(who: str, out: Any, has_aux: bool = False) -> Array:
    """Return the loss as an array of shape `()`.

    Args:
      who: the public function, for messages.
      out: what the user's function returned.
      has_aux: whether that should be `(loss, aux)`.

    Raises:
      TypeError: if the loss is no real floating-point number.
      ValueError: if it is an array of several, or the aux is missing.
    """
    if has_aux:
        if not (isinstance(out, tuple) and len(out) == 2):
            rule = "with has_aux=True the function must return (loss, aux)"
            advice = "Return both, or leave has_aux out."
            fail(who, rule, f"but it returned {kind_of(out)}", advice)
        out = out[0]
    rule = "the function must return one floating-point number"
    came = f"but it returned {kind_of(out)}"
    if not _is_number(out):
        pair = isinstance(out, tuple) and len(out) == 2
        advice = "Pass has_aux=True if it returns (loss, aux)." if pair else "Return the loss."
        fail(who, rule, came, advice, kind=TypeError)
    loss = jnp.asarray(out)
    if loss.shape != ():
        fail(who, rule, came, "Reduce it to a scalar, for example with jnp.mean.")
    if not jnp.issubdtype(loss.dtype, np.floating):
        fail(who, rule, came, "Return a real floating-point loss.", kind=TypeError)
    return loss


def _is_number(out: Any) -> bool:
    return isinstance(out, bool | int | float | complex) or hasattr(out, "dtype")
