"""Exact metrics and outputs over a whole data set, in one compiled program."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from jaxopt_dl import data as data_tools
from jaxopt_dl._core.errors import check_integer, fail
from jaxopt_dl._core.types import Array, Batch, Objective, PyTree

from ._history import shortest
from ._parallel import rows_per_batch, split_rows
from ._source import take
from ._state import own
from ._validate import as_arrays, check_objective


def add_to_sums(sums: dict[str, Array], values: dict[str, Array], weight: Array) -> dict:
    """Add a batch's weighted means to running sums of weight and of weight times value."""
    weight = weight.astype(sums["weight"].dtype)
    totals = {
        name: sums[name] + weight * value.astype(weight.dtype) for name, value in values.items()
    }
    return totals | {"weight": sums["weight"] + weight}


def means(sums: dict[str, Array]) -> dict[str, Array]:
    """Turn running sums into weighted means."""
    return {name: sums[name] / sums["weight"] for name in sums if name != "weight"}


def evaluate_all(
    objective: Objective,
    params: PyTree,
    state: PyTree,
    data: Batch,
    batch_size: int,
    mesh: Mesh | None = None,
) -> dict[str, Array]:
    """Return the weighted mean of the loss and of every metric, in evaluation mode."""
    rows = next(iter(data.values())).shape[0]
    size = rows_per_batch(mesh, min(batch_size, rows))
    indices, masks = data_tools.ordered_batches(rows, size)

    def measure(index: Array, mask: Array) -> tuple[dict[str, Array], Array]:
        batch = split_rows(mesh, take(data, index, mask))
        loss, aux = objective(params, state, batch, key=None, training=False)
        return {"loss": loss, **aux.metrics}, aux.weight

    names = jax.eval_shape(measure, indices[0], masks[0])[0]
    zero = {name: jnp.zeros((), float) for name in [*names, "weight"]}
    sums, _ = jax.lax.scan(
        lambda sums, batch: (add_to_sums(sums, *measure(*batch)), None), zero, (indices, masks)
    )
    return means(sums)


def evaluate(
    objective: Objective, params: PyTree, state: PyTree, data: Batch, *, batch_size: int = 256
) -> dict[str, float]:
    """Return the exact weighted mean of the loss and of every metric over a data set.

    The last batch is padded and masked, so the result is that of the whole set at once, for
    every batch size, up to rounding.

    Args:
      objective: `objective(params, state, batch, *, key, training) -> (loss, Aux)`.
      params: its parameters.
      state: its model state.
      data: name -> array; all share their first axis. An array `weight`, `(rows,)`, weights rows.
      batch_size: rows per compiled step, at least 1; larger is faster and takes more memory.

    Returns:
      Name -> mean, with `loss` and the objective's own metrics.

    Raises:
      TypeError: if an array or `batch_size` has the wrong type.
      ValueError: if the data is empty, ragged, not finite or does not fit the model.

    Examples:
      >>> import jax, numpy as np
      >>> from jaxopt_dl import losses, nn
      >>> from jaxopt_dl.train import supervised
      >>> layer = nn.dense(3)
      >>> params, state = layer.init(jax.random.key(0), (4,))
      >>> objective = supervised(layer, losses.softmax_cross_entropy)
      >>> data = {"x": np.zeros((5, 4), np.float32), "y": np.array([0, 1, 2, 0, 1])}
      >>> round(evaluate(objective, params, state, data, batch_size=2)["loss"], 4)
      1.0986
    """
    check_integer("evaluate", "batch_size", batch_size, low=1)
    arrays = as_arrays("evaluate", "data", data)
    params, state = own(params), own(state)
    check_objective("evaluate", objective, params, state, arrays)
    metrics = _evaluate(objective, params, state, arrays, batch_size)
    return {name: shortest(np.asarray(value)) for name, value in metrics.items()}


def predict(
    apply: Callable[..., tuple[Array, PyTree]],
    params: PyTree,
    state: PyTree,
    x: Array,
    *,
    batch_size: int = 256,
) -> Array:
    """Return the outputs of a model in evaluation mode for every row of `x`.

    Args:
      apply: `apply(params, state, x, *, training) -> (outputs, state)`, such as `layer.apply`.
      params: its parameters.
      state: its model state.
      x: inputs, `(rows, ...)`.
      batch_size: rows per compiled step, at least 1.

    Returns:
      The outputs, `(rows, ...)`.

    Raises:
      TypeError: if `x` or `batch_size` has the wrong type.
      ValueError: if `x` is empty, not finite or does not fit the model.

    Examples:
      >>> import jax, jax.numpy as jnp
      >>> from jaxopt_dl import nn
      >>> layer = nn.dense(3)
      >>> params, state = layer.init(jax.random.key(0), (4,))
      >>> predict(layer.apply, params, state, jnp.ones((5, 4)), batch_size=2).shape
      (5, 3)
    """
    check_integer("predict", "batch_size", batch_size, low=1)
    rows = as_arrays("predict", "inputs", {"x": x})["x"]
    if isinstance(apply, tuple):
        advice = "Pass its `apply`: `predict(layer.apply, params, state, x)`."
        fail("predict", "`apply` must be a function", "got a layer", advice, kind=TypeError)
    return _predict(apply, own(params), own(state), rows, min(batch_size, len(rows)))


@functools.partial(jax.jit, static_argnums=(0, 4))
def _evaluate(objective, params, state, data, batch_size):
    return evaluate_all(objective, params, state, data, batch_size)


@functools.partial(jax.jit, static_argnums=(0, 4))
def _predict(apply, params, state, x, batch_size):
    indices, _ = data_tools.ordered_batches(x.shape[0], batch_size)
    outputs = jax.lax.map(lambda index: apply(params, state, x[index], training=False)[0], indices)
    return outputs.reshape(-1, *outputs.shape[2:])[: x.shape[0]]
