"""How long a gradient may be before a chain shortens it."""

from collections.abc import Callable

from jaxopt_dl._core.types import Array, PyTree

from ._clipping import ClipState
from ._find import states_of
from ._numbers import value_at
from ._order import links_of


def gradient_limit(update: Callable, opt_state: PyTree) -> Array | None:
    """Return the largest norm of a gradient that the next update lets through unshortened.

    Args:
      update: the `update` of a chain or rule of this library.
      opt_state: its state.

    Returns:
      A scalar, or None where the limit is none of the whole gradient: unless
      `clip_by_global_norm` comes first, something else is clipped, or nothing.

    Examples:
      >>> import jax.numpy as jnp
      >>> from jaxopt_dl.optim import chain, clip_by_global_norm, sgd
      >>> rule = chain(clip_by_global_norm(0.5), sgd(0.1))
      >>> float(gradient_limit(rule.update, rule.init(jnp.ones(3))))
      0.5
      >>> gradient_limit(sgd(0.1).update, sgd(0.1).init(jnp.ones(3))) is None
      True
    """
    states = states_of(opt_state, ClipState)
    if links_of(update)[0].name != "clip_by_global_norm" or not states:
        return None
    first = states[0]
    return value_at("max_norm", first.hyperparams["max_norm"], first.count)
