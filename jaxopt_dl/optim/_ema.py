"""Running averages: of updates on their way through a chain, and how far they look back."""

from typing import Any, NamedTuple

import optax

from jaxopt_dl._core.errors import check_choice
from jaxopt_dl._core.types import Array, Number, PyTree

from ._moments import average
from ._moments import debias as corrected
from ._numbers import check_hyperparam
from ._rule import leafwise, rule


class EmaState(NamedTuple):
    """State of `ema`: the running mean, `ema`, without the correction of its start.

    Examples:
      >>> import jax.numpy as jnp
      >>> block, g = ema(0.5), jnp.array([2.0, -4.0])
      >>> _, state = block.update(g, block.init(g))
      >>> print(state.count, state.ema)
      1 [ 1. -2.]
    """

    count: Array
    ema: PyTree
    hyperparams: dict[str, Any]


def ema(decay: Number = 0.9, *, debias: bool = True) -> optax.GradientTransformationExtraArgs:
    """Replace each update by the running mean of all so far.

        v <- decay * v + (1 - decay) * u,   v = 0 before the first

    One stored value stands for a window of about `effective_window(decay)` updates. The mean
    starts at zero and is too small at first, by the factor `1 - decay^t`; `debias` divides by it
    on the way out, and the state keeps the raw mean. To average *parameters*, see `ema_params`.

    Args:
      decay: share of the old mean kept, in [0, 1), or a schedule (the correction then uses its
        current value).
      debias: whether the start at zero is corrected.

    Returns:
      A transformation whose state is an `EmaState`; `ema` has the shapes of the updates and is
      kept in at least float32.

    Raises:
      TypeError: if `decay` is not a number, or parameters are not floating-point.
      ValueError: if it is out of range, `debias` is not a bool, or updates do not fit the
        parameters.

    Examples:
      >>> import jax.numpy as jnp
      >>> block = ema(0.9)
      >>> state = block.init(jnp.array(0.0))
      >>> for u in (1.0, 2.0, 3.0):
      ...     mean, state = block.update(jnp.array(u), state)
      >>> round(float(state.ema), 3), round(float(mean), 3)
      (0.561, 2.07)

    References:
      Kingma and Ba, "Adam: A Method for Stochastic Optimization", 2015, section 3.
      https://arxiv.org/abs/1412.6980
    """
    check_choice("ema", "debias", debias, (True, False))
    return rule("ema", EmaState, _step, {"decay": decay}, debias=debias)


def effective_window(decay: Number) -> Number:
    """Return over about how many values a running mean with this `decay` averages.

        1 / (1 - decay)

    A value that old counts `1/e` as much as the newest. Averaging divides the variance of white
    noise by `(1 + decay) / (1 - decay)`.

    Args:
      decay: share of the old value kept, in [0, 1).

    Returns:
      A number of values, at least 1.

    Raises:
      TypeError: if `decay` is not a number.
      ValueError: if it is out of range.

    Examples:
      >>> [round(effective_window(decay)) for decay in (0.5, 0.9, 0.98, 0.999)]
      [2, 10, 50, 1000]
    """
    check_hyperparam("effective_window", "decay", decay)
    return 1 / (1 - decay)


@leafwise
def _step(n, update, mean, *, debias):
    mean = average(mean, update, n.decay)
    return corrected(mean, n.decay, n.step) if debias else mean, mean
