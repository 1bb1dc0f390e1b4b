"""Correct functions at and near kinks, where finite differences mislead."""

# ruff: noqa: E731  a loss of one line reads best beside its parameters

import itertools

import jax
import jax.numpy as jnp
import numpy as np

from tests.gradcheck.suite._cases import add, bug, correct, hand_written, normal, rule

NEAR = np.array([1e-9, -1e-9, 3e-8, -2e-7, 1e-6, -1e-5, 1e-4])
WEIGHTS = np.array([1.0, -2.0, 0.5, 3.0, -1.5, 2.5, 0.7])


def weighted_sum(f):
    return lambda p: jnp.sum(WEIGHTS * f(p["x"])) + jnp.sum(p["y"] ** 2)


ELEMENTWISE = {
    "relu": jax.nn.relu,
    "leaky_relu": lambda x: jax.nn.leaky_relu(x, 0.2),
    "abs": jnp.abs,
    "maximum": lambda x: jnp.maximum(x, 0.0),
    "clip": lambda x: jnp.clip(x, -1.0, 0.0),
    "hard_tanh": lambda x: jax.nn.hard_tanh(x + 1),
    "where": lambda x: jnp.where(x > 0, 3 * x, -x),
    "relu6": lambda x: jax.nn.relu6(x + 6),
}


def add_kinks(name, f):
    near = lambda: {"function": weighted_sum(f), "params": {"x": NEAR, "y": normal(1, 2)}}
    exact = lambda: {"function": weighted_sum(f), "params": {"x": 0 * NEAR, "y": normal(2, 2)}}
    add(f"{name}_near_its_kink", near, theme=__name__, verdict="pass", at_kink=True)
    add(f"{name}_at_its_kink", exact, theme=__name__, verdict="pass", at_kink=True)


for elementwise_name, f in ELEMENTWISE.items():
    add_kinks(elementwise_name, f)


def relu_net(p, x):
    h = x
    for layer in p[:-1]:
        h = jax.nn.relu(h @ layer["kernel"] + layer["bias"])
    return jnp.mean((h @ p[-1]["kernel"] + p[-1]["bias"] - 1) ** 2)


def layers(seed, *sizes):
    return [
        {"kernel": normal(seed + i, a, b, scale=0.7), "bias": np.zeros(b)}
        for i, (a, b) in enumerate(itertools.pairwise(sizes))
    ]


@correct(at_kink=True)
def relu_net_with_zero_inputs():
    """Zero biases and an all-zero example put every first unit on its kink."""
    x = normal(3, 6, 4)
    x[2] = 0.0
    return {"function": relu_net, "params": layers(4, 4, 8, 6, 2), "args": (x,)}


@correct(at_kink=True)
def relu_net_wide_and_random():
    """Some of many pre-activations come close to 0 by chance."""
    params = layers(8, 10, 64, 32, 3)
    return {"function": relu_net, "params": params, "args": (normal(9, 128, 10),)}


@correct(at_kink=True)
def relu_net_with_dead_layer():
    params = layers(12, 4, 5, 3, 2)
    params[0]["bias"] -= 100.0
    return {"function": relu_net, "params": params, "args": (normal(13, 6, 4),)}


@correct(at_kink=True)
def relu_net_with_dead_units_near_the_kink():
    params = layers(16, 4, 6, 2)
    x = normal(17, 5, 4)
    params[0]["bias"] -= (x @ params[0]["kernel"])[3] + 1e-8
    return {"function": relu_net, "params": params, "args": (x,)}


@correct(at_kink=True)
def maximum_of_tied_entries():
    params = {"x": np.array([1.0, 2.0, 2.0, -1.0]), "w": normal(18, 4)}
    return {"function": lambda p: jnp.max(p["x"]) + jnp.sum(p["w"] ** 2), "params": params}


@correct(at_kink=True)
def median_and_sort_with_close_entries():
    x = np.array([0.3, 0.3 + 1e-9, -1.0, 2.0, 0.3 - 1e-8])
    loss = lambda p: jnp.sum(jnp.sort(p["x"]) * jnp.arange(5.0)) + jnp.median(p["x"])
    return {"function": loss, "params": {"x": x}}


@correct(at_kink=True)
def top_two_of_close_scores():
    x = np.array([1.0, 1.0 + 1e-7, 0.5, 1.0 - 1e-7])
    return {"function": lambda p: jnp.sum(jax.lax.top_k(p["x"], 2)[0] ** 2), "params": {"x": x}}


