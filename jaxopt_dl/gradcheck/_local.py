"""One operation by itself: its real outputs as a function of its real inputs."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxopt_dl._core import jaxpr
from jaxopt_dl._core.jaxpr import Equation
from jaxopt_dl._core.numerics import is_floating
from jaxopt_dl._core.types import Array


def by_itself(equation: Equation, inputs: list) -> tuple[Callable[..., list], list[Array]]:
    """Return an operation as a function of its real inputs, and these; others stay fixed."""
    moving = [i for i, value in enumerate(inputs) if is_floating(value)]

    def local(*values: Array) -> list:
        filled = dict(zip(moving, values, strict=True))
        given = [filled.get(i, value) for i, value in enumerate(inputs)]
        return [out for out in jaxpr.bind(equation, given) if is_floating(out)]

    return local, [inputs[i] for i in moving]


def slopes(equation: Equation, inputs: list) -> list[Array]:
    """Return what an operation passes back to each real input for ones; empty if it cannot."""
    local, values = by_itself(equation, inputs)
    try:
        found, pull = jax.vjp(local, *values)
        return list(pull([jnp.ones_like(out) for out in found]))
    except Exception:  # an operation without a derivative passes nothing back
        return []


def any_of(answers: list[Any]) -> Array:
    """Whether any of some boolean scalars is true; false for none."""
    return jnp.any(jnp.stack(answers)) if answers else jnp.array(False)
