"""Losses and metrics of classifiers, from logits only: probabilities lose what logits hold."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxopt_dl._core.errors import check_floating, check_shape, fail, is_traced
from jaxopt_dl._core.numerics import common_dtype, read_number
from jaxopt_dl._core.trees import widen
from jaxopt_dl._core.types import Array, Number

from ._checks import check_paired, check_values, per_example, poison

SUM_TOLERANCE = 0.01
"""How far a row of probabilities may be from adding up to 1; bfloat16 needs 0.004."""


def softmax_cross_entropy(
    logits: Array,
    labels: Array,
    *,
    label_smoothing: Number = 0.0,
    class_weights: Array | None = None,
) -> Array:
    """Return minus the log probability of the right class, for each example.

    Probabilities are the softmax of the logits; the largest logit is subtracted first, so value
    and gradient are finite for every finite logit.

        loss = log(sum_k exp(logits_k)) - logits_label
        smoothed = (1 - s) * loss + s * mean over all classes k of their loss

    Args:
      logits: `(batch, classes)`, floating point, unnormalized log probabilities.
      labels: `(batch,)`, integer class indexes in [0, classes).
      label_smoothing: s, the share of each label that is spread evenly over all classes, in
        [0, 1). Then the smallest loss is above 0, and infinite where a logit is minus infinity.
      class_weights: `(classes,)`, at least 0, or None. An example's loss is multiplied by the
        weight of its label, and a mean over examples still divides by their number. (PyTorch
        divides by the sum of the weights: for that, pass `class_weights[labels]` as the weights
        of the examples instead.)

    Returns:
      `(batch,)`, in nats, at least 0, at least float32. A label, the weight of its class, or a
      smoothing out of range that only shows inside a compiled program makes an example's loss
      and gradient NaN.

    Raises:
      TypeError: if `logits` are not floating point, `labels` not integers or a number not one.
      ValueError: if the shapes do not fit, or a concrete label, weight or `label_smoothing` is
        out of range.

    Examples:
      >>> logits = jnp.array([[2.0, 1.0, 0.0]])
      >>> round(float(softmax_cross_entropy(logits, jnp.array([0]))[0]), 6)
      0.407606
    """
    who = "softmax_cross_entropy"
    safe, valid = _check_classes(who, logits, labels)
    minus_log = -jax.nn.log_softmax(widen(logits), axis=-1)
    share = _read_smoothing(who, label_smoothing, minus_log.dtype)
    losses = jnp.take_along_axis(minus_log, safe[:, None], axis=-1)[:, 0]
    if not _is_zero(label_smoothing):
        losses = (1 - share) * losses + share * jnp.mean(minus_log, axis=-1)
    if class_weights is not None:
        _check_class_weights(who, class_weights, minus_log.shape[-1])
        factor = jnp.asarray(class_weights).astype(losses.dtype)
        factor = jnp.where(jnp.isfinite(factor) & (factor >= 0), factor, jnp.nan)
        losses = losses * factor[safe]
    return poison(losses, valid)


def soft_target_cross_entropy(logits: Array, targets: Array) -> Array:
    """Return the cross-entropy against a distribution over classes, for each example.

    For targets that are themselves uncertain: mixed examples, several raters, another model.
    Rows of 0 and one 1 give `softmax_cross_entropy`.

        loss = -sum_k targets_k * log_softmax(logits)_k

    Args:
      logits: `(batch, classes)`, floating point, unnormalized log probabilities.
      targets: `(batch, classes)`, probabilities; each row adds up to 1, within 0.01.

    Returns:
      `(batch,)`, in nats, at least 0 (at least the entropy of the targets), at least float32. A
      row of targets that is no distribution and only shows inside a compiled program makes its
      example's loss and gradient NaN.

    Raises:
      TypeError: if `logits` are not floating point or `targets` not real numbers.
      ValueError: if the shapes differ or are not `(batch, classes)`, or concrete targets are
        outside [0, 1] or do not add up to 1.

    Examples:
      >>> logits = jnp.array([[2.0, 1.0, 0.0]])
      >>> round(float(soft_target_cross_entropy(logits, jnp.array([[0.5, 0.5, 0.0]]))[0]), 6)
      0.907606
    """
    who = "soft_target_cross_entropy"
    check_paired(who, "logits", logits, "targets", targets)
    check_shape(who, "logits", logits, (None, None))
    check_values(who, "targets", targets, 0, 1, "lie in [0, 1]")
    common = common_dtype(logits, targets)
    z = widen(jnp.asarray(logits).astype(common))
    t = jnp.asarray(targets).astype(z.dtype)
    sums = jnp.sum(t, axis=-1)
    check_values(who, "targets", sums, 1 - SUM_TOLERANCE, 1 + SUM_TOLERANCE, "add up to 1")
    # A class of probability 0 counts nothing, also where its logit is minus infinity.
    terms = jnp.where(t == 0, 0, t * jax.nn.log_softmax(z, axis=-1))
    adds_up = jnp.abs(sums - 1) <= SUM_TOLERANCE
    return poison(-jnp.sum(terms, axis=-1), (t >= 0) & (t <= 1) & adds_up[:, None])


def sigmoid_cross_entropy(
    logits: Array,
    labels: Array,
    *,
    label_smoothing: Number = 0.0,
    positive_weight: Number = 1.0,
) -> Array:
    """Return the cross-entropy of independent yes-or-no targets, averaged over each example.

        loss = -(w * y * log(sigmoid(z)) + (1 - y) * log(1 - sigmoid(z)))

    Args:
      logits: z, `(batch,)` or `(batch, ...)`, floating point.
      labels: y, same shape, in [0, 1]: booleans, integers, or probabilities.
      label_smoothing: share s of each label that is replaced by 1/2, `y * (1 - s) + s / 2`, in
        [0, 1).
      positive_weight: w, what a yes counts against a no, at least 0; for rare positives, about
        the number of negatives per positive. A mean still divides by the number of values.

    Returns:
      `(batch,)`: the mean over the trailing axes, in nats, at least 0, at least float32. A label
      or another number out of range that only shows inside a compiled program makes an
      example's loss and gradient NaN.

    Raises:
      TypeError: if `logits` are not floating point, `labels` not real numbers or a number not
        one.
      ValueError: if the shapes differ, a concrete label is NaN or outside [0, 1], or another
        number is out of range.

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
    share = _read_smoothing(who, label_smoothing, z.dtype)
    weight = read_number(who, "positive_weight", positive_weight, z.dtype, low=0)
    smooth = y * (1 - share) + share / 2
    # Two positive terms: nothing cancels, and z = 0 has the gradient of the formula.
    losses = weight * smooth * jax.nn.softplus(-z) + (1 - smooth) * jax.nn.softplus(z)
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
    return _hits("accuracy", logits, labels)


