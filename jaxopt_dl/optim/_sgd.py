"""Plain gradient descent; also the last link of a chain of blocks."""

from typing import Any, NamedTuple

import optax

from jaxopt_dl._core.types import Array, Number

from ._rule import descend, leafwise, rule


class SgdState(NamedTuple):
    """State of `sgd`: a counter and the numbers, nothing per parameter.

    Examples:
      >>> import jax.numpy as jnp
      >>> state = sgd(0.5).init(jnp.ones(1000))
      >>> print(state.count, state.hyperparams["learning_rate"])
      0 0.5
    """

    count: Array
    hyperparams: dict[str, Any]


def sgd(learning_rate: Number) -> optax.GradientTransformationExtraArgs:
    """Step against the gradient.

        w <- w - learning_rate * g

    After blocks such as `scale_by_adam` in a `chain` it applies the learning rate and the sign. It
    keeps nothing per parameter, so only an update that is given `params` can see that a gradient
    has another shape, such as `(3, 1)` for `(3,)`: call `update(gradients, state, params)`.

    Args:
      learning_rate: step size, at least 0, or a schedule.

    Returns:
      A transformation whose state is an `SgdState`; updates have the shapes of the gradients.

    Raises:
      TypeError: if `learning_rate` is not a number, or parameters are not floating-point.
      ValueError: if `learning_rate` is negative or not finite, or gradients do not fit the
        parameters.

    Examples:
      >>> import jax.numpy as jnp
      >>> descent = sgd(0.1)
      >>> w = jnp.array([1.0, -2.0])
      >>> updates, state = descent.update(w, descent.init(w), w)
      >>> print(updates)
      [-0.1  0.2]

    References:
      Robbins and Monro, "A Stochastic Approximation Method", 1951.
    """
    return rule("sgd", SgdState, _step, {"learning_rate": learning_rate})


@leafwise
def _step(n, gradient):
    return (descend(n, gradient),)
