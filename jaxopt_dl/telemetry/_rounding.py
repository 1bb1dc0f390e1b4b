"""How far two evaluations of one gradient may be apart."""

import jax.numpy as jnp

from jaxopt_dl._core.types import Array

ROUNDINGS = 1000
MOST = 0.25


def rounding_of(leaf: Array) -> float:
    """Return the share of its size by which a gradient may be off: 1000 roundings, 1/4 at most."""
    return min(ROUNDINGS * float(jnp.finfo(leaf.dtype).eps), MOST)
