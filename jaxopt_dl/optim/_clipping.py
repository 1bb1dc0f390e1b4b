"""Limits on the size of gradients."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxopt_dl._core.trees import global_norm, wide_dtype, widen
from jaxopt_dl._core.types import Array, Number

from ._rule import leafwise, rule


class ClipState(NamedTuple):
    """State of the clipping blocks: a counter and the limit.

    Examples:
      >>> import jax.numpy as jnp
      >>> state = clip_by_global_norm(1.5).init(jnp.ones(3))
      >>> print(state.count, state.hyperparams["max_norm"])
      0 1.5
    """

    count: Array
    hyperparams: dict[str, Any]


def clip_by_global_norm(max_norm: Number) -> optax.GradientTransformationExtraArgs:
    """Shorten the gradient to `max_norm` when it is longer; its direction is kept.

    One step on a cliff of the loss would otherwise throw the parameters far away.

        g <- g * min(1, max_norm / ||g||)

    with one norm over all parameters. It is computed without overflow, so a gradient of 1e30
    is clipped like any other. Clipping repairs no NaN: when the norm is not finite the gradient
    passes unchanged, so the fault stays in the leaf where it arose and can be named, and is
    neither hidden as a zero update nor spread over all leaves.

    Args:
      max_norm: largest Euclidean norm let through, positive, or a schedule.

    Returns:
      A transformation whose state is a `ClipState`.

    Raises:
      TypeError: if `max_norm` is not a number, or parameters are not floating-point.
      ValueError: if `max_norm` is not positive and finite.

    Examples:
      >>> import jax.numpy as jnp
      >>> clip = clip_by_global_norm(1.0)
      >>> g = {"a": jnp.array(3.0), "b": jnp.array(4.0)}
      >>> clipped, state = clip.update(g, clip.init(g))
      >>> {name: round(float(leaf), 3) for name, leaf in clipped.items()}
      {'a': 0.6, 'b': 0.8}

    References:
      Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural networks",
      2013, Algorithm 1. https://arxiv.org/abs/1211.5063
    """
    return rule("clip_by_global_norm", ClipState, _by_global_norm, {"max_norm": max_norm})


def clip_by_norm(max_norm: Number) -> optax.GradientTransformationExtraArgs:
    """Shorten the gradient of each parameter array to `max_norm` when it is longer.

        g <- g * min(1, max_norm / ||g||)    for each leaf by itself

    One array that explodes does not shrink the steps of the others; the direction over all
    parameters is not kept, as `clip_by_global_norm` keeps it. A leaf whose norm is not finite
    passes unchanged.

    Args:
      max_norm: largest Euclidean norm of a leaf let through, positive, or a schedule.

    Returns:
      A transformation whose state is a `ClipState`.

    Raises:
      TypeError: if `max_norm` is not a number, or parameters are not floating-point.
      ValueError: if `max_norm` is not positive and finite.

    Examples:
      >>> import jax.numpy as jnp
      >>> clip = clip_by_norm(1.0)
      >>> g = {"a": jnp.array([30.0, 40.0]), "b": jnp.array([0.5])}
      >>> clipped, state = clip.update(g, clip.init(g))
      >>> {name: [round(float(x), 3) for x in leaf] for name, leaf in clipped.items()}
      {'a': [0.6, 0.8], 'b': [0.5]}

    References:
      Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural networks",
      2013, applied to each array. https://arxiv.org/abs/1211.5063
    """
    return rule("clip_by_norm", ClipState, _by_norm, {"max_norm": max_norm})


def clip_by_value(limit: Number) -> optax.GradientTransformationExtraArgs:
    """Move every component of the gradient into `[-limit, limit]`.

    It may change the direction of the gradient; `clip_by_global_norm` does not. NaN stays NaN.

    Args:
      limit: largest absolute value let through, positive, or a schedule.

    Returns:
      A transformation whose state is a `ClipState`.

    Raises:
      TypeError: if `limit` is not a number, or parameters are not floating-point.
      ValueError: if `limit` is not positive and finite.

    Examples:
      >>> import jax.numpy as jnp
      >>> clip = clip_by_value(1.0)
      >>> g = jnp.array([3.0, -0.5])
      >>> print(clip.update(g, clip.init(g))[0])
      [ 1.  -0.5]
    """
    return rule("clip_by_value", ClipState, _by_value, {"limit": limit})


@leafwise
def _by_value(n, gradient):
    return (jnp.clip(gradient, -n.limit, n.limit),)


@leafwise
def _by_norm(n, gradient):
    return (gradient * _shortening(global_norm(gradient), n.max_norm),)


def _by_global_norm(n, updates, slots, params):
    del params
    factor = _shortening(global_norm(updates).astype(n.max_norm.dtype), n.max_norm)
    return jax.tree.map(lambda g: widen(g) * factor.astype(wide_dtype(g)), updates), slots


def _shortening(norm: Array, max_norm: Array) -> Array:
    passes = (norm <= max_norm) | jnp.isnan(norm)  # a fault in the gradient stays where it is
    return jnp.where(passes, jnp.ones_like(norm), max_norm / norm)
