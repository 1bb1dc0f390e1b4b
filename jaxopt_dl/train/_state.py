"""What a training carries from step to step, and what it tells about a step."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxopt_dl._core import keys
from jaxopt_dl._core.types import Array, Key, PyTree

from ._stopping import StoppingState


class TrainState(NamedTuple):
    """The minimum the next step needs.

    Attributes:
      params: the parameters.
      model_state: what the model carries besides parameters, such as running averages.
      opt_state: the state of the optimizer.
      step: updates done so far, a scalar int32.
      key: the stream of model randomness; step `t` uses `fold_in(key, t)`.

    Examples:
      >>> import jax, jax.numpy as jnp, optax
      >>> params = {"w": jnp.ones(3)}
      >>> state = TrainState(
      ...     params, {}, optax.sgd(0.1).init(params), jnp.int32(0), jax.random.key(0)
      ... )
      >>> int(state.step)
      0
    """

    params: PyTree
    model_state: PyTree
    opt_state: PyTree
    step: Array
    key: Key


class StepInfo(NamedTuple):
    """What one step tells a reader.

    Attributes:
      loss: the objective's value before the update, a scalar.
      metrics: name -> weighted mean over the batch, scalars.
      weight: the total weight of the batch, a scalar.
      learning_rate: the rate this update applied, a scalar, or None where it is unknown.

    Examples:
      >>> StepInfo(loss=0.5, metrics={"accuracy": 0.9}, weight=64.0, learning_rate=None).loss
      0.5
    """

    loss: Array
    metrics: dict[str, Array]
    weight: Array
    learning_rate: Array | None


class RunState(NamedTuple):
    """A whole run at one moment: what a checkpoint has to hold besides the history.

    Attributes:
      train: the state of the training.
      order: the stream of the order of examples; epoch `e` uses `fold_in(order, e)`.
      augment: the stream of augmentation; step `t` uses `fold_in(augment, t)`.
      sums: sums over the current epoch of weight, and of weight times each metric.
      stopping: the state of the stopping rule.
      best: `(params, model_state)` at the best dev evaluation so far.
      finite: whether every loss so far was finite, a boolean scalar.
    """

    train: TrainState
    order: Key
    augment: Key
    sums: dict[str, Array]
    stopping: StoppingState
    best: tuple[PyTree, PyTree]
    finite: Array


def begin_run(
    params: PyTree,
    model_state: PyTree,
    opt_state: PyTree,
    stopping: StoppingState,
    metric_names: list[str],
    key: Key,
) -> RunState:
    """Return the state before the first step of a run."""
    params, model_state, opt_state = own((params, model_state, opt_state))
    streams = keys.streams(key)
    train = TrainState(params, model_state, opt_state, jnp.zeros((), jnp.int32), streams.model)
    sums = {name: jnp.zeros((), float) for name in [*metric_names, "weight"]}
    best = (params, model_state)
    return RunState(train, streams.order, streams.augment, sums, stopping, best, jnp.array(True))


def own(tree: PyTree) -> PyTree:
    """Return the tree as strongly typed JAX arrays.

    A weakly typed leaf (`0.0`) would change its type in the first step and compile everything
    twice.
    """
    return jax.tree.map(_strong, tree)


def _strong(leaf: Array) -> Array:
    array = jnp.asarray(leaf)
    if jnp.issubdtype(array.dtype, jax.dtypes.prng_key):
        return array
    return jax.lax.convert_element_type(array, array.dtype)
