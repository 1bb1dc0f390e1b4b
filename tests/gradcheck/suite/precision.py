"""Errors that are small or hidden: few components, small relative size, small leaves."""

# ruff: noqa: E731  a loss of one line reads best beside its parameters

import jax
import jax.numpy as jnp
import numpy as np

from tests.gradcheck.suite._cases import bug, hand_written, normal, rule


def quartic_loss(params):
    """Separable, so that one wrong component shows nowhere else."""
    return sum(jnp.sum(w**4 / 4 + jnp.sin(w)) for w in jax.tree.leaves(params))


def quartic_gradient(params):
    return jax.tree.map(lambda w: w**3 + np.cos(w), params)


def spoiled(spoil, loss=quartic_loss, gradient=quartic_gradient):
    """A hand-written gradient: the right one, then `spoil` in place on NumPy arrays."""

    def spoiled_gradient(params, *args):
        wrong = jax.tree.map(lambda leaf: np.array(leaf), gradient(params, *args))
        spoil(wrong)
        return wrong

    return {"function": loss, "gradient": spoiled_gradient}


def scale_at(tree, leaf, index, factor):
    tree[leaf][index] *= factor


def two_leaves(seed, *shape):
    return {"kernel": normal(seed, *shape), "bias": normal(seed + 1, shape[-1])}


@bug({"kernel"}, hand_written, components={"kernel": {7321}})
def one_component_in_10000_one_percent():
    spoil = lambda g: scale_at(g, "kernel", (73, 21), 1.01)
    return {"params": two_leaves(1, 100, 100), **spoiled(spoil)}


@bug({"kernel"}, hand_written, components={"kernel": {9999}})
def one_component_in_10000_sign():
    spoil = lambda g: scale_at(g, "kernel", (99, 99), -1.0)
    return {"params": two_leaves(2, 100, 100), **spoiled(spoil)}


@bug({"kernel"}, hand_written, components={"kernel": {4002}})
def one_component_in_10000_tiny():
    spoil = lambda g: scale_at(g, "kernel", (40, 2), 1.0001)
    return {"params": two_leaves(3, 100, 100), **spoiled(spoil)}


@bug({"kernel"}, hand_written, components={"kernel": {31234, 49999}})
def two_components_in_50000_lost():
    def spoil(g):
        g["kernel"][312, 34] = g["kernel"][499, 99] = 0.0

    return {"params": two_leaves(4, 500, 100), **spoiled(spoil)}


@bug({"bias"}, hand_written, components={"bias": {3}})
def one_bias_beside_10000_weights():
    spoil = lambda g: scale_at(g, "bias", 3, 0.5)
    return {"params": two_leaves(5, 100, 100), **spoiled(spoil)}


@bug({"kernel"}, hand_written, components={"kernel": {0}})
def first_component_of_a_leaf():
    return {"params": two_leaves(6, 5, 4), **spoiled(lambda g: scale_at(g, "kernel", (0, 0), 1.1))}


@bug({"kernel"}, hand_written, components={"kernel": {15, 16, 17, 18, 19}})
def last_row_of_a_matrix():
    return {"params": two_leaves(7, 4, 5), **spoiled(lambda g: scale_at(g, "kernel", 3, 0.9))}


@bug({"kernel"}, hand_written, components={"kernel": {1, 4}})
def two_components_exchanged():
    def spoil(g):
        flat = g["kernel"].reshape(-1)
        flat[[1, 4]] = flat[[4, 1]]

    return {"params": two_leaves(8, 3, 3), **spoiled(spoil)}


@bug({"kernel"}, hand_written)
def relative_error_1e_4():
    return {"params": two_leaves(9, 6, 4), **spoiled(lambda g: scale_at(g, "kernel", ..., 1.0001))}


@bug({"bias"}, hand_written)
def relative_error_3e_6():
    factor = 1 + 3e-6
    return {"params": two_leaves(10, 6, 4), **spoiled(lambda g: scale_at(g, "bias", ..., factor))}


@bug({"kernel"}, hand_written, components={"kernel": {13}})
def relative_error_3e_6_of_one_component():
    spoil = lambda g: scale_at(g, "kernel", (2, 3), 1 + 3e-6)
    return {"params": two_leaves(11, 6, 5), **spoiled(spoil)}


@bug({"kernel", "bias"}, hand_written)
def gradient_rounded_to_half_precision():
    def spoil(g):
        for name in g:
            g[name] = g[name].astype(np.float16).astype(float)

    return {"params": two_leaves(12, 4, 3), **spoiled(spoil)}


def slow_square(x):
    return x**2


def slow_square_forward(x):
    return x**2, x


def wrong_by_1e_4(x, g):
    return (2.0002 * x * g,)


def wrong_by_3e_6(x, g):
    return (2.000006 * x * g,)


def wrong_at_7003(x, g):
    return ((2 * x * g).at[7003].multiply(0.999),)


def plain_square(p):
    return jnp.sum(jnp.cos(p["x"] ** 2)) + jnp.sum(p["y"] ** 3)


def square_with(backward, size):
    square = jax.custom_vjp(slow_square)
    square.defvjp(slow_square_forward, backward)
    loss = lambda p: jnp.sum(jnp.cos(square(p["x"]))) + jnp.sum(p["y"] ** 3)
    return {"function": loss, "params": {"x": normal(13, size), "y": normal(14, 3)}}


@bug({"x"}, rule(slow_square, slow_square_forward, wrong_by_1e_4), truth=plain_square)
def rule_wrong_by_1e_4():
    return square_with(wrong_by_1e_4, 9)


