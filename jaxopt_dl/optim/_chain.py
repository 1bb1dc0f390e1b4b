"""One transformation after another."""

import functools
import itertools
from collections.abc import Callable
from typing import Any

import optax

from jaxopt_dl._core.errors import fail
from jaxopt_dl._core.types import PyTree

from ._order import check_members, check_order, link, links_of
from ._rule import STRUCTURES


def chain(*transformations: optax.GradientTransformation) -> optax.GradientTransformationExtraArgs:
    """Apply transformations one after another, each to the updates of the one before.

    The order is the method, so one that cannot be meant raises. First come blocks that work on
    gradients and directions (clipping, `scale_by_adam`, `add_decayed_weights`), then the one rule
    with a learning rate (`sgd`, `adam`, ...), then what scales or limits its step
    (`reduce_on_plateau`), then observers (`ema_params`). `nesterov` and `proximal_l1` decide where
    the parameters will be: nothing may change an update after them.

    Unlike `optax.chain`, the update of two chains with the same members is one function, so other
    numbers do not compile again.

    Args:
      *transformations: of this library or of optax, applied from left to right.

    Returns:
      A transformation whose state is the tuple of the members' states. Extra arguments go to
      the members that take them.

    Raises:
      TypeError: if a member is not an `optax.GradientTransformation`.
      ValueError: if members cannot stand in this order; for what an optax wrapper hides, at
        `init`. `optax.chain` cannot check: there `describe`, `fit` and the readers of a state do.

    Examples:
      >>> import jax.numpy as jnp
      >>> from jaxopt_dl.optim import clip_by_global_norm, sgd
      >>> rule = chain(clip_by_global_norm(1.0), sgd(0.5))
      >>> w = jnp.array([3.0, 4.0])
      >>> updates, state = rule.update(w, rule.init(w), w)
      >>> print(updates.round(3))
      [-0.3 -0.4]
    """
    members = tuple(as_member("chain", *pair) for pair in enumerate(transformations))
    links = [links_of(update) for update, _ in members]
    check_members("chain", links)

    def init(params: PyTree) -> tuple:
        state = tuple(transformation.init(params) for transformation in transformations)
        check_order("chain", state)
        return state

    update = link(_update(members), *itertools.chain.from_iterable(links))
    return optax.GradientTransformationExtraArgs(init, update)


def as_member(who: str, place: int, transformation: Any) -> tuple[Callable, bool]:
    """Return the update of a transformation and whether it takes extra arguments.

    The update identifies the structure of ours, so the pair is a key for a cache.
    """
    if not isinstance(transformation, optax.GradientTransformation):
        fail(
            who,
            f"argument {place} must be a gradient transformation",
            f"got {type(transformation).__name__}",
            "Pass what a rule such as `sgd(0.1)` returns.",
            kind=TypeError,
        )
    extra = isinstance(transformation, optax.GradientTransformationExtraArgs)
    return transformation.update, extra


@functools.lru_cache(maxsize=STRUCTURES)
def _update(members: tuple[tuple[Callable, bool], ...]) -> Callable:
    def update(updates, state, params=None, **extra):
        if len(state) != len(members):
            came = f"got one of {len(state)}"
            rule = f"`state` must hold the states of {len(members)} members"
            fail("chain", rule, came, "Pass what `init` of this chain returned.")
        states = []
        for (member, takes_extra), old in zip(members, state, strict=True):
            updates, new = member(updates, old, params, **(extra if takes_extra else {}))
            states.append(new)
        return updates, tuple(states)

    return update
