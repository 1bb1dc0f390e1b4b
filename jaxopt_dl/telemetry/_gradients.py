"""Sizes of gradients, layer by layer, and what they say."""

import enum
import math

from jaxopt_dl._core.errors import check_number, fail
from jaxopt_dl._core.trees import global_norm
from jaxopt_dl._core.types import Array, Number, PyTree

from ._layers import by_layer, check_concrete


class Health(enum.StrEnum):
    """What the size of a layer's gradient says; each value is one word for logs.

    Attributes:
      OK: the norm lies between the two limits.
      VANISHING: below the lower one: updates are tiny and their direction is mostly noise. Start
        from a matching initializer (He for ReLU, Xavier for tanh), add batch or layer
        normalization, residual connections, or use an activation that does not saturate.
      EXPLODING: above the upper one: updates overshoot. Clip the global norm, lower the learning
        rate, or start from smaller weights.
      NON_FINITE: NaN or infinite: look for the first such value going forward.

    Examples:
      >>> Health.VANISHING == "vanishing"
      True
    """

    OK = "ok"
    VANISHING = "vanishing"
    EXPLODING = "exploding"
    NON_FINITE = "non-finite"


def gradient_norms(gradients: PyTree) -> dict[str, Array]:
    """Return the Euclidean norm of each layer's gradient; also good for parameters and updates.

    Compared from layer to layer it shows where a signal vanishes or explodes on its way back.
    Works inside compiled programs.

    Args:
      gradients: any pytree of floating-point arrays.

    Returns:
      Layer -> scalar, at least float32. A layer is a path without its last part: the leaves
      `00_dense/kernel` and `00_dense/bias` belong to `00_dense`; leaves at the top to "".

    Raises:
      TypeError: if a leaf does not hold floating-point numbers.
      ValueError: if there are no leaves.

    Examples:
      >>> import jax.numpy as jnp
      >>> gradients = {"head": {"kernel": jnp.array([[3.0]]), "bias": jnp.array([4.0])}}
      >>> {layer: float(norm) for layer, norm in gradient_norms(gradients).items()}
      {'head': 5.0}
    """
    layers = by_layer("gradient_norms", "gradients", gradients)
    return {layer: global_norm(leaves) for layer, leaves in layers.items()}


def health(gradients: PyTree, *, low: Number = 1e-7, high: Number = 1e3) -> dict[str, Health]:
    """Say of each layer whether its gradient vanishes, explodes or is not finite.

    Args:
      gradients: any pytree of floating-point arrays, outside of compiled programs.
      low: norms below this one vanish, at least 0.
      high: norms above this one explode, larger than `low`.

    Returns:
      Layer -> `Health`, layers as in `gradient_norms`.

    Raises:
      TypeError: if a leaf does not hold floating-point numbers, or is traced.
      ValueError: if there are no leaves or a limit is out of range.

    Examples:
      >>> import jax.numpy as jnp
      >>> found = health({"a": {"kernel": jnp.array(1e-9)}, "b": {"kernel": jnp.array(1.0)}})
      >>> {layer: str(what) for layer, what in found.items()}
      {'a': 'vanishing', 'b': 'ok'}
    """
    check_number("health", "low", low, low=0)
    check_number("health", "high", high, low=0)
    if not float(low) < float(high):
        fail("health", "`low` must be below `high`", f"got {low} and {high}", "Swap them.")
    advice = "Take `gradient_norms` inside the program and judge them outside."
    check_concrete("health", "gradients", gradients, advice)
    norms = gradient_norms(gradients)
    return {layer: _judge(float(norm), float(low), float(high)) for layer, norm in norms.items()}


def _judge(norm: float, low: float, high: float) -> Health:
    if not math.isfinite(norm):
        return Health.NON_FINITE
    return Health.VANISHING if norm < low else Health.EXPLODING if norm > high else Health.OK
