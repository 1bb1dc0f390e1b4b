"""Correct functions of unusual scale: tiny, huge, offset, cancelling, stiff, many components."""

# ruff: noqa: E731  a loss of one line reads best beside its parameters

import jax
import jax.numpy as jnp
import numpy as np

from tests.gradcheck.suite._cases import add, correct, normal
from tests.gradcheck.suite._dense_nets import DENSE_NETS
from tests.gradcheck.suite._structured_nets import STRUCTURED_NETS


def smooth(params):
    return sum(jnp.sum(jnp.sin(w) + w**2 / 3) for w in jax.tree.leaves(params))


def smooth_gradient(params):
    return jax.tree.map(lambda w: np.cos(w) + 2 * w / 3, params)


def two_leaves(seed):
    return {"kernel": normal(seed, 3, 4), "bias": normal(seed + 1, 4)}


def add_scaled(name, parameter_scale, loss_scale, offset, seed):
    """The same function with scaled parameters, a scaled value and an added constant."""

    def loss(p):
        return offset + loss_scale * smooth(jax.tree.map(lambda w: w / parameter_scale, p))

    def by_hand(p):
        unit = smooth_gradient(jax.tree.map(lambda w: np.asarray(w) / parameter_scale, p))
        return jax.tree.map(lambda g: g * loss_scale / parameter_scale, unit)

    params = jax.tree.map(lambda w: w * parameter_scale, two_leaves(seed))
    truth = lambda p: loss_scale * smooth(jax.tree.map(lambda w: w / parameter_scale, p))
    facts = dict(theme=__name__, verdict="pass", truth=truth)
    add(name, lambda: {"function": loss, "params": params}, **facts)
    with_gradient = lambda: {"function": loss, "params": params, "gradient": by_hand}
    add(f"{name}_by_hand", with_gradient, **facts)


add_scaled("parameters_of_1e_minus_6", 1e-6, 1.0, 0.0, 1)
add_scaled("parameters_of_1e9", 1e9, 1.0, 0.0, 3)
add_scaled("loss_of_1e_minus_9", 1.0, 1e-9, 0.0, 5)
add_scaled("loss_of_1e12", 1.0, 1e12, 0.0, 7)
add_scaled("offset_of_1e8", 1.0, 1.0, 1e8, 9)
add_scaled("offset_of_minus_1e12", 1.0, 1.0, -1e12, 11)
add_scaled("small_everywhere_with_offset", 1e-3, 1e-4, 1e3, 13)


def add_offset_net(name, net, seed):
    """Backpropagation by hand stays right when the loss gets a constant."""
    loss = lambda *arguments: 1e8 + net.loss(*arguments)

    def make():
        params, args = net.example(seed)
        return {"function": loss, "params": params, "args": args, "gradient": net.gradient}

    add(f"{name}_by_hand_offset_by_1e8", make, theme=__name__, verdict="pass", truth=net.loss)


for number, name in enumerate(("mlp", "layer_norm", "rnn", "attention")):
    add_offset_net(name, {**DENSE_NETS, **STRUCTURED_NETS}[name], 20 + number)


@correct()
def leaves_of_scales_1e_minus_6_to_1e9():
    scales = {"tiny": 1e-6, "small": 1e-3, "unit": 1.0, "large": 1e4, "huge": 1e9}
    params = {name: scale * normal(30 + i, 3) for i, (name, scale) in enumerate(scales.items())}
    loss = lambda p: sum(jnp.sum(jnp.tanh(p[name] / scale)) for name, scale in scales.items())
    return {"function": loss, "params": params}


@correct()
def components_of_many_scales_in_one_leaf():
    scales = np.logspace(-6, 9, 16)
    loss = lambda p: jnp.sum(jnp.sin(p["x"] / scales))
    return {"function": loss, "params": {"x": scales * normal(36, 16)}}


@correct()
def zero_parameters():
    loss = lambda p: jnp.sum(jnp.exp(p["x"])) + jnp.sum(p["y"] ** 2)
    return {"function": loss, "params": {"x": np.zeros(4), "y": np.zeros((2, 2))}}


@correct()
def zero_gradient_at_a_minimum():
    target = normal(37, 5)
    loss = lambda p: jnp.sum((p["x"] - target) ** 2 * jnp.arange(1.0, 6.0))
    return {"function": loss, "params": {"x": target.copy()}}


@correct()
def constant_function():
    return {"function": lambda p: 3.0 + 0.0 * jnp.sum(p["x"]), "params": {"x": normal(38, 3)}}


@correct(noise=1e-3)
def flat_minimum_of_fourth_order():
    loss = lambda p: jnp.sum((p["x"] - 1) ** 4) + p["y"] ** 2
    return {"function": loss, "params": {"x": 1 + 1e-4 * normal(39, 4), "y": np.float64(0.3)}}


@correct(truth=lambda p: jnp.sum(jnp.sin(p["x"])))
def cancellation_of_large_terms():
    loss = lambda p: jnp.sum((1e7 + jnp.sin(p["x"])) - 1e7)
    return {"function": loss, "params": {"x": normal(40, 4)}}


@correct(truth=lambda p: jnp.sum(0.25 - p["x"] ** 2 / 48 + p["x"] ** 4 / 1440), noise=1e-5)
def cancellation_near_a_removable_singularity():
    """(1 - cos x) / (2 x^2) loses digits for small x."""
    loss = lambda p: jnp.sum((1 - jnp.cos(p["x"])) / (2 * p["x"] ** 2))
    return {"function": loss, "params": {"x": np.array([1e-2, 2e-2, 5e-2])}}


