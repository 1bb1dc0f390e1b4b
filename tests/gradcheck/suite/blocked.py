"""Paths along which no gradient flows: discrete operations and `stop_gradient`."""

import jax
import jax.numpy as jnp
import numpy as np

from tests.gradcheck.suite._cases import bug, correct, normal

BLOCKED = ("blocked", "surrogate")
STOPPED = ("stop_gradient", "blocked", "surrogate")
X, Y = normal(1, 8, 3), normal(2, 8)


def params(seed: int = 3) -> dict:
    return {"kernel": normal(seed, 3), "bias": normal(seed + 1), "scale": np.float64(1.4)}


def affine(p, x):
    return x @ p["kernel"] + p["bias"]


STARVED = {"kernel", "bias"}


@bug(STARVED, kind=BLOCKED, names={"round"})
def rounded_output():
    def loss(p, x, y):
        counts = jnp.round(3 * affine(p, x))  # planted
        return jnp.mean((p["scale"] * counts - y) ** 2)

    return {"function": loss, "params": params(), "args": (X, Y)}


@bug(STARVED, kind=BLOCKED, names={"sign"})
def sign_of_the_logit():
    def loss(p, x, y):
        vote = jnp.sign(affine(p, x))  # planted
        return jnp.mean((p["scale"] * vote - y) ** 2)

    return {"function": loss, "params": params(), "args": (X, Y)}


@bug(STARVED, kind=BLOCKED, names={"floor"})
def floor_in_a_jitted_helper():
    @jax.jit
    def quantize(z):
        return jnp.floor(z * 4) / 4  # planted

    def loss(p, x, y):
        return jnp.mean((p["scale"] * quantize(affine(p, x)) - y) ** 2)

    return {"function": loss, "params": params(), "args": (X, Y)}


@bug(STARVED, kind=BLOCKED, names={"ceil"})
def ceil_inside_scan():
    def loss(p, x, y):
        def step(total, row):
            bill = jnp.ceil(affine(p, row))  # planted
            return total + bill**2, bill

        _, bills = jax.lax.scan(step, 0.0, x)
        return jnp.mean((p["scale"] * bills - y) ** 2)

    return {"function": loss, "params": params(), "args": (X, Y)}


@bug({"logits"}, kind=BLOCKED, names={"argmax"})
def argmax_choice():
    def loss(p):
        winner = jnp.argmax(p["logits"], axis=1)  # planted
        return jnp.sum(p["prices"][winner] ** 2)

    return {"function": loss, "params": {"logits": normal(5, 6, 4), "prices": normal(6, 4)}}


@bug({"logits"}, kind=BLOCKED, names={"argmax"})
def one_hot_of_argmax():
    def loss(p):
        winner = jnp.argmax(p["logits"], axis=1)  # planted
        return jnp.sum(jax.nn.one_hot(winner, 4, dtype=p["prices"].dtype) @ p["prices"])

    return {"function": loss, "params": {"logits": normal(7, 6, 4), "prices": normal(8, 4)}}


@bug({"threshold"}, kind=BLOCKED, names={"gt", "lt", "select_n"})
def threshold_in_a_comparison():
    def loss(p, x):
        kept = jnp.where(x > p["threshold"], p["high"], p["low"])  # planted
        return jnp.mean((kept - x) ** 2)

    pieces = {"threshold": np.float64(0.2), "high": np.float64(1.0), "low": np.float64(-0.7)}
    return {"function": loss, "params": pieces, "args": (X,)}


@bug(STARVED, kind=BLOCKED, names={"gt", "ge", "lt", "convert_element_type"})
def accuracy_as_a_loss():
    def loss(p, x, y):
        right = (affine(p, x) > 0) == (y > 0)  # planted
        return p["scale"] ** 2 - jnp.mean(right.astype(x.dtype))

    return {"function": loss, "params": params(), "args": (X, Y)}


@bug(STARVED, kind=BLOCKED, names={"convert_element_type"})
def cast_to_integers():
    def loss(p, x, y):
        counts = (5 * affine(p, x)).astype(jnp.int32)  # planted
        return jnp.mean((p["scale"] * counts.astype(x.dtype) - y) ** 2)

    return {"function": loss, "params": params(), "args": (X, Y)}


