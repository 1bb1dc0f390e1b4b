"""Correct functions with loops, branches, rematerialization and nested transformations."""

# ruff: noqa: E731  a loss of one line reads best beside its parameters

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy import special

from tests.gradcheck.suite._cases import correct, normal

X, Y = normal(1, 6, 3), normal(2, 6)


def params(seed):
    return {"kernel": normal(seed, 3, 3, scale=0.5), "bias": normal(seed + 1, 3)}


def cell(p, h, x):
    return jnp.tanh(h @ p["kernel"] + x + p["bias"])


@correct()
def recurrent_scan():
    def loss(p, x):
        last, path = jax.lax.scan(lambda h, row: (cell(p, h, row),) * 2, jnp.zeros(3), x)
        return jnp.sum(last**2) + jnp.mean(path)

    return {"function": loss, "params": params(3), "args": (X,)}


@correct()
def reversed_scan_with_remat():
    def loss(p, x):
        step = jax.checkpoint(lambda h, row: (cell(p, h, row), h[0]))
        last, path = jax.lax.scan(step, jnp.ones(3), x, reverse=True)
        return jnp.sum(last) * jnp.sum(path**2)

    return {"function": loss, "params": params(5), "args": (X,)}


@correct()
def branch_on_data():
    def loss(p, x):
        double = lambda v: jnp.sum(jnp.sin(2 * v))
        return jax.lax.cond(x[0, 0] > 0, double, jnp.sum, x @ p["kernel"] + p["bias"])

    return {"function": loss, "params": params(7), "args": (X,)}


@correct()
def branch_on_parameters():
    def loss(p, x):
        z = x @ p["kernel"] + p["bias"]
        return jax.lax.cond(jnp.sum(z) > -100.0, lambda v: jnp.sum(v**2), jnp.sum, z)

    return {"function": loss, "params": params(9), "args": (X,)}


@correct()
def switch_inside_scan():
    branches = [jnp.tanh, jnp.sin, lambda v: v**2 / 4]

    def loss(p, x):
        def step(h, inputs):
            index, row = inputs
            return jax.lax.switch(index, branches, h @ p["kernel"] + row + p["bias"]), None

        last, _ = jax.lax.scan(step, jnp.zeros(3), (np.array([0, 1, 2, 0, 1, 2]), x))
        return jnp.sum(last**2)

    return {"function": loss, "params": params(11), "args": (X,)}


@correct()
def counted_loop():
    def loss(p, x):
        step = lambda i, h: cell(p, h, jnp.asarray(x)[i])
        return jnp.sum(jax.lax.fori_loop(0, 6, step, jnp.zeros(3)) ** 2)

    return {"function": loss, "params": params(13), "args": (X,)}


@correct()
def python_loop_and_branch():
    def loss(p, x):
        h = jnp.zeros(3)
        for i, row in enumerate(x):
            h = cell(p, h, row) if i % 2 else h + 0.1 * row @ p["kernel"]
        return jnp.sum(h)

    return {"function": loss, "params": params(15), "args": (X,)}


@correct()
def while_loop_over_data_only():
    """The loop of unknown length does not touch the parameters."""

    def loss(p, x):
        grow = lambda s: (s[0] * 1.5, s[1] + 1)
        size, _ = jax.lax.while_loop(lambda s: s[0] < 10, grow, (jnp.sum(x**2) / 100, 0))
        return size * jnp.sum(jnp.tanh(x @ p["kernel"] + p["bias"]))

    return {"function": loss, "params": params(17), "args": (X,)}


@correct()
def nested_jit_vmap_and_grad():
    """A gradient penalty: the loss contains a gradient with respect to the data."""

    def loss(p, x):
        score = lambda row: jnp.sum(jnp.tanh(row @ p["kernel"] + p["bias"]))
        slopes = jax.jit(jax.vmap(jax.grad(score)))(x)
        return jnp.mean((jnp.sum(slopes**2, axis=1) - 1) ** 2)

    return {"function": loss, "params": params(19), "args": (X,)}


@correct()
def jacobian_inside():
    def loss(p, x):
        jacobian = jax.jacfwd(lambda row: jnp.tanh(row @ p["kernel"] + p["bias"]))(x[0])
        return jnp.linalg.slogdet(jacobian + 2 * jnp.eye(3))[1]

    return {"function": loss, "params": params(21), "args": (X,)}


@correct()
def map_over_examples():
    loss = lambda p, x: jnp.mean(jax.lax.map(lambda row: jnp.sum(cell(p, row, row)), x) ** 2)
    return {"function": loss, "params": params(23), "args": (X,)}


@correct()
def associative_scan():
    def loss(p, x):
        decay = jax.nn.sigmoid(x @ p["kernel"] + p["bias"])
        combine = lambda a, b: (a[0] * b[0], a[1] * b[0] + b[1])
        return jnp.sum(jax.lax.associative_scan(combine, (decay, x))[1] ** 2)

    return {"function": loss, "params": params(25), "args": (X,)}


@correct()
def scatter_and_gather():
    def loss(p, x):
        table = jnp.zeros((4, 3)).at[np.array([0, 1, 1, 3, 0, 2])].add(x @ p["kernel"] + p["bias"])
        return jnp.sum(jnp.tanh(table[np.array([1, 1, 2])]) ** 2)

    return {"function": loss, "params": params(27), "args": (X,)}


@correct()
def segment_softmax():
    groups = np.array([0, 0, 1, 1, 1, 2])

    def loss(p, x, y):
        scores = jnp.exp(x @ p["kernel"][:, 0] + p["bias"][0])
        total = jax.ops.segment_sum(scores, groups, num_segments=3)
        return jnp.sum((scores / total[groups] - y) ** 2) + jnp.sum(p["bias"] ** 2)

    return {"function": loss, "params": params(29), "args": (X, Y)}


@correct()
def convolution_in_a_scan():
    def loss(p, images):
        layout = ("NHWC", "HWIO", "NHWC")

        def step(x, _):
            z = jax.lax.conv_general_dilated(
                x, p["kernel"], (1, 1), "SAME", dimension_numbers=layout
            )
            return jnp.tanh(z + p["bias"]), None

        return jnp.mean(jax.lax.scan(step, images, None, length=3)[0] ** 2)

    pieces = {"kernel": normal(31, 3, 3, 2, 2, scale=0.4), "bias": normal(32, 2)}
    return {"function": loss, "params": pieces, "args": (normal(33, 2, 5, 5, 2),)}


@correct()
def library_special_functions():
    def loss(p):
        x = p["x"]
        terms = special.gammaln(x) + special.erf(x) + special.digamma(x)
        return jnp.sum(terms * jax.nn.softplus(p["w"])) + special.logsumexp(p["w"])

    return {"function": loss, "params": {"x": 1 + np.abs(normal(34, 4)), "w": normal(35, 4)}}
