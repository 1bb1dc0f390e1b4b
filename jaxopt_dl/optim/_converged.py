"""When to stop: the gradient has become small."""

import jax.numpy as jnp

from jaxopt_dl._core.errors import check_number
from jaxopt_dl._core.trees import global_norm
from jaxopt_dl._core.types import Array, Number, PyTree


def converged(gradients: PyTree, tolerance: Number) -> Array:
    """Return whether the norm of the gradient, over all parameters, is below a tolerance.

    It is a traced boolean, for the condition of `jax.lax.while_loop`. Bound the number of steps
    as well: the gradients of mini-batches do not become small, and a NaN never converges.

    Args:
      gradients: any pytree of floating-point arrays, the gradient of the *whole* cost.
      tolerance: positive, in units of the gradient.

    Returns:
      A boolean scalar.

    Raises:
      TypeError: if `tolerance` is not a number.
      ValueError: if it is not positive and finite.

    Examples:
      >>> import jax
      >>> def unfinished(carry):
      ...     w, steps = carry
      ...     return ~converged(w, 1e-3) & (steps < 1000)  # the gradient of w^2 / 2 is w
      >>> def step(carry):
      ...     w, steps = carry
      ...     return w - 0.1 * w, steps + 1
      >>> w, steps = jax.lax.while_loop(unfinished, step, (jnp.array(1.0), 0))
      >>> int(steps)
      66
    """
    check_number("converged", "tolerance", tolerance, low=0.0, low_open=True)
    norm = global_norm(gradients)
    return norm < jnp.asarray(tolerance).astype(norm.dtype)