@bug({"x"}, rule(slow_square, slow_square_forward, wrong_by_3e_6), truth=plain_square)
def rule_wrong_by_3e_6():
    return square_with(wrong_by_3e_6, 9)


@bug({"x"}, rule(slow_square, slow_square_forward, wrong_at_7003), components={"x": {7003}})
def rule_wrong_in_one_of_10000():
    return square_with(wrong_at_7003, 10_000)


def scaled_loss(params, scales):
    return sum(scales[name] * jnp.sum(jnp.cosh(params[name])) for name in params)


def scaled_gradient(params, scales):
    return {name: scales[name] * np.sinh(params[name]) for name in params}


def scaled_case(scales, spoil):
    params = {name: normal(15 + i, 4) for i, name in enumerate(scales)}
    pieces = spoiled(spoil, scaled_loss, scaled_gradient)
    return {"params": params, "args": (scales,), **pieces}


@bug({"small"}, hand_written)
def leaf_hidden_by_a_large_one():
    return scaled_case({"large": 1e3, "small": 1e-3}, lambda g: scale_at(g, "small", ..., -1.0))


@bug({"small"}, hand_written)
def leaf_hidden_by_eight_orders():
    return scaled_case({"large": 1e6, "small": 1e-2}, lambda g: scale_at(g, "small", ..., 1.1))


@bug({"small"}, hand_written, components={"small": {2}})
def component_hidden_by_a_large_leaf():
    return scaled_case({"large": 1e5, "small": 1.0}, lambda g: scale_at(g, "small", 2, 0.0))


@bug({"a", "b"}, hand_written)
def whole_loss_of_scale_1e_minus_6():
    spoil = lambda g: (scale_at(g, "a", ..., 1.001), scale_at(g, "b", ..., 1.001))
    return scaled_case({"a": 1e-6, "b": 1e-6}, spoil)


@bug({"a"}, hand_written)
def whole_loss_of_scale_1e9():
    return scaled_case({"a": 1e9, "b": 1e9}, lambda g: scale_at(g, "a", ..., 0.999))


@bug({"a"}, hand_written)
def loss_offset_by_1e8():
    loss = lambda p: 1e8 + quartic_loss(p)
    params = {"a": normal(20, 4), "b": normal(21, 3)}
    return {"params": params, **spoiled(lambda g: scale_at(g, "a", ..., 1.01), loss)}


@bug({"x"}, rule(slow_square, slow_square_forward, wrong_by_1e_4), truth=plain_square)
def rule_wrong_under_an_offset_of_1e8():
    case = square_with(wrong_by_1e_4, 5)
    return {**case, "function": lambda p, loss=case["function"]: loss(p) + 1e8}


@bug({"tiny"}, hand_written)
def parameters_of_scale_1e_minus_6():
    loss = lambda p: jnp.sum(jnp.sin(1e6 * p["tiny"])) + jnp.sum(p["unit"] ** 2)
    gradient = lambda p: {"tiny": 1e6 * np.cos(1e6 * p["tiny"]), "unit": 2 * p["unit"]}
    params = {"tiny": normal(22, 4, scale=1e-6), "unit": normal(23, 2)}
    return {"params": params, **spoiled(lambda g: scale_at(g, "tiny", ..., 1.02), loss, gradient)}


@bug({"huge"}, hand_written)
def parameters_of_scale_1e9():
    loss = lambda p: jnp.sum(jnp.sin(1e-9 * p["huge"])) + jnp.sum(p["unit"] ** 2)
    gradient = lambda p: {"huge": 1e-9 * np.cos(1e-9 * p["huge"]), "unit": 2 * p["unit"]}
    params = {"huge": normal(24, 4, scale=1e9), "unit": normal(25, 2)}
    return {"params": params, **spoiled(lambda g: scale_at(g, "huge", ..., 0.98), loss, gradient)}


@bug({"a"}, hand_written)
def loss_with_float32_inside():
    """The noise of the loss is 1e-7 of its size; the error is 2 %."""
    single = lambda w: w.astype(jnp.float32)
    loss = lambda p: jnp.sum(single(p["a"]) ** 2) + jnp.sum(single(p["b"]) ** 2)
    gradient = lambda p: jax.tree.map(lambda w: 2 * w, p)
    params = {"a": normal(26, 4), "b": normal(27, 3)}
    return {"params": params, **spoiled(lambda g: scale_at(g, "a", ..., 1.02), loss, gradient)}


@bug(
    {"a"},
    hand_written,
    truth=lambda p: jnp.sum(p["a"] ** 2),
    unresolvable=True,
)
def error_below_the_noise():
    """A pure NumPy loss with an offset of 1e13: its rounding hides the error of 1e-4."""
    loss = lambda p: 1e13 + np.sum(np.asarray(p["a"]) ** 2)
    gradient = lambda p: {"a": 2 * p["a"]}
    params = {"a": normal(28, 4, scale=0.1)}
    return {"params": params, **spoiled(lambda g: scale_at(g, "a", ..., 1.0001), loss, gradient)}


@bug({"a"}, hand_written, truth=lambda p: jnp.sum(jnp.tanh(p["a"]) ** 2))
def loss_in_plain_numpy():
    """Not traceable: only finite differences can tell."""
    loss = lambda p: float(np.sum(np.tanh(np.asarray(p["a"])) ** 2))
    gradient = lambda p: {"a": 2 * np.tanh(p["a"]) * (1 - np.tanh(p["a"]) ** 2)}
    return {
        "params": {"a": normal(29, 5)},
        **spoiled(lambda g: scale_at(g, "a", ..., -1.0), loss, gradient),
    }
