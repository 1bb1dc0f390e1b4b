"""Learning rates tried side by side, before one is chosen."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxopt_dl._core.errors import check_callable, check_integer, check_shape, fail
from jaxopt_dl._core.types import Array, PyTree

from ._chain import as_member
from ._inspect import with_hyperparams
from ._numbers import check_hyperparam, default_float


def lr_sweep(
    loss: Callable[[PyTree, Array], Array],
    params: PyTree,
    optimizer: optax.GradientTransformation,
    learning_rates: Any,
    *,
    steps: int,
) -> Array:
    """Train with several learning rates from one start, side by side, and return their losses.

    No rule of thumb gives the learning rate; it is found by trial, on a grid of powers, by looking
    at learning curves. The rate is a number in the optimizer's state, so all trials are one
    compiled program under `vmap`. A run that diverges does not touch the others. Memory grows with
    the number of rates.

    Args:
      loss: `loss(params, count) -> scalar`; `count` is that of the update, from 0, to take another
        mini-batch each time.
      params: where every run starts, any pytree of floating-point arrays.
      optimizer: a rule of this library, or a chain, with one learning rate that is a number.
      learning_rates: `(rates,)`, each at least 0.
      steps: updates of each run, at least 1.

    Returns:
      `(rates, steps + 1)`: the loss before every update and after the last. It holds NaN or
      infinity where a run diverged.

    Raises:
      TypeError: if an argument has the wrong type.
      ValueError: if a rate is negative or not finite, there are none, `loss` is not one number, or
        the optimizer holds no learning rate, several, or a schedule in its place.

    Examples:
      >>> from jaxopt_dl.optim import sgd
      >>> loss = lambda w, count: w**2 / 2
      >>> curves = lr_sweep(loss, jnp.array(1.0), sgd(0.1), [0.1, 2.1], steps=10)
      >>> print(curves.shape, curves[:, -1].round(4))
      (2, 11) [0.0608 3.3637]

    References:
      Goodfellow, Bengio and Courville, "Deep Learning", 2016, section 11.4.1.
    """
    who = "lr_sweep"
    check_callable(who, "loss", loss)
    check_integer(who, "steps", steps, low=1)
    update, _ = as_member(who, 2, optimizer)
    rates = _rates(who, learning_rates)
    check_shape(who, "loss(params, count)", jax.eval_shape(loss, params, jnp.int32(0)), ())

    def run(rate: Array) -> Array:
        state = with_hyperparams(optimizer.init(params), learning_rate=rate)

        def step(carry: tuple, count: Array) -> tuple:
            w, state = carry
            value, slope = jax.value_and_grad(loss)(w, count)
            updates, state = update(slope, state, w)
            return (optax.apply_updates(w, updates), state), value

        (w, _), values = jax.lax.scan(step, (params, state), jnp.arange(steps, dtype=jnp.int32))
        return jnp.append(values, loss(w, jnp.int32(steps)))

    return jax.jit(jax.vmap(run))(rates)


def _rates(who: str, learning_rates: Any) -> Array:
    rates = np.asarray(learning_rates)
    if rates.ndim != 1 or not rates.size:
        rule, advice = "`learning_rates` must be a list of numbers", "Pass for example [0.01, 0.1]."
        fail(who, rule, f"got an array of shape {rates.shape}", advice)
    for rate in rates:
        check_hyperparam(who, "learning_rate", rate)
    return jnp.asarray(rates, default_float())
