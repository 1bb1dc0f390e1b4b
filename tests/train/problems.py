"""Small problems for tests of training."""

import functools

import jax
import numpy as np

from jaxopt_dl import losses, nn, train


def blobs(rows: int = 50, features: int = 4, classes: int = 3, seed: int = 0) -> dict:
    """Rows around one center per class, asymmetric on purpose."""
    rng = np.random.default_rng(seed)
    centers = np.random.default_rng(99).normal(size=(classes, features)) * np.linspace(
        1.0, 6.0, features
    )
    y = rng.integers(0, classes, rows).astype(np.int32)
    x = (centers[y] + rng.normal(size=(rows, features))).astype(np.float32)
    return {"x": x, "y": y}


@functools.cache  # one object, so that the tests share what they compile
def classifier(*, batch_norm: bool = True, keep_prob: float = 0.8):
    """A small network with all that has state or randomness: `(objective, params, state)`."""
    hidden = [nn.dense(8, use_bias=not batch_norm), nn.lift(nn.relu)]
    if batch_norm:
        hidden.insert(1, nn.batch_norm())
    layer = nn.sequential(*hidden, nn.dropout(keep_prob=keep_prob), nn.dense(3))
    params, state = layer.init(jax.random.key(7), (4,))
    objective = train.supervised(
        layer, losses.softmax_cross_entropy, metrics={"accuracy": losses.accuracy}
    )
    return objective, params, state
