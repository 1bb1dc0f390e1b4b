"""Correct custom derivative rules, as plain functions that a test assembles or breaks.

Element-wise and row-wise maps of one array; `Rule.build` makes the `custom_vjp` or `custom_jvp`.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from tests.gradcheck.suite._cases import normal


class Rule(NamedTuple):
    """A function and its derivative: `forward` and `backward`, or `jvp` alone."""

    primal: Callable
    forward: Callable | None = None
    backward: Callable | None = None
    jvp: Callable | None = None

    @property
    def functions(self) -> tuple[Callable, ...]:
        return tuple(function for function in self if function is not None)

    def build(self) -> Callable:
        if self.jvp is not None:
            function = jax.custom_jvp(self.primal)
            function.defjvp(self.jvp)
            return function
        function = jax.custom_vjp(self.primal)
        function.defvjp(self.forward, self.backward)
        return function


def softplus(x):
    return jnp.maximum(x, 0.0) + jnp.log1p(jnp.exp(-jnp.abs(x)))


def softplus_forward(x):
    return softplus(x), x


def softplus_backward(x, g):
    return (g * jax.nn.sigmoid(x),)


def gelu(x):
    return 0.5 * x * (1 + jnp.tanh(0.8 * (x + 0.045 * x**3)))


def gelu_forward(x):
    t = jnp.tanh(0.8 * (x + 0.045 * x**3))
    return 0.5 * x * (1 + t), (x, t)


def gelu_backward(saved, g):
    x, t = saved
    inner = 0.8 * (1 + 3 * 0.045 * x**2)
    return (g * (0.5 * (1 + t) + 0.5 * x * (1 - t**2) * inner),)


def huber(x):
    return jnp.where(jnp.abs(x) < 1, 0.5 * x**2, jnp.abs(x) - 0.5)


def huber_forward(x):
    return huber(x), x


def huber_backward(x, g):
    return (g * jnp.clip(x, -1.0, 1.0),)


def swish(x):
    return x * jax.nn.sigmoid(x)


def swish_jvp(primals, tangents):
    (x,), (dx,) = primals, tangents
    s = jax.nn.sigmoid(x)
    return x * s, dx * (s + x * s * (1 - s))


def arctan_squash(x):
    return jnp.arctan(2 * x) / 2


def arctan_squash_jvp(primals, tangents):
    (x,), (dx,) = primals, tangents
    return jnp.arctan(2 * x) / 2, dx / (1 + 4 * x**2)


def smooth_root(x):
    return jnp.sqrt(x**2 + 1)


def smooth_root_jvp(primals, tangents):
    (x,), (dx,) = primals, tangents
    y = jnp.sqrt(x**2 + 1)
    return y, x / y * dx


def log_sum_exp(x):
    top = jnp.max(x, axis=-1, keepdims=True)
    return top[..., 0] + jnp.log(jnp.sum(jnp.exp(x - top), axis=-1))


def log_sum_exp_forward(x):
    y = log_sum_exp(x)
    return y, (x, y)


def log_sum_exp_backward(saved, g):
    x, y = saved
    return (g[..., None] * jnp.exp(x - y[..., None]),)


def normalize(x):
    centered = x - jnp.mean(x, axis=-1, keepdims=True)
    return centered / jnp.sqrt(jnp.mean(centered**2, axis=-1, keepdims=True) + 1e-3)


def normalize_forward(x):
    centered = x - jnp.mean(x, axis=-1, keepdims=True)
    inverse = 1 / jnp.sqrt(jnp.mean(centered**2, axis=-1, keepdims=True) + 1e-3)
    return centered * inverse, (centered * inverse, inverse)


def normalize_backward(saved, g):
    y, inverse = saved
    mean = jnp.mean(g, axis=-1, keepdims=True)
    along = y * jnp.mean(g * y, axis=-1, keepdims=True)
    return ((g - mean - along) * inverse,)


def softmax(x):
    e = jnp.exp(x - jnp.max(x, axis=-1, keepdims=True))
    return e / jnp.sum(e, axis=-1, keepdims=True)


def softmax_jvp(primals, tangents):
    (x,), (dx,) = primals, tangents
    y = softmax(x)
    inner = jnp.sum(y * dx, axis=-1, keepdims=True)
    return y, y * (dx - inner)


RULES = {
    "softplus": Rule(softplus, softplus_forward, softplus_backward),
    "gelu": Rule(gelu, gelu_forward, gelu_backward),
    "huber": Rule(huber, huber_forward, huber_backward),
    "swish": Rule(swish, jvp=swish_jvp),
    "arctan_squash": Rule(arctan_squash, jvp=arctan_squash_jvp),
    "smooth_root": Rule(smooth_root, jvp=smooth_root_jvp),
    "log_sum_exp": Rule(log_sum_exp, log_sum_exp_forward, log_sum_exp_backward),
    "normalize": Rule(normalize, normalize_forward, normalize_backward),
    "softmax": Rule(softmax, jvp=softmax_jvp),
}


def in_scan(f):
    return lambda z: jax.lax.scan(lambda carry, row: (carry + 1.0, f(row)), 0.0, z)[1]


def in_cond(f):
    return lambda z: jax.lax.cond(jnp.sum(z**2) > 1e-9, f, lambda v: 0 * f(v), z)


def in_switch(f):
    branches = [lambda v: 0 * f(v), f, lambda v: -f(v)]
    return lambda z: jax.lax.switch(jnp.asarray(1), branches, z)


def in_counted_loop(f):
    return lambda z: jax.lax.fori_loop(0, 2, lambda i, total: total + f(z), jnp.zeros_like(f(z)))


# Ways users wrap a function; each takes a map of rows `(..., n)`.
WRAPPERS: dict[str, Callable] = {
    "plain": lambda f: f,
    "jit": jax.jit,
    "remat": jax.checkpoint,
    "vmap": jax.vmap,
    "scan": in_scan,
    "cond": in_cond,
    "switch": in_switch,
    "map": lambda f: lambda z: jax.lax.map(f, z),
    "loop": in_counted_loop,
    "jit_scan_remat": lambda f: jax.jit(in_scan(jax.checkpoint(f))),
    "vmap_jit_cond": lambda f: jax.vmap(jax.jit(in_cond(f))),
    "scan_in_scan": lambda f: lambda z: in_scan(in_scan(f))(jnp.stack([z, z]))[1],
}


def loss_through(apply: Callable) -> Callable:
    """A small regression whose hidden units pass through `apply`."""

    def loss(params, x):
        z = x @ params["kernel"] + params["bias"]
        return jnp.mean((params["scale"] * apply(z) - 0.3) ** 2)

    return loss


def example(seed: int) -> dict:
    params = {
        "kernel": normal(seed, 4, 3),
        "bias": normal(seed + 1, 3),
        "scale": np.float64(1.7),
    }
    return {"params": params, "args": (normal(seed + 2, 5, 4),)}
