"""The affine map."""

from typing import Any

import jax

from jaxopt_dl._core.errors import check_callable, check_integer, check_key
from jaxopt_dl._core.numerics import along_last, common_dtype, matmul_last
from jaxopt_dl._core.types import Array, Key, Layer, PyTree, Spec

from ._checks import (
    check_features,
    check_holds,
    check_parameter_dtype,
    check_shapes,
    feature_spec,
    label,
)
from ._initializers import Initializer, lecun_normal, zeros


def dense(
    features: int,
    *,
    use_bias: bool = True,
    kernel_init: Initializer | None = None,
    bias_init: Initializer = zeros,
    dtype: Any = None,
    name: str | None = None,
) -> Layer:
    """Map the last axis linearly: `y = x @ kernel + bias`.

    Leave the bias out before batch normalization, which subtracts it again.

    Args:
      features: size of the last axis of the output, at least 1.
      use_bias: whether to add a bias.
      kernel_init: initializer of the kernel; None means `lecun_normal()`.
      bias_init: initializer of the bias.
      dtype: dtype of the parameters; None follows the input given to `init`.
      name: name of the layer in paths and messages.

    Returns:
      A layer from `(batch, ..., in)` to `(batch, ..., features)`. Params: `kernel`
      `(in, features)` and, if used, `bias` `(features,)`. No state. The output has the common
      dtype of input and parameters.

    Raises:
      TypeError: if `features` is not an integer, an initializer not a function or `dtype` not
        floating; from `init` and `apply`, if the input holds integers.
      ValueError: if `features` is below 1; from `apply`, if the last axis of the input or the
        names in `params` are not those of `init`.

    Examples:
      >>> import jax.numpy as jnp
      >>> layer = dense(3, name="head")
      >>> params, state = layer.init(jax.random.key(0), (4,))
      >>> y, state = layer.apply(params, state, jnp.ones((8, 4)), training=False)
      >>> y.shape
      (8, 3)
    """
    who = label("dense", name)
    kernel_init = lecun_normal() if kernel_init is None else kernel_init
    check_integer(who, "features", features, low=1)
    check_callable(who, "kernel_init", kernel_init)
    check_callable(who, "bias_init", bias_init)
    check_parameter_dtype(who, dtype)
    shapes = {"kernel": (None, features)} | ({"bias": (features,)} if use_bias else {})

    def init(key: Key, spec: Spec) -> tuple[PyTree, PyTree]:
        spec = feature_spec(who, spec)
        check_key(who, key)
        chosen = spec.dtype if dtype is None else dtype
        kernel_key, bias_key = jax.random.split(key)
        params = {"kernel": kernel_init(kernel_key, (spec.shape[-1], features), chosen)}
        if use_bias:
            params["bias"] = bias_init(bias_key, (features,), chosen)
        check_shapes(who, "params", params, shapes | {"kernel": (spec.shape[-1], features)})
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
        check_features(who, x, params["kernel"].shape[0])
        common = common_dtype(x, *params.values())
        y = matmul_last(x.astype(common), params["kernel"].astype(common))
        if use_bias:
            y = y + along_last(params["bias"].astype(common), y.ndim)
        return y, state

    return Layer("dense", name, init, apply)
