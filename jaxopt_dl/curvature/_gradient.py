"""The gradient over all data, and what its size over time rules out."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxopt_dl._core.errors import check_number, check_shape, fail
from jaxopt_dl._core.trees import global_norm
from jaxopt_dl._core.types import Array, Number, PyTree

from ._function import check_params, loss_of


def gradient_norm(
    function: Callable,
    params: PyTree,
    batches: Iterable[Any],
    *,
    weights: Sequence[Number] | None = None,
) -> Array:
    """Return the Euclidean norm of the gradient over all data, batch by batch.

    The norm of a mini-batch gradient stays at its noise level even where the gradient over all
    data is zero; so judge convergence by this one. The gradients are averaged before the norm
    is taken, each batch with its weight.

    Args:
      function: `function(params, batch)` returns the mean loss of a batch, a scalar.
      params: any tree of floating-point arrays.
      batches: batches that hold all data, each once; for data in one piece `[data]`.
      weights: one per batch, positive; None counts rows, the first axis of a batch's first
        array, so that a short last batch counts less.

    Returns:
      A scalar array of at least float32.

    Raises:
      TypeError: if `params` holds other leaves, or `function` returns no real number.
      ValueError: if there is no batch, a batch has no rows to count, or the number of weights
        is another.

    Examples:
      >>> import jax.numpy as jnp
      >>> loss = lambda w, x: jnp.mean(w * x)
      >>> batches = [jnp.arange(4.0), jnp.arange(4.0, 8.0), jnp.arange(8.0, 10.0)]
      >>> float(gradient_norm(loss, jnp.array(1.0), batches))
      4.5
    """
    who = "gradient_norm"
    check_params(who, "params", params)
    batches = list(batches)
    if not batches:
        fail(who, "`batches` must hold data", "got no batch", "For one batch write [batch].")
    counts = [_rows(who, batch) for batch in batches] if weights is None else list(weights)
    if len(counts) != len(batches):
        came = f"got {len(counts)} for {len(batches)} batches"
        fail(who, "there must be one weight per batch", came, "Leave them out to count rows.")
    for count in counts:
        check_number(who, "weights", count, low=0, low_open=True)
    params = jax.tree.map(jnp.asarray, params)
    total = sum(counts)
    mean = jax.tree.map(jnp.zeros_like, params)
    for batch, count in zip(batches, counts, strict=True):
        slope = jax.grad(loss_of(who, function, (batch,)))(params)
        share = count / total
        mean = jax.tree.map(lambda m, s, f=share: m + s * jnp.asarray(f, s.dtype), mean, slope)
    return global_norm(mean)


def may_be_critical(norms: Any, *, threshold: Number = 0.01) -> bool:
    """Say whether gradient norms over time allow that a critical point was reached.

    A one-way test: while the norm does not shrink, the training is at no minimum and no saddle,
    and its trouble is another one, such as the learning rate. Where it does shrink, a plateau
    is possible as well; `classify_critical_point` tells more.

    Args:
      norms: `(n,)` of the gradient over all data, in the order of time, at least 2; those of
        mini-batches end at their noise level and prove nothing.
      threshold: the share of the largest norm, from 0 to 1, below which it has shrunk.

    Returns:
      False where a critical point is ruled out, True where it is possible.

    Raises:
      ValueError: if there are fewer than 2 norms, one is negative or not finite, or `threshold`
        is out of range.

    Examples:
      >>> may_be_critical([1.0, 0.9, 0.95, 0.9]), may_be_critical([1.0, 0.1, 1e-4])
      (False, True)
    """
    who = "may_be_critical"
    check_number(who, "threshold", threshold, low=0, high=1)
    values = np.asarray(norms, np.float64)
    check_shape(who, "norms", values, (None,))
    if values.size < 2 or not np.all(np.isfinite(values) & (values >= 0)):
        rule = "`norms` must be at least 2 finite numbers, none negative"
        fail(who, rule, f"got {values.tolist()[:8]}", "Pass the norms of a whole training.")
    return bool(values[-1] <= float(threshold) * np.max(values))


def _rows(who: str, batch: Any) -> int:
    leaves = jax.tree.leaves(batch)
    if not leaves or not np.ndim(leaves[0]) or not np.shape(leaves[0])[0]:
        advice = "Pass `weights`, or arrays whose first axis is the batch."
        fail(who, "a batch must have rows to count", "got one without", advice)
    return int(np.shape(leaves[0])[0])
