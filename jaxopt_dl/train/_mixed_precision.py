"""Layers computed in half precision, parameters and losses in float32."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp

from jaxopt_dl._core.errors import check_choice, fail
from jaxopt_dl._core.trees import widen
from jaxopt_dl._core.types import Array, Layer, PyTree

from ._supervised import Supervised


def mixed_precision(objective: Supervised, *, compute_dtype: Any = jnp.bfloat16) -> Supervised:
    """Compute the layers of an objective in half precision; all else stays as it is.

    Parameters, their gradients, the optimizer, running statistics, the loss and the metrics stay
    in float32; parameters and inputs are rounded on their way into the model, and its outputs are
    widened. This halves memory and time of matrix products on devices made for it; on most CPUs
    it is slower. bfloat16 has the range of float32, so that the loss needs no scaling.

    Args:
      objective: what `supervised` made.
      compute_dtype: `jnp.bfloat16`, or `jnp.float16`, whose gradients vanish below 6e-8.

    Returns:
      An objective. The same arguments give an equal one, so nothing is compiled twice.

    Raises:
      TypeError: if the objective is of another kind; such a one casts by itself.
      ValueError: if the dtype is neither.

    Examples:
      >>> from jaxopt_dl import losses, nn
      >>> from jaxopt_dl.train import supervised
      >>> layer = nn.dense(3)
      >>> params, state = layer.init(jax.random.key(0), (4,))
      >>> half = mixed_precision(supervised(layer, losses.softmax_cross_entropy))
      >>> batch = {"x": jnp.ones((2, 4)), "y": jnp.array([0, 2])}
      >>> loss, _ = half(params, state, batch, key=None, training=False)
      >>> loss.dtype, half.layer.apply(params, state, batch["x"], training=False)[0].dtype
      (dtype('float32'), dtype('float32'))

    References:
      Micikevicius et al., "Mixed Precision Training", 2018. https://arxiv.org/abs/1710.03740
      Kalamkar et al., "A Study of BFLOAT16 for Deep Learning Training", 2019.
      https://arxiv.org/abs/1905.12322
    """
    if not isinstance(objective, Supervised):
        came = f"got {type(objective).__name__}"
        advice = "Cast parameters and inputs inside of your own objective."
        rule = "`objective` must come from `train.supervised`"
        fail("mixed_precision", rule, came, advice, kind=TypeError)
    name = jnp.dtype(compute_dtype).name
    check_choice("mixed_precision", "compute_dtype", name, ["bfloat16", "float16"])
    return dataclasses.replace(objective, layer=_computed_in(objective.layer, name))


@functools.lru_cache(maxsize=512)  # the same layer gives the same functions, and one program
def _computed_in(layer: Layer, dtype: str) -> Layer:
    def apply(params: PyTree, state: PyTree, x: Array, **options: Any) -> tuple[Array, PyTree]:
        params, x = jax.tree.map(narrow, (params, x))
        y, state = layer.apply(params, state, x, **options)
        return jax.tree.map(wide, y), state

    def narrow(leaf: Array) -> Array:
        return leaf.astype(dtype) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf

    def wide(leaf: Array) -> Array:
        return widen(leaf) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf

    return layer._replace(apply=apply)
