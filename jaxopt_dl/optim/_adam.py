"""Adam: a running mean of gradients over a running root mean square of them."""

from typing import Any, NamedTuple

import optax

from jaxopt_dl._core.errors import check_choice
from jaxopt_dl._core.numerics import safe_sqrt
from jaxopt_dl._core.types import Array, Number, PyTree

from ._moments import average, debias
from ._rule import descend, leafwise, rule


class AdamState(NamedTuple):
    """State of `adam`: running means of gradients (`mu`) and of their squares (`nu`).

    Examples:
      >>> import jax.numpy as jnp
      >>> rule, g = adam(0.1), jnp.array([2.0, -4.0])
      >>> _, state = rule.update(g, rule.init(g))
      >>> print(state.count, state.mu.round(3), state.nu.round(3))
      1 [ 0.2 -0.4] [0.004 0.016]
      >>> sorted(state.hyperparams)
      ['b1', 'b2', 'eps', 'eps_root', 'learning_rate']
    """

    count: Array
    mu: PyTree
    nu: PyTree
    hyperparams: dict[str, Any]


def adam(
    learning_rate: Number = 1e-3,
    *,
    b1: Number = 0.9,
    b2: Number = 0.999,
    eps: Number = 1e-8,
    eps_root: Number = 0.0,
    bias_correction: bool = True,
) -> optax.GradientTransformationExtraArgs:
    """Step along a running mean of gradients, each parameter in units of its own gradient size.

    The first steps have about the size of the learning rate whatever the size of the gradient,
    so one learning rate serves parameters of very different scale.

        mu <- b1 * mu + (1 - b1) * g
        nu <- b2 * nu + (1 - b2) * g^2
        w  <- w - learning_rate * (mu / (1 - b1^t)) / (sqrt(nu / (1 - b2^t) + eps_root) + eps)

    where t = 1 at the first update. The corrected averages are temporaries.

    Args:
      learning_rate: step size, at least 0, or a schedule.
      b1: share of the old mean kept, in [0, 1), or a schedule.
      b2: share of the old mean square kept, in [0, 1), or a schedule.
      eps: added to the root, positive, in units of the gradient, or a schedule.
      eps_root: added under the root, at least 0, in squared units, or a schedule.
      bias_correction: whether the averages are corrected for their start at zero.

    Returns:
      A transformation whose state is an `AdamState`; `mu` and `nu` have the shapes of the
      parameters and are kept in at least float32.

    Raises:
      TypeError: if a number is not a number, or parameters are not floating-point.
      ValueError: if a number is out of range, `bias_correction` is not a bool, or gradients do
        not fit the parameters.

    Examples:
      >>> import jax.numpy as jnp
      >>> w = jnp.array([1e-3, -10.0, 0.0])
      >>> rule = adam(0.001)
      >>> updates, state = rule.update(w, rule.init(w), w)
      >>> print(updates.round(4))
      [-0.001  0.001 -0.   ]

    References:
      Kingma and Ba, "Adam: A Method for Stochastic Optimization", 2015, Algorithm 1.
      https://arxiv.org/abs/1412.6980. `eps_root` is not in the paper; 0 is the paper's rule.
    """
    numbers = {"b1": b1, "b2": b2, "eps": eps, "eps_root": eps_root}
    return _adam("adam", {"learning_rate": learning_rate, **numbers}, bias_correction)


def scale_by_adam(
    *,
    b1: Number = 0.9,
    b2: Number = 0.999,
    eps: Number = 1e-8,
    eps_root: Number = 0.0,
    bias_correction: bool = True,
) -> optax.GradientTransformationExtraArgs:
    """Return Adam's direction: `adam` without the learning rate and without the sign.

    A block for `chain`, to be followed by `sgd(learning_rate)`.

    Args:
      b1: share of the old mean kept, in [0, 1), or a schedule.
      b2: share of the old mean square kept, in [0, 1), or a schedule.
      eps: added to the root, positive, in units of the gradient, or a schedule.
      eps_root: added under the root, at least 0, in squared units, or a schedule.
      bias_correction: whether the averages are corrected for their start at zero.

    Returns:
      A transformation whose state is an `AdamState` without `learning_rate`.

    Raises:
      TypeError: if a number is not a number, or parameters are not floating-point.
      ValueError: if a number is out of range, `bias_correction` is not a bool, or gradients do
        not fit the parameters.

    Examples:
      >>> import jax.numpy as jnp
      >>> block = scale_by_adam()
      >>> directions, state = block.update(jnp.array(-5.0), block.init(jnp.array(1.0)))
      >>> round(float(directions), 4)
      -1.0
    """
    numbers = {"b1": b1, "b2": b2, "eps": eps, "eps_root": eps_root}
    return _adam("scale_by_adam", numbers, bias_correction)


def _adam(who: str, numbers: dict[str, Number], bias_correction: bool):
    check_choice(who, "bias_correction", bias_correction, (True, False))
    return rule(who, AdamState, _step, numbers, bias_correction=bias_correction)


@leafwise
def _step(n, gradient, mu, nu, *, bias_correction):
    mu = average(mu, gradient, n.b1)
    nu = average(nu, gradient * gradient, n.b2)
    mean, square = mu, nu
    if bias_correction:
        mean, square = debias(mu, n.b1, n.step), debias(nu, n.b2, n.step)
    return descend(n, mean / (safe_sqrt(square + n.eps_root) + n.eps)), mu, nu