@correct(at_kink=True)
def max_pool_of_an_image_with_ties():
    image = np.round(normal(19, 1, 8, 8, 2))
    window = (1, 2, 2, 1)

    def loss(p, x):
        z = x * p["scale"] + p["bias"]
        pooled = jax.lax.reduce_window(z, -jnp.inf, jax.lax.max, window, window, "VALID")
        return jnp.sum(jnp.tanh(pooled) ** 2)

    params = {"scale": np.float64(0.8), "bias": np.array([0.1, -0.3])}
    return {"function": loss, "params": params, "args": (image,)}


@correct(at_kink=True)
def hinge_loss_on_the_margin():
    x, y = normal(20, 6, 3), np.array([1.0, -1, 1, 1, -1, -1])
    kernel = normal(21, 3)
    x[0] *= 1 / (x[0] @ kernel)
    loss = lambda p, x, y: jnp.mean(jnp.maximum(0.0, 1 - y * (x @ p["kernel"])))
    return {"function": loss, "params": {"kernel": kernel}, "args": (x, y)}


@correct(at_kink=True)
def lasso_with_exact_zeros():
    kernel = np.array([0.0, 0.3, 0.0, -1.2])
    loss = lambda p, x: jnp.mean((x @ p["kernel"] - 1) ** 2) + 0.3 * jnp.sum(jnp.abs(p["kernel"]))
    return {"function": loss, "params": {"kernel": kernel}, "args": (normal(22, 7, 4),)}


@correct(at_kink=True)
def lasso_by_hand_with_exact_zeros():
    """`sign(0) = 0` lies between the slopes on both sides."""
    kernel = np.array([0.0, 0.3, 0.0, -1.2])
    loss = lambda p: jnp.sum(p["kernel"] ** 2) + 0.3 * jnp.sum(jnp.abs(p["kernel"]))
    gradient = lambda p: {"kernel": 2 * p["kernel"] + 0.3 * np.sign(p["kernel"])}
    return {"function": loss, "gradient": gradient, "params": {"kernel": kernel}}


@correct(at_kink=True)
def relu_by_hand_with_slope_one_at_zero():
    """Another valid choice than the one of `jax.nn.relu`."""
    loss = lambda p: jnp.sum(WEIGHTS * jax.nn.relu(p["x"]))
    gradient = lambda p: {"x": WEIGHTS * (np.asarray(p["x"]) >= 0)}
    x = np.array([0.0, 1.0, -1.0, 0.0, 2.0, -0.5, 0.0])
    return {"function": loss, "gradient": gradient, "params": {"x": x}}


@jax.custom_jvp
def rectify(x):
    return jnp.maximum(x, 0.0)


@rectify.defjvp
def rectify_jvp(primals, tangents):
    (x,), (dx,) = primals, tangents
    return jnp.maximum(x, 0.0), jnp.where(x > 0, dx, 0.0)


@correct(at_kink=True)
def own_relu_rule_at_its_kink():
    """The rule gives 0 where automatic differentiation of `maximum` gives one half."""
    return {"function": weighted_sum(rectify), "params": {"x": 0 * NEAR, "y": normal(23, 2)}}


@correct(at_kink=True)
def kink_far_below_the_step():
    """Kinks every 1e-6: the slope is that of the piece the point lies on."""
    loss = lambda p: jnp.sum(jnp.abs(jnp.mod(p["x"], 1e-6) - 5e-7)) * 1e6 + jnp.sum(p["x"] ** 2)
    return {"function": loss, "params": {"x": np.array([0.30000012, -0.2000004])}}


@bug({"x"}, hand_written, at_kink=True, components={"x": {0, 3, 6}})
def slope_outside_the_kinks_two_sides():
    """At a kink only values between the one-sided slopes are valid."""
    loss = lambda p: jnp.sum(WEIGHTS * jax.nn.relu(p["x"]))

    def gradient(p):
        x = np.asarray(p["x"])
        return {"x": WEIGHTS * np.where(x == 0, 2.0, x > 0)}

    x = np.array([0.0, 1.0, -1.0, 0.0, 2.0, -0.5, 0.0])
    return {"function": loss, "gradient": gradient, "params": {"x": x}}


def bent(x):
    return jnp.maximum(x, 0.1 * x)


def bent_jvp(primals, tangents):
    (x,), (dx,) = primals, tangents
    return bent(x), jnp.where(x > 0, 1.0, 0.2) * dx


@bug({"x"}, rule(bent, bent_jvp))
def wrong_rule_among_kinks():
    wrong = jax.custom_jvp(bent)
    wrong.defjvp(bent_jvp)
    x = np.concatenate([normal(24, 4), [-1e-3, -1e-5, 1e-5]])
    return {"function": weighted_sum(wrong), "params": {"x": x, "y": normal(25, 2)}}
