"""Inverted dropout."""

import jax
import jax.numpy as jnp

from jaxopt_dl._core.errors import check_floating, check_key, check_number, fail, is_traced
from jaxopt_dl._core.numerics import read_number
from jaxopt_dl._core.trees import wide_dtype
from jaxopt_dl._core.types import Array, Key, Layer, Number, PyTree, Spec

from ._checks import check_training, label

SHARE = {"low": 0, "high": 1, "low_open": True}


def dropout(*, keep_prob: Number, name: str | None = None) -> Layer:
    """Zero each value with probability `1 - keep_prob` in training, and scale up the rest.

    No unit can rely on a single other one, which spreads the weights. Dividing what is kept by
    `keep_prob` keeps the mean of every value, so that evaluation needs no scaling.

        y = where(uniform(key) < keep_prob, x / keep_prob, 0)

    Args:
      keep_prob: probability to keep a value, in (0, 1]. Other libraries take the drop rate,
        `1 - keep_prob`. At 1 the layer is the identity and needs no key.
      name: name of the layer in paths and messages.

    Returns:
      A layer on arrays of any shape, same shape and dtype out, without params and state. In
      evaluation it returns its input. Each call needs a fresh key in training; the mask of a
      key is the same in every dtype.

    Raises:
      TypeError: if `keep_prob` is not a number; from `apply`, if the input holds integers, `key`
        is not a key or `training` not a bool.
      ValueError: if `keep_prob` lies outside (0, 1]; from `apply`, if the key is missing in
        training.

    Examples:
      >>> layer = dropout(keep_prob=0.8)
      >>> x = jnp.full((2, 50), 3.0)
      >>> y, _ = layer.apply({}, {}, x, training=True, key=jax.random.key(0))
      >>> sorted(set(y.ravel().tolist()))
      [0.0, 3.75]

    References:
      Srivastava et al., "Dropout: A Simple Way to Prevent Neural Networks from Overfitting",
      2014. Differs from the paper: the scaling happens in training, not in evaluation.
    """
    who = label("dropout", name)
    check_number(who, "keep_prob", keep_prob, **SHARE)
    keeps_all = not is_traced(keep_prob) and float(keep_prob) == 1.0

    def init(key: Key, spec: Spec) -> tuple[PyTree, PyTree]:
        del key, spec
        return {}, {}

    def apply(
        params: PyTree,
        state: PyTree,
        x: Array,
        *,
        training: bool,
        key: Key | None = None,
        mask: Array | None = None,
    ) -> tuple[Array, PyTree]:
        del params, mask
        check_training(who, training)
        check_floating(who, "x", x)
        if not training or keeps_all:
            return x, state
        if key is None:
            advice = "Pass `key=jax.random.key(...)`, a fresh one at every step."
            fail(who, "training needs a `key`", "got None", advice)
        check_key(who, key)
        # In float32 whatever the input, so that a float64 check sees the same mask.
        share = read_number(who, "keep_prob", keep_prob, jnp.float32, **SHARE)
        # Not `<`: where the share is NaN, nothing may pass for dropped.
        kept = ~(jax.random.uniform(key, x.shape, jnp.float32) >= share)
        wide = x.astype(wide_dtype(x))
        scaled = wide / read_number(who, "keep_prob", keep_prob, wide.dtype, **SHARE)
        return jnp.where(kept, scaled, 0).astype(x.dtype), state

    return Layer("dropout", name, init, apply)