def error_rate(logits: Array, labels: Array) -> Array:
    """Return 0 for each example whose largest logit is that of the right class, else 1.

    One minus `accuracy`, with the same arguments and rules.

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
      >>> error_rate(logits, jnp.array([0, 1, 0])).tolist()
      [0.0, 0.0, 1.0]
    """
    return 1 - _hits("error_rate", logits, labels)


def _hits(who: str, logits: Array, labels: Array) -> Array:
    safe, valid = _check_classes(who, logits, labels)
    wide = widen(logits)
    hits = (jnp.argmax(wide, axis=-1).astype(safe.dtype) == safe).astype(wide.dtype)
    return poison(hits, valid & ~jnp.any(jnp.isnan(wide), axis=-1))


def _is_zero(number: Number) -> bool:
    """Whether a number is known to be 0, so that its term can be left out of the program."""
    return not is_traced(number) and float(number) == 0


def _check_class_weights(who: str, weights: Array, classes: int) -> None:
    advice = f"Pass {classes} numbers, one per class, with 0 for a class that must not count."
    dtype = weights.dtype if is_traced(weights) else np.asarray(weights).dtype
    if not jnp.issubdtype(dtype, np.number):
        rule, came = "`class_weights` must be an array of numbers", f"got {weights!r}"
        fail(who, rule, came, advice, kind=TypeError)
    check_shape(who, "class_weights", weights, (classes,))
    allowed, largest = "be finite and at least 0", np.finfo(np.float64).max
    check_values(who, "class_weights", weights, 0, largest, allowed, unit="class", advice=advice)


def _read_smoothing(who: str, number: Number, dtype: np.dtype) -> Array:
    return read_number(who, "label_smoothing", number, dtype, low=0, high=1, high_open=True)


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
