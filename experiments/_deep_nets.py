"""Deep networks of equal layers, and what a signal and a gradient become on their way through."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxopt_dl import nn

DEPTH = 50
WIDTH = 256
EXAMPLES = 200
ACTIVATIONS: dict[str, Any] = {"ReLU": nn.relu, "tanh": nn.tanh, "sigmoid": nn.sigmoid}
STARTS: dict[str, Any] = {
    "std 0.01": nn.normal(stddev=0.01),
    "std 1": nn.normal(stddev=1.0),
    "variance 1/n": nn.lecun_normal(),
    "variance 2/n": nn.he_normal(),
}


class Passage(NamedTuple):
    """What one network does.

    Attributes:
      moments: mean square of the activations behind every layer, `(depth,)`.
      ratio: norm of the gradient at the input over that at the output.
      outputs: activations behind every layer, `(depth, EXAMPLES, WIDTH)`.
    """

    moments: np.ndarray
    ratio: float
    outputs: np.ndarray


def passage(activation: str, start: str, seed: int, depth: int = DEPTH) -> Passage:
    """Send normal inputs through a network without biases, and a random gradient back, in float64.

    Args:
      activation: a name of `ACTIVATIONS`.
      start: a name of `STARTS`.
      seed: of inputs, kernels and gradient.
      depth: number of layers.
    """
    with jax.enable_x64(True):
        key_x, key_w, key_g = jax.random.split(jax.random.key(seed), 3)
        x = jax.random.normal(key_x, (EXAMPLES, WIDTH), np.float64)
        draw = jax.vmap(lambda key: STARTS[start](key, (WIDTH, WIDTH), np.float64))
        kernels = draw(jax.random.split(key_w, depth))

        def layer(out: jax.Array, kernel: jax.Array) -> tuple[jax.Array, jax.Array]:
            out = ACTIVATIONS[activation](out @ kernel)
            return out, out

        _, outputs = jax.lax.scan(layer, x, kernels)
        gradient = jax.random.normal(key_g, x.shape, np.float64)
        _, pull = jax.vjp(lambda x: jax.lax.scan(layer, x, kernels)[0], x)
        ratio = jnp.linalg.norm(pull(gradient)[0]) / jnp.linalg.norm(gradient)
        moments = np.asarray(jnp.mean(outputs**2, axis=(1, 2)))
        return Passage(moments, float(ratio), np.asarray(outputs))
