"""Networks of small weights around an element-wise rule, with and without a loop beside it."""

# ruff: noqa: E731  a loss of one line reads best beside its parameters

from collections.abc import Callable

import jax
import jax.numpy as jnp

from tests.gradcheck.suite._cases import normal

X, Y = normal(1, 8, 3), normal(2, 8)


def small(seed: int, size: float = 0.1) -> dict:
    return {"kernel": normal(seed, 3, 4, scale=size), "bias": normal(seed + 1, 4, scale=size)}


def with_rule(primal: Callable, forward: Callable, backward: Callable) -> Callable:
    function = jax.custom_vjp(primal)
    function.defvjp(forward, backward)
    return function


def through(apply: Callable, params: dict) -> dict:
    loss = lambda p, x: jnp.mean(apply(x @ p["kernel"] + p["bias"]) ** 2)
    return {"function": loss, "params": params, "args": (X,)}


def tanh_primal(x):
    return jnp.tanh(x)


def halvings(size):
    """How often a number of the data can be halved before it is below one thousandth."""
    halve = lambda s: (s[0] / 2, s[1] + 1)
    return jax.lax.while_loop(lambda s: s[0] > 1e-3, halve, (size, 0))[1]


def beside_a_loop(apply: Callable, params: dict) -> dict:
    """The loop depends on the data only and has nothing to do with the rule."""

    def loss(p, x):
        weight = 1.0 / halvings(jnp.sum(x**2))
        return weight * jnp.mean(apply(x @ p["kernel"] + p["bias"]) ** 2)

    return {"function": loss, "params": params, "args": (X,)}


def root(a):
    closer = lambda x: 0.5 * (x + a / x)
    return jax.lax.while_loop(lambda x: jnp.abs(x * x - a) > 1e-12 * a, closer, 1.0 + a)


def root_forward(a):
    x = root(a)
    return x, (x, a)
