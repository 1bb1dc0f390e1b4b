"""Keep a faulty gradient out of the parameters and out of the moments."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxopt_dl._core.trees import all_finite
from jaxopt_dl._core.types import Array, PyTree

from ._chain import as_member
from ._order import link, links_of
from ._rule import STRUCTURES


class SkipNonfiniteState(NamedTuple):
    """State of `skip_nonfinite`: how many updates were skipped, and the state it guards.

    Examples:
      >>> import jax.numpy as jnp
      >>> from jaxopt_dl.optim import sgd
      >>> state = skip_nonfinite(sgd(0.1)).init(jnp.ones(3))
      >>> print(state.skipped, type(state.inner_state).__name__)
      0 SgdState
    """

    skipped: Array
    inner_state: PyTree


def skip_nonfinite(
    transformation: optax.GradientTransformation,
) -> optax.GradientTransformationExtraArgs:
    """Skip every update with a NaN or an infinity in it.

    A skipped update is zero and leaves the guarded state as it was, counters and schedules
    included. It never gives up by itself: watch `skipped`, since a run whose updates are all
    skipped stands still.

    Args:
      transformation: what to guard; the whole optimizer, as a rule.

    Returns:
      A transformation whose state is a `SkipNonfiniteState`.

    Raises:
      TypeError: if `transformation` is not an `optax.GradientTransformation`.

    Examples:
      >>> import jax.numpy as jnp
      >>> from jaxopt_dl.optim import adam
      >>> rule = skip_nonfinite(adam(0.1))
      >>> w = jnp.ones(2)
      >>> updates, state = rule.update(jnp.array([jnp.nan, 1.0]), rule.init(w), w)
      >>> print(updates, state.skipped, state.inner_state.count)
      [0. 0.] 1 0
    """
    update, takes_extra = as_member("skip_nonfinite", 0, transformation)

    def init(params: PyTree) -> SkipNonfiniteState:
        return SkipNonfiniteState(jnp.zeros((), jnp.int32), transformation.init(params))

    guarded = link(_update(update, takes_extra), *links_of(update))
    return optax.GradientTransformationExtraArgs(init, guarded)


@functools.lru_cache(maxsize=STRUCTURES)
def _update(inner: Callable, takes_extra: bool) -> Callable:
    def update(updates, state, params=None, **extra):
        new, inner_state = inner(
            updates, state.inner_state, params, **(extra if takes_extra else {})
        )
        healthy = jnp.logical_and(all_finite(updates), all_finite(new))
        kept = jax.tree.map(
            lambda after, before: jnp.where(healthy, after, before), inner_state, state.inner_state
        )
        moved = jax.tree.map(lambda u: jnp.where(healthy, u, jnp.zeros_like(u)), new)
        skipped = jnp.where(healthy, state.skipped, optax.safe_increment(state.skipped))
        return moved, SkipNonfiniteState(skipped, kept)

    return update
