"""Every loss of the library with inputs and an independent reference; a new loss is one row."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from jaxopt_dl import losses

CLASS_WEIGHTS = np.array([0.5, 2.0, 1.0, 0.0, 3.0])


class LossCase(NamedTuple):
    name: str
    loss: Callable
    inputs: Callable[[np.random.Generator, int], tuple[np.ndarray, np.ndarray]]
    """`(generator, batch) -> (outputs, targets)`, outputs in float64."""
    reference: Callable[[np.ndarray, np.ndarray], np.ndarray]
    """The same loss in NumPy float64, one value per example."""
    bad_target: float
    """A value that no target may have."""


def _classes(rng, batch):
    return rng.normal(size=(batch, 5)) * 3, rng.integers(0, 5, size=batch)


def _one_probability(rng, batch):
    return rng.normal(size=batch) * 3, rng.uniform(size=batch)


def _yes_or_no(rng, batch):
    return rng.normal(size=(batch, 3)) * 3, rng.integers(0, 2, size=(batch, 3)).astype(float)


def _numbers(rng, batch):
    return rng.normal(size=batch), rng.normal(size=batch) + 0.5


def _maps(rng, batch):
    return rng.normal(size=(batch, 2, 3)), rng.normal(size=(batch, 2, 3)) * 2


def _softmax_reference(logits, labels):
    rest = logits - logits[np.arange(len(labels)), labels][:, None]
    top = rest.max(axis=1)
    return top + np.log(np.exp(rest - top[:, None]).sum(axis=1))


def _distributions(rng, batch):
    targets = rng.uniform(size=(batch, 5)) * (rng.uniform(size=(batch, 5)) < 0.7) + 0.01
    targets[:, 1] = 0.0
    return rng.normal(size=(batch, 5)) * 3, targets / targets.sum(axis=1, keepdims=True)


def _every_class_reference(logits):
    """The loss each class would have as the label, `(batch, classes)`."""
    batch, classes = logits.shape
    columns = [_softmax_reference(logits, np.full(batch, k)) for k in range(classes)]
    return np.stack(columns, axis=1)


def _smoothed_reference(logits, labels):
    losses = _every_class_reference(logits)
    return 0.9 * losses[np.arange(len(labels)), labels] + 0.1 * losses.mean(axis=1)


def _weighted_reference(logits, labels):
    return _softmax_reference(logits, labels) * CLASS_WEIGHTS[labels]


def _distribution_reference(logits, targets):
    return (_every_class_reference(logits) * targets).sum(axis=1)


def _uneven_reference(logits, labels):
    smooth = labels * 0.8 + 0.1
    return 3.0 * smooth * np.logaddexp(0, -logits) + (1 - smooth) * np.logaddexp(0, logits)


def _absolute_reference(predictions, targets):
    return np.abs(predictions - targets).reshape(len(targets), -1).mean(axis=1)


def _huber_reference(predictions, targets):
    size = np.abs(predictions - targets)
    each = np.where(size <= 0.7, size**2 / 2, 0.7 * (size - 0.35))
    return each.reshape(len(targets), -1).mean(axis=1)


def _sigmoid_reference(logits, labels):
    losses = np.logaddexp(0, logits) - logits * labels
    return losses.reshape(len(losses), -1).mean(axis=1)


def _squared_reference(predictions, targets):
    return ((predictions - targets) ** 2).reshape(len(targets), -1).mean(axis=1)


LOSSES = [
    LossCase("softmax", losses.softmax_cross_entropy, _classes, _softmax_reference, 5),
    LossCase("sigmoid", losses.sigmoid_cross_entropy, _one_probability, _sigmoid_reference, 1.001),
    LossCase(
        "sigmoid_several", losses.sigmoid_cross_entropy, _yes_or_no, _sigmoid_reference, np.nan
    ),
    LossCase("squared", losses.squared_error, _numbers, _squared_reference, np.nan),
    LossCase("squared_maps", losses.squared_error, _maps, _squared_reference, np.inf),
    LossCase(
        "softmax_smoothed",
        functools.partial(losses.softmax_cross_entropy, label_smoothing=0.1),
        _classes,
        _smoothed_reference,
        -1,
    ),
    LossCase(
        "softmax_weighted",
        functools.partial(losses.softmax_cross_entropy, class_weights=CLASS_WEIGHTS),
        _classes,
        _weighted_reference,
        5,
    ),
    LossCase(
        "soft_targets",
        losses.soft_target_cross_entropy,
        _distributions,
        _distribution_reference,
        1.5,
    ),
    LossCase(
        "sigmoid_uneven",
        functools.partial(losses.sigmoid_cross_entropy, label_smoothing=0.2, positive_weight=3.0),
        _one_probability,
        _uneven_reference,
        -0.001,
    ),
    LossCase("absolute", losses.absolute_error, _maps, _absolute_reference, np.nan),
    LossCase(
        "huber", functools.partial(losses.huber, delta=0.7), _numbers, _huber_reference, np.inf
    ),
]