@bug({"scores"}, kind=BLOCKED, names={"argsort", "sort", "top_k"})
def selection_by_argsort():
    def loss(p):
        order = jnp.argsort(p["scores"])  # planted
        return jnp.sum(p["values"][order[:3]] ** 2)

    return {"function": loss, "params": {"scores": normal(9, 7), "values": normal(10, 7)}}


@bug({"position"}, kind=BLOCKED, names={"convert_element_type", "floor", "round"})
def lookup_by_a_learned_position():
    def loss(p):
        index = jnp.clip(p["position"] * 5, 0, 9).astype(jnp.int32)  # planted
        return jnp.sum(p["table"][index] ** 2)

    pieces = {"position": np.array([0.31, 0.93, 1.57]), "table": normal(11, 10)}
    return {"function": loss, "params": pieces}


@bug({"raw"}, kind=BLOCKED, names={"floor", "floor_divide", "div", "sign", "round"})
def floor_division():
    def loss(p):
        buckets = p["raw"] // 0.25  # planted
        return jnp.sum((buckets * p["scale"] - 1) ** 2)

    return {"function": loss, "params": {"raw": normal(12, 6), "scale": np.float64(0.3)}}


@bug({"gate"}, kind=BLOCKED, names={"round", "convert_element_type", "gt", "ge"})
def hard_gate_in_a_vmap():
    def loss(p, x):
        def one(row):
            opened = jnp.round(jax.nn.sigmoid(row @ p["gate"]))  # planted
            return (opened * (row @ p["kernel"]) - 1.0) ** 2

        return jnp.mean(jax.vmap(one)(x))

    pieces = {"gate": normal(13, 3), "kernel": normal(14, 3)}
    return {"function": loss, "params": pieces, "args": (X,)}


@bug({"encoder/kernel", "encoder/bias"}, kind=STOPPED, names={"stop_gradient"})
def encoder_frozen_by_stop_gradient():
    def loss(p, x, y):
        features = jnp.tanh(x @ p["encoder"]["kernel"] + p["encoder"]["bias"])
        frozen = jax.lax.stop_gradient(features)  # planted
        return jnp.mean((frozen @ p["head"] - y) ** 2)

    layers = {"encoder": {"kernel": normal(15, 3, 4), "bias": normal(16, 4)}, "head": normal(17, 4)}
    return {"function": loss, "params": layers, "args": (X, Y)}


@bug({"kernel"}, kind=STOPPED, names={"stop_gradient"})
def batch_statistics_stopped():
    """Batch norm whose mean and variance are treated as constants."""

    def loss(p, x, y):
        z = x @ p["kernel"]
        mean, var = jax.lax.stop_gradient((jnp.mean(z, axis=0), jnp.var(z, axis=0)))  # planted
        normed = (z - mean) / jnp.sqrt(var + 1e-3) * p["scale"]
        return jnp.mean((normed - y[:, None]) ** 2)

    pieces = {"kernel": normal(18, 3, 4), "scale": normal(19, 4)}
    return {"function": loss, "params": pieces, "args": (X, Y)}


@bug({"value"}, kind=STOPPED, names={"stop_gradient"})
def bootstrapped_target():
    """The target of temporal-difference learning is held constant."""

    def loss(p, x, y):
        target = y + 0.9 * jax.lax.stop_gradient(jnp.roll(x, 1, axis=0) @ p["value"])  # planted
        return jnp.mean((x @ p["value"] - target) ** 2)

    return {"function": loss, "params": {"value": normal(20, 3)}, "args": (X, Y)}


@bug({"query", "key"}, kind=STOPPED, names={"stop_gradient"})
def attention_weights_stopped_in_a_scan():
    def loss(p, x, y):
        def step(carry, row):
            scores = (row @ p["query"]) * (x @ p["key"])
            weights = jax.nn.softmax(jax.lax.stop_gradient(scores))  # planted
            return carry, weights @ x @ p["value"]

        _, out = jax.lax.scan(step, 0.0, x)
        return jnp.mean((out - y) ** 2)

    pieces = {"query": normal(21, 3), "key": normal(22, 3), "value": normal(23, 3)}
    return {"function": loss, "params": pieces, "args": (X, Y)}


