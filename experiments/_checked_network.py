"""The small network whose gradients the experiments check: 5-4-3-1 units, tanh, 20 examples."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxopt_dl import nn

EXAMPLES = 20


def network(
    scale: float = 1.0, activation: Callable = nn.tanh, seed: int = 0
) -> tuple[Callable, Any]:
    """Return a loss of the parameters, and parameters.

    Args:
      scale: factor on every kernel.
      activation: of the hidden layers.
      seed: of examples and parameters.

    Returns:
      The loss, which computes in the type of its parameters, and 43 parameters in float64.
    """
    layers = [nn.dense(4), nn.lift(activation), nn.dense(3), nn.lift(activation), nn.dense(1)]
    model = nn.sequential(*layers)
    inputs, targets, init = jax.random.split(jax.random.key(seed), 3)
    x = jax.random.normal(inputs, (EXAMPLES, 5), np.float64)
    y = jax.random.normal(targets, (EXAMPLES, 1), np.float64)
    params, state = model.init(init, jax.ShapeDtypeStruct((5,), np.float64))

    def loss(params: Any) -> jax.Array:
        dtype = jax.tree.leaves(params)[0].dtype
        out, _ = model.apply(params, state, x.astype(dtype), training=False)
        return jnp.mean((out - y.astype(dtype)) ** 2)

    return loss, jax.tree.map(lambda leaf: scale * leaf, params)
