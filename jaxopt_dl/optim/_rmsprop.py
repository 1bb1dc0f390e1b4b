"""RMSprop: each gradient over a running root mean square of it."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import optax

from jaxopt_dl._core.errors import check_choice, fail
from jaxopt_dl._core.types import Array, Number, PyTree

from ._moments import average, debias, root
from ._rule import descend, leafwise, rule, zeros


class RmspropState(NamedTuple):
    """State of `rmsprop`: a running mean of squared gradients, `nu`.

    Examples:
      >>> import jax.numpy as jnp
      >>> rule, g = rmsprop(0.1, decay=0.5), jnp.array([2.0, -4.0])
      >>> _, state = rule.update(g, rule.init(g))
      >>> print(state.count, state.nu)
      1 [2. 8.]
    """

    count: Array
    nu: PyTree
    hyperparams: dict[str, Any]


class CenteredRmspropState(NamedTuple):
    """State of `rmsprop(centered=True)`: running means of squares (`nu`) and of gradients (`mu`).

    Examples:
      >>> import jax.numpy as jnp
      >>> rule, g = rmsprop(0.1, decay=0.5, centered=True), jnp.array([2.0, -4.0])
      >>> _, state = rule.update(g, rule.init(g))
      >>> print(state.nu, state.mu)
      [2. 8.] [ 1. -2.]
    """

    count: Array
    nu: PyTree
    mu: PyTree
    hyperparams: dict[str, Any]


def rmsprop(
    learning_rate: Number,
    *,
    decay: Number = 0.9,
    eps: Number = 1e-8,
    eps_in_sqrt: bool = True,
    bias_correction: bool = False,
    centered: bool = False,
) -> optax.GradientTransformationExtraArgs:
    """Divide each component of the gradient by its own recent size.

    Steep directions are slowed and flat ones sped up, along the axes of the parameters.

        nu <- decay * nu + (1 - decay) * g^2
        w  <- w - learning_rate * g / sqrt(nu + eps)         eps_in_sqrt=True
        w  <- w - learning_rate * g / (sqrt(nu) + eps)       eps_in_sqrt=False

    Centered, `nu - mu^2` takes the place of `nu`, with `mu <- decay * mu + (1 - decay) * g`: the
    gradient is measured by its spread rather than by its size.

    Without bias correction, as published, the first steps are larger: `1 / sqrt(1 - decay)`
    learning rates, 3.2 for 0.9. For momentum on top use a chain:
    `chain(scale_by_rmsprop(), momentum(learning_rate))`.

    Args:
      learning_rate: step size, at least 0, or a schedule.
      decay: share of the old mean square kept, in [0, 1), or a schedule.
      eps: keeps the quotient finite, positive, or a schedule. Inside the root it is in squared
        units of the gradient: 1e-8 inside acts like 1e-4 outside.
      eps_in_sqrt: whether `eps` is added under the root.
      bias_correction: whether `nu` is divided by `1 - decay^t`, t = 1 at the first update.
      centered: whether the squared mean is subtracted; costs a second array per parameter, and
        excludes `bias_correction`.

    Returns:
      A transformation whose state is an `RmspropState`, or a `CenteredRmspropState`; `nu` has the
      shapes of the parameters and is kept in at least float32.

    Raises:
      TypeError: if a number is not a number, or parameters are not floating-point.
      ValueError: if a number is out of range, a switch is not a bool, two exclude each other, or
        gradients do not fit the parameters.

    Examples:
      >>> import jax.numpy as jnp
      >>> rule, g = rmsprop(1.0), jnp.array([10.0, -0.1, 0.0])
      >>> updates, state = rule.update(g, rule.init(g))
      >>> [round(float(u), 3) for u in updates]
      [-3.162, 3.162, -0.0]

    References:
      Tieleman and Hinton, "Lecture 6.5: rmsprop", 2012; centered: Graves, "Generating Sequences
      With Recurrent Neural Networks", 2013, equation 40, https://arxiv.org/abs/1308.0850. The
      defaults are those of `optax.rmsprop`; PyTorch has decay 0.99 and `eps` outside the root.
    """
    numbers = {"learning_rate": learning_rate, "decay": decay, "eps": eps}
    return _rmsprop("rmsprop", numbers, eps_in_sqrt, bias_correction, centered)


def scale_by_rmsprop(
    *,
    decay: Number = 0.9,
    eps: Number = 1e-8,
    eps_in_sqrt: bool = True,
    bias_correction: bool = False,
    centered: bool = False,
) -> optax.GradientTransformationExtraArgs:
    """Return RMSprop's direction: `rmsprop` without the learning rate and without the sign.

    A block for `chain`, to be followed by `sgd(learning_rate)`.

    Args:
      decay: share of the old mean square kept, in [0, 1), or a schedule.
      eps: keeps the quotient finite, positive, or a schedule.
      eps_in_sqrt: whether `eps` is added under the root.
      bias_correction: whether `nu` is divided by `1 - decay^t`, t = 1 at the first update.
      centered: whether the squared mean is subtracted; excludes `bias_correction`.

    Returns:
      A transformation whose state is an `RmspropState`, or a `CenteredRmspropState`, without
      `learning_rate`.

    Raises:
      TypeError: if a number is not a number, or parameters are not floating-point.
      ValueError: if a number is out of range, a switch is not a bool, two exclude each other, or
        gradients do not fit the parameters.

    Examples:
      >>> import jax.numpy as jnp
      >>> block, g = scale_by_rmsprop(bias_correction=True), jnp.array([4.0, -0.1])
      >>> print(block.update(g, block.init(g))[0].round(3))
      [ 1. -1.]
    """
    numbers = {"decay": decay, "eps": eps}
    return _rmsprop("scale_by_rmsprop", numbers, eps_in_sqrt, bias_correction, centered)


def _rmsprop(
    who: str, numbers: dict[str, Number], eps_in_sqrt: bool, bias_correction: bool, centered: bool
):
    check_choice(who, "eps_in_sqrt", eps_in_sqrt, (True, False))
    check_choice(who, "bias_correction", bias_correction, (True, False))
    check_choice(who, "centered", centered, (True, False))
    if not centered:
        options = {"eps_in_sqrt": eps_in_sqrt, "bias_correction": bias_correction}
        return rule(who, RmspropState, _step, numbers, start=zeros, **options)
    if bias_correction:
        advice = "Drop one: the corrected spread of a first gradient is zero."
        fail(who, "`centered` and `bias_correction` exclude each other", "got both", advice)
    return rule(who, CenteredRmspropState, _centered_step, numbers, eps_in_sqrt=eps_in_sqrt)


@leafwise
def _step(n, gradient, nu, *, eps_in_sqrt, bias_correction):
    nu = average(nu, gradient * gradient, n.decay)
    square = debias(nu, n.decay, n.step) if bias_correction else nu
    return descend(n, gradient / root(square, n.eps, inside=eps_in_sqrt)), nu


@leafwise
def _centered_step(n, gradient, nu, mu, *, eps_in_sqrt):
    nu, mu = average(nu, gradient * gradient, n.decay), average(mu, gradient, n.decay)
    spread = jnp.maximum(nu - mu * mu, 0.0)  # rounding can take it below zero
    return descend(n, gradient / root(spread, n.eps, inside=eps_in_sqrt)), nu, mu
