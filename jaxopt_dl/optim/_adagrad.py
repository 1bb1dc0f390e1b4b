"""AdaGrad: each gradient over the root of the sum of all its squares so far."""

from typing import Any, NamedTuple

import optax

from jaxopt_dl._core.errors import check_choice
from jaxopt_dl._core.types import Array, Number, PyTree

from ._moments import root
from ._rule import descend, leafwise, rule


class AdagradState(NamedTuple):
    """State of `adagrad`: the sum of squared gradients, `sum_of_squares`.

    Examples:
      >>> import jax.numpy as jnp
      >>> rule, g = adagrad(0.1), jnp.array([2.0, -4.0])
      >>> _, state = rule.update(g, rule.init(g))
      >>> _, state = rule.update(g, state)
      >>> print(state.count, state.sum_of_squares)
      2 [ 8. 32.]
    """

    count: Array
    sum_of_squares: PyTree
    hyperparams: dict[str, Any]


def adagrad(
    learning_rate: Number, *, eps: Number = 1e-8, eps_in_sqrt: bool = False
) -> optax.GradientTransformationExtraArgs:
    """Give rarely used parameters long steps and often used ones short ones.

        s <- s + g^2
        w <- w - learning_rate * g / (sqrt(s) + eps)         eps_in_sqrt=False
        w <- w - learning_rate * g / sqrt(s + eps)           eps_in_sqrt=True

    It suits sparse inputs and convex problems. The sum only grows, so the steps on a constant
    gradient fall as one over the root of time, whether or not the minimum is near; `rmsprop`
    forgets, and so keeps its pace.

    Args:
      learning_rate: step size, at least 0, or a schedule.
      eps: keeps the quotient finite, positive, or a schedule. Outside the root it is in units of
        the gradient, inside in squared units.
      eps_in_sqrt: whether `eps` is added under the root.

    Returns:
      A transformation whose state is an `AdagradState`; `sum_of_squares` has the shapes of the
      parameters and is kept in at least float32.

    Raises:
      TypeError: if a number is not a number, or parameters are not floating-point.
      ValueError: if a number is out of range, a switch is not a bool, or gradients do not fit
        the parameters.

    Examples:
      >>> import jax.numpy as jnp
      >>> rule, g = adagrad(1.0), jnp.array([10.0, -0.1, 0.0])
      >>> updates, state = rule.update(g, rule.init(g))
      >>> print(updates.round(3))
      [-1.  1. -0.]

    References:
      Duchi, Hazan and Singer, "Adaptive Subgradient Methods for Online Learning and Stochastic
      Optimization", 2011, figure 1. https://jmlr.org/papers/v12/duchi11a.html. As in PyTorch.
      `optax.adagrad` starts the sum at 0.1 and adds 1e-7 to it, which is
      `adagrad(learning_rate, eps=0.1 + 1e-7, eps_in_sqrt=True)`.
    """
    return _adagrad("adagrad", {"learning_rate": learning_rate, "eps": eps}, eps_in_sqrt)


def scale_by_adagrad(
    *, eps: Number = 1e-8, eps_in_sqrt: bool = False
) -> optax.GradientTransformationExtraArgs:
    """Return AdaGrad's direction: `adagrad` without the learning rate and without the sign.

    A block for `chain`, to be followed by `sgd(learning_rate)`.

    Args:
      eps: keeps the quotient finite, positive, or a schedule.
      eps_in_sqrt: whether `eps` is added under the root.

    Returns:
      A transformation whose state is an `AdagradState` without `learning_rate`.

    Raises:
      TypeError: if `eps` is not a number, or parameters are not floating-point.
      ValueError: if `eps` is not positive, the switch is not a bool, or gradients do not fit the
        parameters.

    Examples:
      >>> import jax.numpy as jnp
      >>> block, g = scale_by_adagrad(), jnp.array([4.0, -0.1])
      >>> print(block.update(g, block.init(g))[0].round(3))
      [ 1. -1.]
    """
    return _adagrad("scale_by_adagrad", {"eps": eps}, eps_in_sqrt)


def _adagrad(who: str, numbers: dict[str, Number], eps_in_sqrt: bool):
    check_choice(who, "eps_in_sqrt", eps_in_sqrt, (True, False))
    return rule(who, AdagradState, _step, numbers, eps_in_sqrt=eps_in_sqrt)


@leafwise
def _step(n, gradient, total, *, eps_in_sqrt):
    total = total + gradient * gradient
    return descend(n, gradient / root(total, n.eps, inside=eps_in_sqrt)), total
