"""The bundled digits, split once, and a training on them."""

import functools
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxopt_dl import data, losses, train
from jaxopt_dl.train import FitResult


class Digits(NamedTuple):
    """Train and dev sets as `fit` takes them; pixels lie between 0 and 1."""

    train: dict[str, np.ndarray]
    dev: dict[str, np.ndarray]


@functools.cache
def digits() -> Digits:
    """Return 1078 examples for training and 359 for dev, split with a fixed key."""
    loaded = data.load_bundled("digits")
    parts = data.split(jax.random.key(0), len(loaded.y), (0.6, 0.2, 0.2))
    rows = [np.asarray(part) for part in parts[:2]]
    chosen = [{"x": loaded.x[part], "y": loaded.y[part]} for part in rows]
    return Digits(*chosen)


@functools.cache
def objective(model: Any) -> Any:
    """Return cross-entropy of a model, one object per model so that nothing compiles twice."""
    metrics = {"accuracy": losses.accuracy}
    return train.supervised(model, losses.softmax_cross_entropy, metrics=metrics)


def fit(model: Any, optimizer: Any, seed: int, *, epochs: int, batch_size: int = 64) -> FitResult:
    """Train on the digits from a start that depends on the seed alone."""
    init, run = jax.random.split(jax.random.key(seed))
    params, state = model.init(init, (64,))
    sets = digits()
    return train.fit(
        objective(model),
        params,
        state,
        optimizer,
        sets.train,
        key=run,
        epochs=epochs,
        batch_size=batch_size,
        dev=sets.dev,
        progress=None,
    )
