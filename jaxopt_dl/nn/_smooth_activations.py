"""Smooth element-wise functions, and softplus from which some are made."""

import jax
import jax.numpy as jnp

from jaxopt_dl._core.errors import check_floating, check_number
from jaxopt_dl._core.types import Array


def elu(x: Array, *, alpha: float = 1.0) -> Array:
    """Keep positive values; let the others fall smoothly to `-alpha`.

        elu(x) = x if x > 0 else alpha * (e^x - 1)

    Args:
      x: floating-point array of any shape.
      alpha: minus the limit on the left, finite, usually positive.

    Returns:
      An array of the same shape and dtype.

    Raises:
      TypeError: if `x` holds integers or `alpha` is not a number.
      ValueError: if `alpha` is not finite.

    Examples:
      >>> [round(float(y), 4) for y in elu(jnp.array([-1.0, 2.0]))]
      [-0.6321, 2.0]

    References:
      Clevert et al., "Fast and Accurate Deep Network Learning by Exponential Linear Units",
      2015. https://arxiv.org/abs/1511.07289
    """
    check_floating("elu", "x", x)
    check_number("elu", "alpha", alpha)
    x = jnp.asarray(x)
    return jax.nn.elu(x, jnp.asarray(alpha, x.dtype))


def gelu(x: Array, *, approximate: bool = False) -> Array:
    """Weight each value by the share of a standard normal below it.

        gelu(x) = x * (1 + erf(x / sqrt(2))) / 2

    Args:
      x: floating-point array of any shape.
      approximate: whether to use `x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3))) / 2`,
        which some published weights were trained with. (JAX does by default, PyTorch does not.)

    Returns:
      An array of the same shape and dtype.

    Raises:
      TypeError: if `x` holds integers.

    Examples:
      >>> round(float(gelu(jnp.array(1.0))), 4)
      0.8413

    References:
      Hendrycks and Gimpel, "Gaussian Error Linear Units", 2016. https://arxiv.org/abs/1606.08415
    """
    check_floating("gelu", "x", x)
    return jax.nn.gelu(x, approximate=approximate)


def mish(x: Array) -> Array:
    """Weight each value by the tanh of its softplus: `x * tanh(log(1 + e^x))`.

    Args:
      x: floating-point array of any shape.

    Returns:
      An array of the same shape and dtype.

    Raises:
      TypeError: if `x` holds integers.

    Examples:
      >>> round(float(mish(jnp.array(1.0))), 4)
      0.8651

    References:
      Misra, "Mish: A Self Regularized Non-Monotonic Activation Function", 2019.
      https://arxiv.org/abs/1908.08681
    """
    return x * jnp.tanh(_softplus("mish", x))


def silu(x: Array) -> Array:
    """Weight each value by its sigmoid: `x / (1 + e^-x)`; also called swish.

    Args:
      x: floating-point array of any shape.

    Returns:
      An array of the same shape and dtype.

    Raises:
      TypeError: if `x` holds integers.

    Examples:
      >>> round(float(silu(jnp.array(1.0))), 4)
      0.7311

    References:
      Elfwing et al., "Sigmoid-Weighted Linear Units", 2017. https://arxiv.org/abs/1702.03118
    """
    check_floating("silu", "x", x)
    return jax.nn.silu(x)


def softplus(x: Array) -> Array:
    """A smooth ReLU, `log(1 + e^x)`, without overflow; its derivative is the sigmoid.

    Args:
      x: floating-point array of any shape.

    Returns:
      An array of the same shape and dtype, positive.

    Raises:
      TypeError: if `x` holds integers.

    Examples:
      >>> round(float(softplus(jnp.array(0.0))), 4)
      0.6931

    References:
      Glorot et al., "Deep Sparse Rectifier Neural Networks", 2011.
    """
    return _softplus("softplus", x)


def _softplus(who: str, x: Array) -> Array:
    check_floating(who, "x", x)
    return jax.nn.softplus(x)
