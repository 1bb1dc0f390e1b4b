"""A running average of the parameters themselves, beside the training that moves them."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxopt_dl._core.errors import check_choice, fail
from jaxopt_dl._core.trees import wide_dtype, widen
from jaxopt_dl._core.types import Array, Number, PyTree

from ._check import check_params_given
from ._find import states_of
from ._numbers import cast
from ._order import check_order
from ._rule import rule


class EmaParamsState(NamedTuple):
    """State of `ema_params`: the average as it is to be used, `ema`.

    Examples:
      >>> import jax.numpy as jnp
      >>> state = ema_params(0.99).init(jnp.array([1.0, -2.0]))
      >>> print(state.count, state.ema)  # before the first update: the parameters
      0 [ 1. -2.]
    """

    count: Array
    ema: PyTree
    hyperparams: dict[str, Any]


def ema_params(
    decay: Number = 0.999, *, debias: bool = True
) -> optax.GradientTransformationExtraArgs:
    """Keep a running average of the parameters; the updates pass unchanged.

        average <- decay * average + (1 - decay) * w,   w after the update

    Late in a run the parameters wander around a minimum in the noise of the mini-batches; their
    average lies nearer to it. Read it with `averaged_params(opt_state)`, evaluate and keep that,
    and train on as before.

    Args:
      decay: share of the old average kept, in [0, 1), or a schedule (the correction then uses
        its current value).
      debias: whether the average is over the visited points alone (it starts at zero and is
        divided by `1 - decay^t`); otherwise it starts at the initial parameters, whose share
        fades as `decay^t`.

    Returns:
      A transformation whose state is an `EmaParamsState`, kept in at least float32. Its update
      needs `params`. It comes last in a chain, after everything that changes updates.

    Raises:
      TypeError: if `decay` is not a number, or parameters are not floating-point.
      ValueError: if it is out of range, `debias` is not a bool, the update gets no `params`, or
        gradients do not fit the parameters.

    Examples:
      >>> import jax.numpy as jnp
      >>> from jaxopt_dl.optim import chain, sgd
      >>> rule, w = chain(sgd(1.0), ema_params(0.5)), jnp.array(0.0)
      >>> state = rule.init(w)
      >>> for gradient in (-1.0, -1.0):
      ...     updates, state = rule.update(jnp.array(gradient), state, w)
      ...     w = w + updates
      >>> round(float(averaged_params(state)), 3)  # (0.25 * 1 + 0.5 * 2) / 0.75
      1.667

    References:
      Polyak and Juditsky, "Acceleration of Stochastic Approximation by Averaging", 1992, with an
      exponential window.
    """
    check_choice("ema_params", "debias", debias, (True, False))
    numbers = {"decay": decay}
    return rule("ema_params", EmaParamsState, _step, numbers, start=_copies, debias=debias)


def averaged_params(opt_state: PyTree) -> PyTree:
    """Return the average of the parameters that `ema_params` keeps.

    Args:
      opt_state: the state of `ema_params`, alone, in a chain or inside wrappers.

    Returns:
      Arrays of the shapes of the parameters, in at least float32; before the first update, the
      parameters.

    Raises:
      ValueError: if the state does not hold exactly one `EmaParamsState`, or the members of a
        chain cannot stand in their order.

    Examples:
      >>> import jax.numpy as jnp
      >>> print(averaged_params(ema_params().init(jnp.array([1.0, 2.0]))))
      [1. 2.]
    """
    check_order("averaged_params", opt_state)
    found = states_of(opt_state, EmaParamsState)
    if len(found) != 1:
        advice = "Put one `ema_params` over all parameters at the end of the chain."
        rule = "`opt_state` must hold one `EmaParamsState`"
        fail("averaged_params", rule, f"found {len(found)}", advice)
    return found[0].ema


def _step(n, updates, slots, params, *, debias):
    check_params_given("ema_params", params)

    def follow(average: Array, update: Array, param: Array) -> Array:
        numbers = cast(n, average.dtype)
        # With the correction folded into the share of the newest point, the first has all of it
        # and the average can be read at any time.
        share = 1 - numbers.decay
        if debias:
            share = share / (1 - jnp.power(numbers.decay, numbers.step))
        new = param + update.astype(param.dtype)
        return average + share * (widen(new).astype(average.dtype) - average)

    return updates, [jax.tree.map(follow, slots[0], updates, params)]


def _copies(params: PyTree) -> PyTree:
    return jax.tree.map(lambda leaf: jnp.array(leaf, wide_dtype(leaf), copy=True), params)
