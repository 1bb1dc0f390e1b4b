"""Element-wise functions on arrays; `lift` makes layers of them."""

import jax
import jax.numpy as jnp

from jaxopt_dl._core.errors import check_floating, check_number
from jaxopt_dl._core.types import Array


def relu(x: Array) -> Array:
    """Keep positive values and set the others to 0. The gradient at 0 is 0.

    Args:
      x: floating-point array of any shape. NaN stays NaN.

    Returns:
      An array of the same shape and dtype.

    Raises:
      TypeError: if `x` holds integers.

    Examples:
      >>> relu(jnp.array([-1.0, 0.0, 2.0])).tolist()
      [0.0, 0.0, 2.0]
    """
    check_floating("relu", "x", x)
    return jax.nn.relu(x)


def tanh(x: Array) -> Array:
    """Squash to (-1, 1) by `(e^x - e^-x) / (e^x + e^-x)`, without overflow.

    Args:
      x: floating-point array of any shape.

    Returns:
      An array of the same shape and dtype.

    Raises:
      TypeError: if `x` holds integers.

    Examples:
      >>> round(float(tanh(jnp.array(1.0))), 4)
      0.7616
    """
    check_floating("tanh", "x", x)
    return jnp.tanh(x)


def sigmoid(x: Array) -> Array:
    """Squash to (0, 1) by `1 / (1 + e^-x)`, finite with its gradient for every finite `x`.

    Args:
      x: floating-point array of any shape.

    Returns:
      An array of the same shape and dtype.

    Raises:
      TypeError: if `x` holds integers.

    Examples:
      >>> round(float(sigmoid(jnp.array(2.0))), 4)
      0.8808
    """
    check_floating("sigmoid", "x", x)
    return jax.nn.sigmoid(x)


def leaky_relu(x: Array, *, slope: float = 0.01) -> Array:
    """Keep positive values and multiply the others by `slope`, so that no unit dies.

    Args:
      x: floating-point array of any shape.
      slope: factor on negative values, finite, usually in [0, 1). The gradient at 0 is 1.

    Returns:
      An array of the same shape and dtype.

    Raises:
      TypeError: if `x` holds integers or `slope` is not a number.
      ValueError: if `slope` is not finite.

    Examples:
      >>> leaky_relu(jnp.array([-2.0, 3.0]), slope=0.5).tolist()
      [-1.0, 3.0]
    """
    check_floating("leaky_relu", "x", x)
    check_number("leaky_relu", "slope", slope)
    x = jnp.asarray(x)
    return jax.nn.leaky_relu(x, jnp.asarray(slope, x.dtype))


def selu(x: Array) -> Array:
    """Scaled exponential unit: with LeCun's initialization, activations normalize themselves.

        selu(x) = 1.050701 * (x if x > 0 else 1.673263 * (e^x - 1))

    Args:
      x: floating-point array of any shape.

    Returns:
      An array of the same shape and dtype.

    Raises:
      TypeError: if `x` holds integers.

    Examples:
      >>> round(float(selu(jnp.array(1.0))), 4)
      1.0507

    References:
      Klambauer et al., "Self-Normalizing Neural Networks", 2017.
      https://arxiv.org/abs/1706.02515
    """
    check_floating("selu", "x", x)
    return jax.nn.selu(x)
