"""Losses and metrics of classifiers, from logits only: probabilities lose what logits hold."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxopt_dl._core.errors import check_floating, fail
from jaxopt_dl._core.numerics import common_dtype
from jaxopt_dl._core.trees import widen
from jaxopt_dl._core.types import Array

from ._checks import check_paired, check_values, per_example, poison


def softmax_cross_entropy(logits: Array, labels: Array) -> Array:
    """Return minus the log probability of the right class, for each example.

    Probabilities are the softmax of the logits; the largest logit is subtracted first, so value
    and gradient are finite for every finite logit.

        loss = log(sum_k exp(logits_k)) - logits_label

    Args:
      logits: `(batch, classes)`, floating point, unnormalized log probabilities.
      labels: `(batch,)`, integer class indexes in [0, classes).

    Returns:
      `(batch,)`, in nats, at least 0, at least float32. A label out of range that only shows
      inside a compiled program makes its example's loss and gradient NaN.

    Raises:
      TypeError: if `logits` are not floating point or `labels` not integers.
      ValueError: if the shapes do not fit, or a concrete label is out of range.

    Examples:
      >>> logits = jnp.array([[2.0, 1.0, 0.0]])
      >>> round(float(softmax_cross_entropy(logits, jnp.array([0]))[0]), 6)
      0.407606
    """
    safe, valid = _check_classes("softmax_cross_entropy", logits, labels)
    log_probabilities = jax.nn.log_softmax(widen(logits), axis=-1)
    picked = jnp.take_along_axis(log_probabilities, safe[:, None], axis=-1)[:, 0]
    return poison(-picked, valid)


def sigmoid_cross_entropy(logits: Array, labels: Array) -> Array:
    """Return the cross-entropy of independent yes-or-no targets, averaged over each example.

        loss = -(y * log(sigmoid(z)) + (1 - y) * log(1 - sigmoid(z)))

    Args:
      logits: z, `(batch,)` or `(batch, ...)`, floating point.
      labels: y, same shape, in [0, 1]: booleans, integers, or probabilities.

    Returns:
      `(batch,)`: the mean over the trailing axes, in nats, at least 0, at least float32. A label
      out of range that only shows inside a compiled program makes its example's loss and
      gradient NaN.

    Raises:
      TypeError: if `logits` are not floating point or `labels` not real numbers.
      ValueError: if the shapes differ, or a concrete label is NaN or outside [0, 1].

    Examples:
      >>> losses = sigmoid_cross_entropy(jnp.array([0.0, 1000.0]), jnp.array([1, 0]))
      >>> [round(float(loss), 4) for loss in losses]
      [0.6931, 1000.0]
    """
    who = "sigmoid_cross_entropy"
    check_paired(who, "logits", logits, "labels", labels)
    check_values(who, "labels", labels, 0, 1, "lie in [0, 1]")
    common = common_dtype(logits, labels)
    z = widen(jnp.asarray(logits).astype(common))
    y = jnp.asarray(labels).astype(z.dtype)
    # Two positive terms: nothing cancels, and z = 0 has the gradient of the formula.
    losses = y * jax.nn.softplus(-z) + (1 - y) * jax.nn.softplus(z)
    return poison(per_example(losses), (y >= 0) & (y <= 1))


def accuracy(logits: Array, labels: Array) -> Array:
    """Return 1 for each example whose largest logit is that of the right class, else 0.

    A metric, not a loss: its gradient is 0. Of equal largest logits the first counts.

    Args:
      logits: `(batch, classes)`, floating point.
      labels: `(batch,)`, integer class indexes in [0, classes).

    Returns:
      `(batch,)` of 0, 1, or NaN where a logit is NaN, at least float32. A label out of range
      that only shows inside a compiled program gives NaN.

    Raises:
      TypeError: if `logits` are not floating point or `labels` not integers.
      ValueError: if the shapes do not fit, or a concrete label is out of range.

    Examples:
      >>> logits = jnp.array([[2.0, 1.0], [0.0, 3.0], [0.0, 1.0]])
      >>> accuracy(logits, jnp.array([0, 1, 0])).tolist()
      [1.0, 1.0, 0.0]
    """
    safe, valid = _check_classes("accuracy", logits, labels)
    wide = widen(logits)
    hits = (jnp.argmax(wide, axis=-1).astype(safe.dtype) == safe).astype(wide.dtype)
    return poison(hits, valid & ~jnp.any(jnp.isnan(wide), axis=-1))


def _check_classes(who: str, logits: Array, labels: Array) -> tuple[Array, Array]:
    """Return labels with 0 in place of those out of range, and which were in range."""
    check_floating(who, "logits", logits)
    if np.ndim(logits) != 2 or np.shape(logits)[-1] < 1:
        advice = "Put the batch first and one logit per class last."
        came = f"got {np.shape(logits)}"
        fail(who, "`logits` must have shape (batch, classes)", came, advice)
    dtype = jnp.result_type(labels)
    if not jnp.issubdtype(dtype, jnp.integer):
        advice = "Pass class indexes; of one-hot rows, `labels.argmax(-1)`."
        fail(who, "`labels` must be integers", f"got dtype {dtype}", advice, kind=TypeError)
    batch, classes = np.shape(logits)
    if np.shape(labels) != (batch,):
        rule = f"`labels` must have shape ({batch},), one per row of `logits`"
        fail(who, rule, f"got {np.shape(labels)}", "Reshape it; nothing is broadcast silently.")
    check_values(who, "labels", labels, 0, classes - 1, f"lie in 0 to {classes - 1}")
    labels = jnp.asarray(labels)
    # A small integer dtype may not hold the number of classes; then all its values are below it.
    top = jnp.asarray(min(classes - 1, jnp.iinfo(labels.dtype).max), labels.dtype)
    valid = (labels >= 0) & (labels <= top)
    return jnp.where(valid, labels, 0), valid
