"""Running averages of gradients, as the rules use them, one leaf at a time."""

import jax.numpy as jnp

from jaxopt_dl._core.numerics import safe_sqrt
from jaxopt_dl._core.types import Array


def average(old: Array, new: Array, decay: Array) -> Array:
    """Return `decay * old + (1 - decay) * new`: `decay` is the share of the old value kept."""
    return decay * old + (1 - decay) * new


def debias(value: Array, decay: Array, step: Array) -> Array:
    """Return an average that started at zero as if it had not: `value / (1 - decay**step)`.

    `step` counts from 1. The result is a temporary; stored, it would be corrected again.
    """
    return value / (1 - jnp.power(decay, step))


def root(square: Array, eps: Array, *, inside: bool) -> Array:
    """Return the root of a mean square, kept from zero by `eps` inside the root or outside."""
    return safe_sqrt(square + eps) if inside else safe_sqrt(square) + eps