@correct(truth=lambda p: jnp.sum((p["x"] - 1e4) ** 2), noise=1e-6)
def variance_by_difference_of_squares():
    loss = lambda p: jnp.sum(p["x"] ** 2 - 2e4 * p["x"] + 1e8)
    return {"function": loss, "params": {"x": 1e4 + normal(41, 3)}}


@correct()
def stiff_exponential():
    loss = lambda p: jnp.sum(jnp.exp(-2000 * p["x"])) + jnp.sum(p["x"] ** 2)
    return {"function": loss, "params": {"x": np.array([1e-3, 5e-3, 0.02, 0.5])}}


@correct()
def stiff_sigmoid():
    loss = lambda p: jnp.sum(jax.nn.sigmoid(1e4 * (p["x"] - 0.5)))
    return {"function": loss, "params": {"x": np.array([0.5001, 0.49995, 0.7, 0.2])}}


@correct()
def fast_oscillation():
    loss = lambda p: jnp.sum(jnp.sin(1e5 * p["x"])) + jnp.sum(p["x"])
    return {"function": loss, "params": {"x": normal(42, 4)}}


@correct()
def ill_conditioned_quadratic():
    curvature = np.logspace(0, 10, 6)
    loss = lambda p: jnp.sum(curvature * p["x"] ** 2) / 2
    return {"function": loss, "params": {"x": normal(43, 6)}}


@correct()
def rosenbrock():
    loss = lambda p: jnp.sum(100 * (p["x"][1:] - p["x"][:-1] ** 2) ** 2 + (1 - p["x"][:-1]) ** 2)
    return {"function": loss, "params": {"x": normal(44, 6)}}


LABELS = np.array([0, 1, 2, 0])


def stable_cross_entropy(p):
    other = p["z"] - p["z"][jnp.arange(4), LABELS][:, None] + jnp.log(1 - jnp.eye(3)[LABELS])
    return jnp.mean(jnp.log1p(jnp.sum(jnp.exp(other), axis=1)))


@correct(truth=stable_cross_entropy, noise=1e-6)
def saturated_cross_entropy():
    """Loss and gradient are about 1e-9, differences of numbers of size 1 and 20."""
    logits = 20 * np.eye(3)[LABELS] + normal(45, 4, 3)
    loss = lambda p: -jnp.mean(jax.nn.log_softmax(p["z"])[jnp.arange(4), LABELS])
    return {"function": loss, "params": {"z": logits}}


@correct()
def saturated_tanh():
    loss = lambda p: jnp.sum(jnp.tanh(p["x"]))
    return {"function": loss, "params": {"x": np.array([15.0, -18.0, 25.0, 3.0])}}


@correct()
def product_of_many_factors():
    return {"function": lambda p: jnp.prod(p["x"]), "params": {"x": 2 + normal(46, 30, scale=0.5)}}


@correct()
def log_likelihood_of_many_points():
    """A sum of 100,000 terms, about 1e5 in size."""
    data = normal(47, 100_000)

    def loss(p, x):
        z = (x - p["mean"]) * jnp.exp(-p["log_scale"])
        return jnp.sum(z**2 / 2 + p["log_scale"] + 0.918938533)

    params = {"mean": np.float64(0.1), "log_scale": np.float64(0.2)}
    return {"function": loss, "params": params, "args": (data,)}


@correct(truth=smooth)
def ten_thousand_components():
    return {"function": smooth, "params": {"kernel": normal(48, 100, 100), "bias": normal(49, 3)}}


@correct(truth=smooth)
def fifty_thousand_components_by_hand():
    params = {"kernel": normal(50, 250, 200), "bias": normal(51, 200)}
    return {"function": smooth, "params": params, "gradient": smooth_gradient}


@correct(truth=lambda p, x: jnp.mean(jnp.tanh(x @ p["a"] + p["b"]) @ p["c"]))
def fifty_thousand_weights_of_a_network():
    params = {"a": normal(52, 50, 1000, scale=0.1), "b": normal(53, 1000), "c": normal(54, 1000)}
    loss = lambda p, x: jnp.mean(jnp.tanh(x @ p["a"] + p["b"]) @ p["c"])
    return {"function": loss, "params": params, "args": (normal(55, 8, 50),)}


@correct(truth=lambda p: jnp.sum(jnp.tanh(p["a"]) ** 2))
def loss_in_plain_numpy_with_a_right_gradient():
    """Not traceable: only finite differences can tell."""
    loss = lambda p: float(np.sum(np.tanh(np.asarray(p["a"])) ** 2))
    gradient = lambda p: {"a": 2 * np.tanh(p["a"]) * (1 - np.tanh(p["a"]) ** 2)}
    return {"function": loss, "gradient": gradient, "params": {"a": normal(56, 5)}}


@correct(truth=lambda p: jnp.sum(p["a"] ** 2), unresolvable=True)
def numpy_loss_under_an_offset_of_1e14():
    """The rounding of the loss is of the size of the loss's change."""
    loss = lambda p: float(1e14 + np.sum(np.asarray(p["a"]) ** 2))
    gradient = lambda p: {"a": 2 * np.asarray(p["a"])}
    return {"function": loss, "gradient": gradient, "params": {"a": normal(57, 4, scale=1e-3)}}
