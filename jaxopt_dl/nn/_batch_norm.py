"""Batch normalization: batch statistics in training, running ones in evaluation."""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxopt_dl._core.errors import check_number
from jaxopt_dl._core.numerics import along_first, along_last, common_dtype, read_number
from jaxopt_dl._core.trees import wide_dtype
from jaxopt_dl._core.types import Array, Key, Layer, Number, PyTree, Spec

from ._checks import (
    check_features,
    check_holds,
    check_mask,
    check_parameter_dtype,
    check_shapes,
    check_training,
    feature_spec,
    label,
)

SHARE = {"low": 0, "high": 1, "high_open": True}
POSITIVE = {"low": 0, "low_open": True}


class _Moments(NamedTuple):
    mean: Array
    var: Array
    count: Array


def batch_norm(
    *,
    decay: Number = 0.9,
    eps: Number = 1e-5,
    unbiased_running: bool = False,
    dtype: Any = None,
    name: str | None = None,
) -> Layer:
    """Center and scale every channel, over the batch while training.

    It keeps activations in the range where the next layer learns fastest. In evaluation the
    statistics are running averages from the state, so a row's output depends on that row alone.

        y = scale * (x - mean) / sqrt(var + eps) + bias
        running = decay * running + (1 - decay) * batch

    Args:
      decay: share of the old running value kept at each step, in [0, 1). The default follows
        a change within some 20 steps.
      eps: added to the variance, positive, in squared units of `x`.
      unbiased_running: whether the running variance averages the unbiased estimate
        `n / (n - 1) * var` instead of `var`. The batch is normalized by `var` either way.
      dtype: dtype of the parameters; None follows the input given to `init`.
      name: name of the layer in paths and messages.

    Returns:
      A layer on `(batch, ..., channels)`, same shape out, in the common dtype of input and
      parameters. Params: `scale` (ones) and `bias` (zeros), each `(channels,)`. State: `mean`
      (zeros) and `var` (ones), each `(channels,)`, at least float32, as is all accumulation.
      With `mask` `(batch,)` only real rows count in training, and padded rows come out as
      `bias`; a batch without real rows leaves the state as it was. A single value per channel is
      its own mean, so a batch of one row teaches nothing: it comes out as `bias` too.

    Raises:
      TypeError: if a number is not one or `dtype` not floating; from `init` and `apply`, if the
        input holds integers, `mask` is not boolean or `training` not a bool.
      ValueError: if `decay` lies outside [0, 1) or `eps` is not positive; from `apply`, if the
        shape of the input or mask, or the names in `params` or `state`, do not fit.

    Examples:
      >>> layer = batch_norm()
      >>> params, state = layer.init(jax.random.key(0), (1,))
      >>> x = jnp.array([[1.0], [2.0], [3.0], [4.0]])
      >>> y, state = layer.apply(params, state, x, training=True)
      >>> round(float(y[0, 0]), 4), round(float(state["mean"][0]), 4)
      (-1.3416, 0.25)

    References:
      Ioffe and Szegedy, "Batch Normalization", 2015. https://arxiv.org/abs/1502.03167
      Differs from the paper: by default the running variance averages the biased estimate.
    """
    who = label("batch_norm", name)
    check_number(who, "decay", decay, **SHARE)
    check_number(who, "eps", eps, **POSITIVE)
    check_parameter_dtype(who, dtype)

    def init(key: Key, spec: Spec) -> tuple[PyTree, PyTree]:
        del key
        spec = feature_spec(who, spec)
        chosen = spec.dtype if dtype is None else dtype
        channels = spec.shape[-1:]
        params = {"scale": jnp.ones(channels, chosen), "bias": jnp.zeros(channels, chosen)}
        wide = wide_dtype(jnp.dtype(chosen))
        return params, {"mean": jnp.zeros(channels, wide), "var": jnp.ones(channels, wide)}

    def apply(
        params: PyTree,
        state: PyTree,
        x: Array,
        *,
        training: bool,
        key: Key | None = None,
        mask: Array | None = None,
    ) -> tuple[Array, PyTree]:
        del key
        check_training(who, training)
        check_holds(who, "params", params, ("scale", "bias"))
        check_holds(who, "state", state, ("mean", "var"))
        check_features(who, x, np.size(params["scale"]))
        channels = dict.fromkeys(("scale", "bias", "mean", "var"), x.shape[-1:])
        for what, tree in (("params", params), ("state", state)):
            check_shapes(who, what, tree, {name: channels[name] for name in tree})
        common = common_dtype(x, *params.values())
        wide = wide_dtype(common)
        x = x.astype(wide)
        if training:
            centered, moments = _center_by_batch(who, x, mask)
            var = moments.var
            kept = read_number(who, "decay", decay, wide, **SHARE)
            state = _running(state, moments, kept, unbiased_running)
        else:
            centered = x - along_last(state["mean"].astype(wide), x.ndim)
            var = state["var"].astype(wide)
        spread = var + read_number(who, "eps", eps, wide, **POSITIVE)
        factor = params["scale"].astype(wide) * jax.lax.rsqrt(spread)
        bias = params["bias"].astype(wide)
        y = centered * along_last(factor, x.ndim) + along_last(bias, x.ndim)
        return y.astype(common), state

    return Layer("batch_norm", name, init, apply)


def _center_by_batch(who: str, x: Array, mask: Array | None) -> tuple[Array, _Moments]:
    """Return `x - mean` with padded rows set to 0, and the moments of the real rows."""
    if mask is None:
        mask = jnp.ones(x.shape[:1], bool)
    check_mask(who, mask, x)
    real = along_first(mask, x.ndim)
    axes = tuple(range(x.ndim - 1))
    places = math.prod(x.shape[1:-1])
    count = jnp.sum(mask).astype(x.dtype) * places
    divisor = jnp.maximum(count, 1)
    # `where` rather than a product: padding may hold NaN, and 0 * NaN is NaN.
    mean = jnp.sum(jnp.where(real, x, 0), axes) / divisor
    centered = jnp.where(real, x - along_last(mean, x.ndim), 0)
    var = jnp.sum(jnp.square(centered), axes) / divisor
    return centered, _Moments(mean, var, count)


def _running(state: PyTree, moments: _Moments, decay: Array, unbiased: bool) -> PyTree:
    """Return the running averages after one batch; a batch without rows changes nothing."""
    mean, var, count = moments
    if unbiased:
        var = var * count / jnp.maximum(count - 1, 1)

    def blend(old: Array, new: Array) -> Array:
        kept = decay.astype(old.dtype)
        return jnp.where(count > 0, kept * old + (1 - kept) * new.astype(old.dtype), old)

    return {"mean": blend(state["mean"], mean), "var": blend(state["var"], var)}