@bug({"shift"}, kind=STOPPED, names={"stop_gradient"})
def useful_shift_stopped_under_remat():
    def loss(p, x, y):
        @jax.checkpoint
        def block(z):
            moved = z + jax.lax.stop_gradient(p["shift"])  # planted
            return jnp.tanh(moved)

        return jnp.mean((p["scale"] * block(x @ p["kernel"]) - y) ** 2)

    pieces = {"kernel": normal(24, 3), "shift": np.float64(0.4), "scale": np.float64(1.2)}
    return {"function": loss, "params": pieces, "args": (X, Y)}


@correct()
def mask_by_comparison_with_an_open_path():
    """The comparison only selects; the values keep their gradient."""

    def loss(p, x, y):
        z = affine(p, x)
        return jnp.mean((p["scale"] * jnp.where(z > 0, z, 0.1 * z) - y) ** 2)

    return {"function": loss, "params": params(30), "args": (X, Y)}


@correct()
def maximum_shifted_by_stop_gradient():
    """The stopped maximum of a log-sum-exp cancels exactly."""

    def loss(p):
        top = jax.lax.stop_gradient(jnp.max(p["logits"]))
        return top + jnp.log(jnp.sum(jnp.exp(p["logits"] - top)))

    return {"function": loss, "params": {"logits": 5 * normal(31, 6)}}


@correct()
def stopped_data_only():
    def loss(p, x, y):
        frozen = jax.lax.stop_gradient(jnp.tanh(x))
        return jnp.mean((affine(p, frozen) * p["scale"] - y) ** 2)

    return {"function": loss, "params": params(32), "args": (X, Y)}


@correct()
def accuracy_in_the_auxiliary_output():
    """Discrete operations beside the loss block nothing."""

    def loss(p, x, y):
        z = p["scale"] * affine(p, x)
        accuracy = jnp.mean(((z > 0) == (y > 0)).astype(x.dtype))
        return jnp.mean((z - y) ** 2), {"accuracy": accuracy, "class": jnp.argmax(z)}

    return {"function": loss, "params": params(33), "args": (X, Y), "has_aux": True}


@correct()
def rounding_added_and_taken_away():
    """The rounded value enters, but as data of another path that is multiplied by zero."""

    def loss(p, x, y):
        z = affine(p, x)
        return jnp.mean((p["scale"] * z - y) ** 2) + 0.0 * jnp.sum(jnp.round(z))

    return {"function": loss, "params": params(34), "args": (X, Y)}


@correct()
def index_computed_from_data():
    def loss(p, x):
        rows = jnp.argmax(x, axis=1)
        return jnp.sum(p["table"][rows] ** 2)

    return {"function": loss, "params": {"table": normal(35, 3)}, "args": (X,)}


@bug({"x"}, kind="blocked", names={"lt", "gt", "heaviside"})
def a_step_that_keeps_nan():
    """`heaviside` passes NaN on, which is no path for anything else."""

    def loss(p):
        return jnp.sum(jnp.heaviside(p["x"], 0.5) * p["y"])  # planted

    return {"function": loss, "params": {"x": normal(36, 3), "y": normal(37, 3)}}


@bug({"x"}, kind="blocked", names={"sign"})
def a_sign_that_keeps_nan():
    def loss(p):
        signs = jnp.sign(p["x"])  # planted
        return jnp.sum(jnp.where(jnp.isnan(p["x"]), p["x"], signs) * p["y"])

    return {"function": loss, "params": {"x": normal(38, 3), "y": normal(39, 3)}}


@correct()
def nan_replaced_by_zero():
    def loss(p):
        return jnp.sum(jnp.where(jnp.isnan(p["x"]), 0.0, p["x"]) ** 2)

    return {"function": loss, "params": {"x": normal(40, 3)}}
