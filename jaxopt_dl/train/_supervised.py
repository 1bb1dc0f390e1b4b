"""The objective of supervised learning: a layer, a loss, perhaps a penalty."""

import dataclasses
import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from jaxopt_dl._core.errors import check_callable, check_shape, fail
from jaxopt_dl._core.numerics import along_first, weighted_mean
from jaxopt_dl._core.types import Array, Aux, Batch, Key, Layer, Metric, PyTree


@dataclasses.dataclass(frozen=True)
class Supervised:
    """An objective made by `supervised`; call it as any objective.

    Attributes:
      layer: the model.
      loss: `(outputs, targets) -> (batch,)`.
      penalty: `params -> scalar`, added to the mean loss, or None.
      metrics: pairs of name and `(outputs, targets) -> (batch,)`.

    Examples:
      >>> from jaxopt_dl import losses, nn
      >>> objective = supervised(nn.dense(3), losses.softmax_cross_entropy)
      >>> objective.layer.kind
      'dense'
    """

    layer: Layer
    loss: Metric
    penalty: Callable[[PyTree], Array] | None
    metrics: tuple[tuple[str, Metric], ...]

    def __call__(
        self, params: PyTree, state: PyTree, batch: Batch, *, key: Key | None, training: bool
    ) -> tuple[Array, Aux]:
        """Return the weighted mean loss plus the penalty, and the batch's metrics."""
        x, y = _inputs_and_targets(batch)
        weight = batch.get("weight")
        mask = batch.get("mask", None if weight is None else weight > 0)
        outputs, state = self.layer.apply(params, state, x, training=training, key=key, mask=mask)
        if weight is None:
            weight = jnp.ones(jnp.shape(y)[:1], outputs.dtype)
        # A row that does not count must not reach the loss: even a NaN times zero is NaN.
        counts = along_first(weight > 0, outputs.ndim)
        outputs = jnp.where(counts, outputs, jnp.zeros_like(outputs))
        data_loss, total = _mean("loss", self.loss(outputs, y), weight)
        metrics = {
            name: _mean(f"metrics[{name!r}]", metric(outputs, y), weight)[0]
            for name, metric in self.metrics
        }
        if self.penalty is None:
            return data_loss, Aux(state, metrics, total)
        penalty = jnp.asarray(self.penalty(params)).astype(data_loss.dtype)
        check_shape("supervised", "penalty(params)", penalty, ())
        metrics |= {"data_loss": data_loss, "penalty": penalty}
        return data_loss + penalty, Aux(state, metrics, total)

    def check(self, params: PyTree, state: PyTree, data: Batch) -> None:
        """Check the targets of a whole data set on the host, before anything is compiled.

        Inside a compiled program a label out of range can only make the loss NaN. Here the loss
        and the metrics see every target once and may raise.
        """
        x, y = _inputs_and_targets(data)
        y = np.asarray(y)
        one = jax.ShapeDtypeStruct((1, *np.shape(x)[1:]), jnp.result_type(x))
        outputs, _ = _evaluated.eval_shape(self.layer, params, state, one)
        if "weight" in data:
            y = y[np.asarray(data["weight"]) > 0]
        zeros = jax.ShapeDtypeStruct((len(y), *outputs.shape[1:]), outputs.dtype)
        for function in (self.loss, *(metric for _, metric in self.metrics)):
            _try_targets(function, zeros, jnp.asarray(y))


def supervised(
    layer: Layer,
    loss: Metric,
    *,
    penalty: Callable[[PyTree], Array] | None = None,
    metrics: dict[str, Metric] | None = None,
) -> Supervised:
    """Make the objective of supervised learning, `mean loss + penalty`.

    It reads `x` and `y` from a batch, and `weight` and `mask` where they are there: rows of
    weight 0 count nowhere, and layers such as batch norm leave rows outside the mask out of
    their statistics.

    Args:
      layer: the model; its outputs go to `loss` as they are (logits, for classification).
      loss: `(outputs, targets) -> one value per example, (batch,)`.
      penalty: `params -> scalar`, such as `lambda p: losses.l2_penalty(p, 1e-4)`. With it the
        metrics hold `data_loss` and `penalty` apart; `loss` is their sum.
      metrics: name -> `(outputs, targets) -> (batch,)`, such as
        `{"accuracy": losses.accuracy}`.

    Returns:
      An objective: `objective(params, state, batch, *, key, training) -> (loss, Aux)`. The same
      arguments give an equal objective, so nothing is compiled twice.

    Raises:
      TypeError: if `layer` is not a layer or a function is not callable.
      ValueError: if a metric is named `loss`, `data_loss`, `penalty` or `weight`.

    Examples:
      >>> import jax, jax.numpy as jnp
      >>> from jaxopt_dl import losses, nn
      >>> layer = nn.dense(3)
      >>> objective = supervised(layer, losses.softmax_cross_entropy)
      >>> params, state = layer.init(jax.random.key(0), (4,))
      >>> batch = {"x": jnp.zeros((2, 4)), "y": jnp.array([0, 2])}
      >>> loss, aux = objective(params, state, batch, key=None, training=False)
      >>> round(float(loss), 4), float(aux.weight)
      (1.0986, 2.0)
    """
    if not isinstance(layer, Layer):
        came = f"got {type(layer).__name__}"
        advice = "Pass what a factory such as `nn.sequential` returned."
        fail("supervised", "`layer` must be a Layer", came, advice, kind=TypeError)
    check_callable("supervised", "loss", loss)
    if penalty is not None:
        check_callable("supervised", "penalty", penalty)
    for name, metric in (metrics or {}).items():
        check_callable("supervised", f"metrics[{name!r}]", metric)
        if name in {"loss", "data_loss", "penalty", "weight"}:
            rule = "a metric may not be named loss, data_loss, penalty or weight"
            fail("supervised", rule, f"got {name!r}", "Choose another name.")
    return Supervised(layer, loss, penalty, tuple((metrics or {}).items()))


def _inputs_and_targets(batch: Batch) -> tuple[Array, Array]:
    if "x" not in batch or "y" not in batch:
        rule = "the data must hold `x` (inputs) and `y` (targets)"
        came = f"got {', '.join(sorted(batch)) or 'nothing'}"
        fail("supervised", rule, came, 'Name them so: `{"x": inputs, "y": targets}`.')
    return batch["x"], batch["y"]


@functools.partial(jax.jit, static_argnums=0)
def _evaluated(layer: Layer, params: PyTree, state: PyTree, x: Array) -> tuple[Array, PyTree]:
    return layer.apply(params, state, x, training=False)


def _try_targets(function: Metric, outputs: jax.ShapeDtypeStruct, targets: Array) -> None:
    """Let a loss look at known targets; its arithmetic is traced only, so nothing is compiled."""
    try:
        jax.eval_shape(lambda traced: function(traced, targets), outputs)
    except (jax.errors.ConcretizationTypeError, jax.errors.TracerArrayConversionError):
        # It judges by numbers that JAX computes; so it is given numbers.
        function(jnp.zeros(outputs.shape, outputs.dtype), targets)


def _mean(name: str, values: Array, weight: Array) -> tuple[Array, Array]:
    """Return the weighted mean and the weight of what a loss or a metric returned."""
    # `(batch, 1)` against `(batch,)` weights would be a sum of sums, `batch` times too large.
    check_shape("supervised", f"the result of `{name}`", values, weight.shape)
    return weighted_mean(values, weight)
