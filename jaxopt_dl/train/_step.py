"""One optimizer update as a pure function."""

from collections.abc import Callable

import optax

from jaxopt_dl import optim
from jaxopt_dl._core import keys
from jaxopt_dl._core.types import Batch, Objective, ProbeInput

from ._accumulate import value_and_gradients
from ._state import StepInfo, TrainState

Step = Callable[[TrainState, Batch], tuple[TrainState, StepInfo]]


def make_step(
    objective: Objective, optimizer: optax.GradientTransformation, *, accumulate: int = 1
) -> Step:
    """Make the pure step `(state, batch) -> (state, info)` of a training, for a loop of your own.

    Args:
      objective: `objective(params, state, batch, *, key, training) -> (loss, Aux)`.
      optimizer: any optax transformation. Only its `update` is used; the state comes with
        `TrainState`.
      accumulate: into how many parts a batch is cut, as in `fit`.

    Returns:
      A function to put under `jax.jit` or `jax.lax.scan`.

    Examples:
      >>> import jax, jax.numpy as jnp
      >>> from jaxopt_dl import losses, nn, optim
      >>> from jaxopt_dl.train import supervised
      >>> layer, optimizer = nn.dense(1), optim.sgd(0.1)
      >>> params, model_state = layer.init(jax.random.key(0), (2,))
      >>> state = TrainState(
      ...     params, model_state, optimizer.init(params), jnp.int32(0), jax.random.key(1)
      ... )
      >>> step = jax.jit(make_step(supervised(layer, losses.squared_error), optimizer))
      >>> batch = {"x": jnp.ones((8, 2)), "y": jnp.ones((8, 1))}
      >>> state, first = step(state, batch)
      >>> state, second = step(state, batch)
      >>> bool(second.loss < first.loss), int(state.step)
      (True, 2)
    """
    takes_value = isinstance(optimizer, optax.GradientTransformationExtraArgs)

    def step(state: TrainState, batch: Batch) -> tuple[TrainState, StepInfo]:
        return update_once(
            objective, optimizer.update, takes_value, state, batch, accumulate=accumulate
        )[:2]

    return step


def update_once(
    objective: Objective,
    update: Callable,
    takes_value: bool,
    state: TrainState,
    batch: Batch,
    *,
    accumulate: int,
) -> tuple[TrainState, StepInfo, ProbeInput]:
    """Do one update of `state` on `batch`; optimizers that take it are given the loss.

    What probes see comes with it; where nobody looks at it, it costs nothing.
    """
    key = keys.at(state.key, state.step)
    (loss, aux), gradients = value_and_gradients(
        objective, state.params, state.model_state, batch, key, accumulate
    )
    learning_rate = optim.applied_learning_rate(state.opt_state)
    extra = {"value": loss} if takes_value else {}
    updates, opt_state = update(gradients, state.opt_state, state.params, **extra)
    params = optax.apply_updates(state.params, updates)
    info = StepInfo(loss, aux.metrics, aux.weight, learning_rate)
    seen = ProbeInput(
        objective, state.params, state.model_state, batch, key, loss, gradients, updates
    )
    return TrainState(params, aux.state, opt_state, state.step + 1, state.key), info, seen
