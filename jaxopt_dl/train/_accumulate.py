"""The gradient of a large batch, computed in parts that fit into memory."""

import jax
import jax.numpy as jnp

from jaxopt_dl._core import keys
from jaxopt_dl._core.errors import check_integer, fail
from jaxopt_dl._core.trees import wide_dtype
from jaxopt_dl._core.types import Array, Aux, Batch, Key, Objective, PyTree


def value_and_gradients(
    objective: Objective,
    params: PyTree,
    model_state: PyTree,
    batch: Batch,
    key: Key,
    accumulate: int,
) -> tuple[tuple[Array, Aux], PyTree]:
    """Return `((loss, aux), gradients)` of a batch that is cut into `accumulate` parts.

    Losses, metrics and gradients of the parts are averaged by their weights, which is exact:
    each is a weighted mean over rows, plus what does not depend on them.
    """
    differentiate = jax.value_and_grad(objective, has_aux=True)
    if accumulate == 1:
        return differentiate(params, model_state, batch, key=key, training=True)
    parts = {name: x.reshape(accumulate, -1, *x.shape[1:]) for name, x in batch.items()}

    def part_of(state: PyTree, part: Batch, index: Array) -> tuple[PyTree, Array, PyTree]:
        (loss, aux), gradients = differentiate(
            params, state, part, key=keys.at(key, index), training=True
        )
        return (loss, aux.metrics, gradients), aux.weight, aux.state

    def add(carry: tuple, given: tuple) -> tuple[tuple, None]:
        totals, weights, state = carry
        found, weight, new = part_of(state, *given)
        counts = weight > 0  # rows of padding alone have no mean, and no say in the state

        def plus(total: Array, value: Array) -> Array:
            share = weight.astype(total.dtype) * value.astype(total.dtype)
            return total + jnp.where(counts, share, jnp.zeros_like(share))

        state = jax.tree.map(lambda new, old: jnp.where(counts, new, old), new, state)
        return (jax.tree.map(plus, totals, found), weights + weight, state), None

    first = {name: x[0] for name, x in parts.items()}
    index = jnp.arange(accumulate)
    found, weight, _ = jax.eval_shape(part_of, model_state, first, index[0])
    wide = jax.tree.map(lambda x: jnp.zeros(x.shape, wide_dtype(x.dtype)), found)
    start = (wide, jnp.zeros((), weight.dtype), model_state)
    (totals, weights, state), _ = jax.lax.scan(add, start, (parts, index))
    loss, metrics, gradients = jax.tree.map(
        lambda total, x: (total / weights.astype(total.dtype)).astype(x.dtype), totals, found
    )
    return (loss, Aux(state, metrics, weights)), gradients


def check_accumulate(who: str, accumulate: int, batch_size: int) -> None:
    """Check that a batch can be cut into equal parts.

    Raises:
      TypeError: if `accumulate` is not an integer.
      ValueError: if it is below 1 or does not divide the batch size.
    """
    check_integer(who, "accumulate", accumulate, low=1)
    if batch_size % accumulate:
        rule = f"`accumulate` must divide the batch size of {batch_size}"
        fail(who, rule, f"got {accumulate}", "Choose a batch size that is a multiple of it.")
