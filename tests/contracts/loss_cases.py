"""Every loss of the library with inputs and an independent reference; a new loss is one row."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from jaxopt_dl import losses


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
]
