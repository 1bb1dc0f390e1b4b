"""Convolution over one or two spatial axes."""

from collections.abc import Sequence
from typing import Any

import jax

from jaxopt_dl._core.errors import check_callable, check_integer, check_key
from jaxopt_dl._core.numerics import along_last, common_dtype
from jaxopt_dl._core.types import Array, Key, Layer, PyTree, Spec

from ._checks import (
    check_features,
    check_holds,
    check_parameter_dtype,
    check_shapes,
    feature_spec,
    label,
)
from ._convolve import convolve
from ._initializers import Initializer, lecun_normal, zeros
from ._window import Padding, check_spatial, make_window, pairs_of


def conv(
    features: int,
    kernel_size: Sequence[int],
    *,
    strides: int | Sequence[int] = 1,
    padding: Padding = "SAME",
    dilation: int | Sequence[int] = 1,
    use_bias: bool = True,
    kernel_init: Initializer | None = None,
    bias_init: Initializer = zeros,
    dtype: Any = None,
    name: str | None = None,
) -> Layer:
    """Slide a small linear map over the spatial axes: the same weights at every place.

    As everywhere in deep learning the kernel is not flipped, so this is a correlation:

        y[b, i, o] = bias[o] + sum over k, c of x[b, i * stride + k * dilation, c] * kernel[k, c, o]

    On CPU small kernels are computed as one matrix product over shifted slices, which runs many
    times faster inside a compiled loop and gives the same numbers to rounding; elsewhere XLA's
    convolution is used. Leave the bias out before batch normalization.

    Args:
      features: number of output channels, at least 1.
      kernel_size: `(length,)` for sequences, `(height, width)` for images; each at least 1.
      strides: how far the kernel moves at a time, one number or one per axis, at least 1.
      padding: `"SAME"` (zeros around, `ceil(size / stride)` places out), `"VALID"` (none), or
        one pair (before, after) per axis.
      dilation: distance between neighboring inputs of one place, at least 1.
      use_bias: whether to add a bias.
      kernel_init: initializer of the kernel; None means `lecun_normal()`.
      bias_init: initializer of the bias.
      dtype: dtype of the parameters; None follows the input given to `init`.
      name: name of the layer in paths and messages.

    Returns:
      A layer from `(batch, *spatial, channels)` to `(batch, *places, features)`, in the common
      dtype of input and parameters. Params: `kernel` `(*kernel_size, channels, features)` and
      `bias` `(features,)`.

    Raises:
      TypeError: if a size is not an integer, `kernel_size` not a tuple of one or two, an
        initializer not a function or `dtype` not floating; from `init` and `apply`, if the input
        holds integers.
      ValueError: if a number is out of range or lengths do not fit; from `init` and `apply`, if
        the input has another rank or number of channels, or is smaller than the kernel.

    Examples:
      >>> import jax.numpy as jnp
      >>> layer = conv(8, (3, 3), strides=2)
      >>> params, state = layer.init(jax.random.key(0), (28, 28, 1))
      >>> y, state = layer.apply(params, state, jnp.ones((5, 28, 28, 1)), training=False)
      >>> params["kernel"].shape, y.shape
      ((3, 3, 1, 8), (5, 14, 14, 8))

    References:
      LeCun et al., "Gradient-Based Learning Applied to Document Recognition", 1998.
    """
    who = label("conv", name)
    kernel_init = lecun_normal() if kernel_init is None else kernel_init
    check_integer(who, "features", features, low=1)
    window = make_window(who, "kernel_size", kernel_size, strides, padding, dilation)
    check_callable(who, "kernel_init", kernel_init)
    check_callable(who, "bias_init", bias_init)
    check_parameter_dtype(who, dtype)
    rank = len(window.sizes)
    shapes = {"kernel": (*window.sizes, None, features)}
    shapes |= {"bias": (features,)} if use_bias else {}

    def init(key: Key, spec: Spec) -> tuple[PyTree, PyTree]:
        spec = feature_spec(who, spec)
        check_spatial(who, jax.ShapeDtypeStruct((1, *spec.shape), spec.dtype), rank)
        pairs_of(who, window, spec.shape[:-1])
        check_key(who, key)
        chosen = spec.dtype if dtype is None else dtype
        kernel_key, bias_key = jax.random.split(key)
        shape = (*window.sizes, spec.shape[-1], features)
        params = {"kernel": kernel_init(kernel_key, shape, chosen)}
        if use_bias:
            params["bias"] = bias_init(bias_key, (features,), chosen)
        check_shapes(who, "params", params, shapes | {"kernel": shape})
        return params, {}

    def apply(
        params: PyTree,
        state: PyTree,
        x: Array,
        *,
        training: bool,
        key: Key | None = None,
        mask: Array | None = None,
    ) -> tuple[Array, PyTree]:
        del training, key, mask
        check_holds(who, "params", params, tuple(shapes))
        check_shapes(who, "params", params, shapes)
        check_spatial(who, x, rank)
        check_features(who, x, params["kernel"].shape[-2])
        common = common_dtype(x, *params.values())
        pairs = pairs_of(who, window, x.shape[1:-1])
        y = convolve(x.astype(common), params["kernel"].astype(common), window, pairs)
        if use_bias:
            y = y + along_last(params["bias"].astype(common), y.ndim)
        return y, state

    return Layer("conv", name, init, apply)
