"""Derivatives of activations, written out: what back-propagation multiplies by at each layer.

Automatic differentiation finds the same values; these are for reading, for teaching, and for
writing a backward pass by hand.
"""

import jax.numpy as jnp

from jaxopt_dl._core.errors import check_floating
from jaxopt_dl._core.types import Array

from ._activations import sigmoid


def relu_derivative(x: Array) -> Array:
    """Return the slope of ReLU: 1 where `x > 0`, else 0, and so 0 at 0.

    Args:
      x: floating-point array of any shape, the value before the activation.

    Returns:
      An array of the same shape and dtype.

    Raises:
      TypeError: if `x` holds integers.

    Examples:
      >>> relu_derivative(jnp.array([-1.0, 0.0, 2.0])).tolist()
      [0.0, 0.0, 1.0]
    """
    check_floating("relu_derivative", "x", x)
    x = jnp.asarray(x)
    return (x > 0).astype(x.dtype)


def sigmoid_derivative(x: Array) -> Array:
    """Return the slope of the sigmoid, `s * (1 - s)` with `s = sigmoid(x)`: at most 1/4.

    Args:
      x: floating-point array of any shape, the value before the activation.

    Returns:
      An array of the same shape and dtype.

    Raises:
      TypeError: if `x` holds integers.

    Examples:
      >>> round(float(sigmoid_derivative(jnp.array(2.0))), 4)
      0.105
    """
    check_floating("sigmoid_derivative", "x", x)
    # `sigmoid(-x)` is `1 - sigmoid(x)` without the cancellation for large x.
    return sigmoid(x) * sigmoid(-x)


def tanh_derivative(x: Array) -> Array:
    """Return the slope of tanh, `1 - tanh(x)^2`: 1 at 0, and less everywhere else.

    Args:
      x: floating-point array of any shape, the value before the activation.

    Returns:
      An array of the same shape and dtype.

    Raises:
      TypeError: if `x` holds integers.

    Examples:
      >>> round(float(tanh_derivative(jnp.array(1.0))), 4)
      0.42
    """
    check_floating("tanh_derivative", "x", x)
    slope = jnp.tanh(x)
    return (1 - slope) * (1 + slope)
