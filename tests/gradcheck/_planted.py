"""Small functions with planted faults, shared by the tests of this folder."""

import jax
import jax.numpy as jnp
import numpy as np

RANDOM = np.random.default_rng(7)
X = RANDOM.normal(size=(6, 4))
PARAMS = {"w": RANDOM.normal(size=(4, 3)), "b": np.array([0.3, -0.2, 0.1])}


@jax.custom_vjp
def wrong_square(x):
    return x**2


wrong_square.defvjp(lambda x: (x**2, x), lambda x, g: (2.001 * g * x,))


@jax.custom_vjp
def right_square(x):
    return x**2


right_square.defvjp(lambda x: (x**2, x), lambda x, g: (2 * g * x,))


@jax.custom_jvp
def wrong_sine(x):
    return jnp.sin(x)


@wrong_sine.defjvp
def wrong_sine_jvp(primals, tangents):
    return jnp.sin(primals[0]), -jnp.cos(primals[0]) * tangents[0]


@jax.custom_jvp
def straight_through(x):
    return jnp.round(x)


@straight_through.defjvp
def straight_through_jvp(primals, tangents):
    return jnp.round(primals[0]), tangents[0]


@jax.custom_vjp
def reversed_gradient(x):
    return x


reversed_gradient.defvjp(lambda x: (x, None), lambda _, g: (-g,))


@jax.custom_vjp
def shifted_forward(x):
    return jnp.cos(x)


shifted_forward.defvjp(lambda x: (jnp.cos(x) + 0.01, x), lambda x, g: (-g * jnp.sin(x),))


@jax.custom_vjp
def safe_norm(x):
    return jnp.sqrt(jnp.sum(x**2))


def _safe_norm_forward(x):
    size = jnp.sqrt(jnp.sum(x**2))
    return size, (x, size)


def _safe_norm_backward(saved, g):
    x, size = saved
    return (g * x / jnp.where(size == 0, 1.0, size),)


safe_norm.defvjp(_safe_norm_forward, _safe_norm_backward)


def through(operation):
    """A loss in which both leaves pass through `operation`."""

    def loss(p):
        return jnp.mean(jnp.tanh(operation(X @ p["w"] + p["b"][None])))

    return loss


def line_of(function) -> int:
    """First line of a function's definition, decorators included."""
    return getattr(function, "__wrapped__", function).__code__.co_firstlineno
