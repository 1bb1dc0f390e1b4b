"""Decoupled weight decay: parameters shrink by themselves, beside the gradient."""

from collections.abc import Callable
from typing import Any, NamedTuple

import optax

from jaxopt_dl._core.trees import map_with_paths, widen
from jaxopt_dl._core.types import Array, Number, PyTree

from ._adam import scale_by_adam
from ._chain import chain
from ._check import check_params_given
from ._chosen import choosing, marks_in
from ._numbers import cast
from ._rule import rule
from ._sgd import sgd


class WeightDecayState(NamedTuple):
    """State of `add_decayed_weights`: a counter, which parameters decay, and the strength.

    Examples:
      >>> import jax.numpy as jnp
      >>> state = add_decayed_weights(0.25).init({"kernel": jnp.ones(3), "bias": jnp.ones(3)})
      >>> print(state.count, state.decayed, state.hyperparams["weight_decay"])
      0 {'bias': Mark(chosen=False), 'kernel': Mark(chosen=True)} 0.25
    """

    count: Array
    decayed: PyTree
    hyperparams: dict[str, Any]


def add_decayed_weights(
    weight_decay: Number, *, decayed: Callable[[str], bool] | None = None
) -> optax.GradientTransformationExtraArgs:
    """Add a share of the parameters to the direction, so that each step also shrinks them.

        direction <- direction + weight_decay * w

    Placed after the scaling block and before `sgd(learning_rate)`, the decay is decoupled: it
    is not divided by the size of the gradient.

    Args:
      weight_decay: share added, at least 0, or a schedule.
      decayed: `path -> bool` chooses the parameters that decay; by default the kernels, see
        `is_kernel`, and neither biases nor scales.

    Returns:
      A transformation whose state is a `WeightDecayState`; its update needs `params`.

    Raises:
      TypeError: if `weight_decay` is not a number, or parameters are not floating-point.
      ValueError: if it is negative or not finite, if `decayed` chooses no parameter, if the
        update gets no `params`, or if gradients do not fit the parameters.

    Examples:
      >>> import jax.numpy as jnp
      >>> block = add_decayed_weights(0.1)
      >>> w = {"kernel": jnp.array(2.0), "bias": jnp.array(2.0)}
      >>> g = {"kernel": jnp.array(1.0), "bias": jnp.array(1.0)}
      >>> added, state = block.update(g, block.init(w), w)
      >>> {name: round(float(leaf), 2) for name, leaf in added.items()}
      {'bias': 1.0, 'kernel': 1.2}
    """
    return _add_decayed_weights("add_decayed_weights", weight_decay, decayed)


def adamw(
    learning_rate: Number = 1e-3,
    *,
    b1: Number = 0.9,
    b2: Number = 0.999,
    eps: Number = 1e-8,
    weight_decay: Number = 1e-4,
    decayed: Callable[[str], bool] | None = None,
) -> optax.GradientTransformationExtraArgs:
    """Adam with decoupled weight decay: `scale_by_adam`, `add_decayed_weights`, `sgd` in a chain.

        w <- w - learning_rate * (adam's direction + weight_decay * w)

    Args:
      learning_rate: step size, at least 0, or a schedule.
      b1: share of the old mean kept, in [0, 1), or a schedule.
      b2: share of the old mean square kept, in [0, 1), or a schedule.
      eps: added to the root, positive, in units of the gradient, or a schedule.
      weight_decay: share of the parameters, at least 0, or a schedule.
      decayed: `path -> bool` chooses the parameters that decay; by default the kernels, see
        `is_kernel`.

    Returns:
      A chain whose state is the tuple of the three members' states; its update needs `params`.

    Raises:
      TypeError: if a number is not a number, or parameters are not floating-point.
      ValueError: if a number is out of range, if `decayed` chooses no parameter, if the update
        gets no `params`, or if gradients do not fit the parameters.

    Examples:
      >>> import jax.numpy as jnp
      >>> rule, w = adamw(0.1, weight_decay=0.5), {"kernel": jnp.array([2.0, -4.0])}
      >>> updates, state = rule.update(w, rule.init(w), w)
      >>> print(updates["kernel"].round(3))
      [-0.2  0.3]

    References:
      Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2019, Algorithm 2. There
      the decay is multiplied by the schedule alone; here, as in optax and PyTorch, by the
      learning rate. Unlike `optax.adamw`, biases and scales do not decay by default.
    """
    return chain(
        scale_by_adam(b1=b1, b2=b2, eps=eps),
        _add_decayed_weights("adamw", weight_decay, decayed),
        sgd(learning_rate),
    )


def _add_decayed_weights(who: str, weight_decay: Number, decayed: Callable | None):
    start = choosing(who, "decayed", decayed)
    return rule(who, WeightDecayState, _step, {"weight_decay": weight_decay}, start=start)


def _step(n, updates, slots, params):
    check_params_given("add_decayed_weights", params)
    decayed = marks_in(slots[0])

    def add(path: str, update: Array, param: Array) -> Array:
        if not decayed[path]:
            return update
        strength = cast(n, widen(update).dtype).weight_decay
        return widen(update) + strength * param.astype(strength.dtype)

    return map_with_paths(add, updates, params), slots
