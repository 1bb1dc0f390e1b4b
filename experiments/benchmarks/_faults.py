"""Faults to plant into the gradient of a network; each entry of `FAULTS` spoils a loss.

`FAULTS[name](loss)` returns the arguments of `check_gradients` that bring the fault in. A loss
takes parameters, two arrays and the keyword `activation`.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

LEAF, ENTRY = ("01", "kernel"), (3, 7)
"""What the faults of one leaf and one entry spoil."""


def with_wrong_rule(loss: Callable) -> dict[str, Any]:
    """Every activation has a custom rule that is off by a thousandth."""

    @jax.custom_vjp
    def tanh(x: Any) -> Any:
        return jnp.tanh(x)

    tanh.defvjp(lambda x: (tanh(x), tanh(x)), lambda y, g: (1.001 * g * (1 - y**2),))
    return {"function": functools.partial(loss, activation=tanh)}


def by_hand(change: Callable[[dict], dict]) -> Callable[[Callable], dict[str, Any]]:
    """A gradient written by hand, in which `change` puts the fault."""

    def arguments(loss: Callable) -> dict[str, Any]:
        right = jax.grad(loss)
        return {"function": loss, "gradient": lambda *given: change(right(*given))}

    return arguments


def in_one_leaf(change: Callable[[Any], Any]) -> Callable[[dict], dict]:
    layer, name = LEAF

    def changed(gradient: dict) -> dict:
        spoiled = {**gradient[layer], name: change(gradient[layer][name])}
        return {**gradient, layer: spoiled}

    return changed


FAULTS: dict[str, Callable[[Callable], dict[str, Any]]] = {
    "wrong rule": with_wrong_rule,
    "by hand, right": by_hand(lambda gradient: gradient),
    "by hand, times 1.001": by_hand(lambda g: jax.tree.map(lambda leaf: 1.001 * leaf, g)),
    "by hand, a leaf transposed": by_hand(in_one_leaf(lambda g: g.T.reshape(g.shape))),
    "by hand, zeros in a leaf": by_hand(in_one_leaf(jnp.zeros_like)),
    "by hand, NaN in a leaf": by_hand(in_one_leaf(lambda g: g.at[ENTRY[0]].set(jnp.nan))),
    "by hand, one entry off by 1e-4": by_hand(in_one_leaf(lambda g: g.at[ENTRY].mul(1 + 1e-4))),
}
