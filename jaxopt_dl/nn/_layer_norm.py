"""Layer normalization: every row by its own mean and variance."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxopt_dl._core.errors import check_number, fail
from jaxopt_dl._core.numerics import along_last, common_dtype, read_number
from jaxopt_dl._core.trees import wide_dtype
from jaxopt_dl._core.types import Array, Key, Layer, Number, PyTree, Spec

from ._checks import (
    check_features,
    check_holds,
    check_parameter_dtype,
    check_shapes,
    feature_spec,
    label,
)

POSITIVE = {"low": 0, "low_open": True}


def layer_norm(*, eps: Number = 1e-5, dtype: Any = None, name: str | None = None) -> Layer:
    """Center and scale the features of every row, in training as in evaluation.

    Unlike batch normalization it needs no other rows and no running averages.

        y = scale * (x - mean) / sqrt(var + eps) + bias, mean and var over the last axis

    Args:
      eps: added to the (biased) variance, positive, in squared units of `x`.
      dtype: dtype of the parameters; None follows the input given to `init`.
      name: name of the layer in paths and messages.

    Returns:
      A layer on `(batch, ..., features)`, same shape out, in the common dtype of input and
      parameters. Params: `scale` (ones) and `bias` (zeros), each `(features,)`. Sums are
      accumulated in at least float32.

    Raises:
      TypeError: if `eps` is not a number or `dtype` not floating; from `init` and `apply`, if
        the input holds integers.
      ValueError: if `eps` is not positive; from `init`, if there is one feature only, which is
        its own mean; from `apply`, if the last axis of the input or `params` are not those of
        `init`.

    Examples:
      >>> layer = layer_norm()
      >>> params, state = layer.init(jax.random.key(0), (4,))
      >>> y, _ = layer.apply(params, state, jnp.array([[1.0, 2.0, 3.0, 4.0]]), training=True)
      >>> [round(float(value), 4) for value in y[0]]
      [-1.3416, -0.4472, 0.4472, 1.3416]

    References:
      Ba et al., "Layer Normalization", 2016. https://arxiv.org/abs/1607.06450
    """
    who = label("layer_norm", name)
    check_number(who, "eps", eps, **POSITIVE)
    check_parameter_dtype(who, dtype)

    def init(key: Key, spec: Spec) -> tuple[PyTree, PyTree]:
        del key
        spec = feature_spec(who, spec)
        _check_width(who, spec.shape[-1])
        chosen = spec.dtype if dtype is None else dtype
        features = spec.shape[-1:]
        return {"scale": jnp.ones(features, chosen), "bias": jnp.zeros(features, chosen)}, {}

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
        check_holds(who, "params", params, ("scale", "bias"))
        check_features(who, x, np.size(params["scale"]))
        check_shapes(who, "params", params, dict.fromkeys(params, x.shape[-1:]))
        common = common_dtype(x, *params.values())
        wide = wide_dtype(common)
        x = x.astype(wide)
        centered = x - jnp.mean(x, axis=-1, keepdims=True)
        var = jnp.mean(jnp.square(centered), axis=-1, keepdims=True)
        unit = centered * jax.lax.rsqrt(var + read_number(who, "eps", eps, wide, **POSITIVE))
        scale, bias = (along_last(params[n].astype(wide), x.ndim) for n in ("scale", "bias"))
        return (unit * scale + bias).astype(common), state

    return Layer("layer_norm", name, init, apply)


def _check_width(who: str, features: int) -> None:
    if features < 2:
        rule = "the last axis must have at least 2 features"
        advice = "A single one is its own mean, so all that comes out is the bias; leave it out."
        fail(who, rule, f"got {features}", advice)
