"""One transformation after another."""

import functools
from collections.abc import Callable

import optax

from jaxopt_dl._core.errors import fail

from ._rule import STRUCTURES


def chain(*transformations: optax.GradientTransformation) -> optax.GradientTransformationExtraArgs:
    """Apply transformations one after another, each to the updates of the one before.

    Unlike `optax.chain`, the update of two chains with the same members is one function, so
    other numbers do not compile again.

    Args:
      *transformations: of this library or of optax, applied from left to right.

    Returns:
      A transformation whose state is the tuple of the members' states. Extra arguments go to
      the members that take them.

    Raises:
      TypeError: if a member is not an `optax.GradientTransformation`.

    Examples:
      >>> import jax.numpy as jnp
      >>> from jaxopt_dl.optim import clip_by_global_norm, sgd
      >>> rule = chain(clip_by_global_norm(1.0), sgd(0.5))
      >>> w = jnp.array([3.0, 4.0])
      >>> updates, state = rule.update(w, rule.init(w), w)
      >>> print(updates.round(3))
      [-0.3 -0.4]
    """
    for place, member in enumerate(transformations):
        if not isinstance(member, optax.GradientTransformation):
            fail(
                "chain",
                f"argument {place} must be a gradient transformation",
                f"got {type(member).__name__}",
                "Pass what a rule such as `sgd(0.1)` returns.",
                kind=TypeError,
            )
    inits = [member.init for member in transformations]
    members = tuple(
        (member.update, isinstance(member, optax.GradientTransformationExtraArgs))
        for member in transformations
    )
    return optax.GradientTransformationExtraArgs(
        lambda params: tuple(init(params) for init in inits), _update(members)
    )


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
