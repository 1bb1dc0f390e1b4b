"""Bugs that are invisible at some points: at initialization, or for a batch of one."""

# ruff: noqa: E731  a loss of one line reads best beside its parameters

import jax
import jax.numpy as jnp
import numpy as np

from tests.gradcheck.suite._cases import bug, correct, hand_written, normal, rule
from tests.gradcheck.suite._dense_nets import (
    affine,
    dense_params,
    mlp_example,
    mlp_gradient,
    mlp_loss,
    relu_gradient,
    relu_loss,
)
from tests.gradcheck.suite._mutation import mutated

X, Y = normal(1, 6, 3), normal(2, 6, 2)
ALL_ACTIVE = {"kernel": np.abs(normal(3, 3, 4)), "bias": np.full(4, 1.0)}


def tanh_net_loss(params, x, y):
    h = jnp.tanh(affine(params["layer1"], x))
    return jnp.mean((affine(params["layer2"], h) - y) ** 2)


def tanh_net_gradient(params, x, y):
    h = jnp.tanh(affine(params["layer1"], x))
    dout = 2 * (affine(params["layer2"], h) - y) / y.size
    dz = dout @ params["layer2"]["kernel"].T  # the slope of tanh is taken as 1
    return {
        "layer1": {"kernel": x.T @ dz, "bias": jnp.sum(dz, axis=0)},
        "layer2": {"kernel": h.T @ dout, "bias": jnp.sum(dout, axis=0)},
    }


def zeroed(params):
    return jax.tree.map(np.zeros_like, params)


FIRST_LAYER = {"layer1/kernel", "layer1/bias"}


@bug(FIRST_LAYER, hand_written, elsewhere=lambda: dense_params(4, 3, 4, 2))
def tanh_slope_of_one_at_zero_weights():
    params = {**dense_params(4, 3, 4, 2), "layer1": zeroed(dense_params(4, 3, 4, 2)["layer1"])}
    function, gradient = tanh_net_loss, tanh_net_gradient
    return {"function": function, "gradient": gradient, "params": params, "args": (X, Y)}


@bug(FIRST_LAYER, hand_written)
def tanh_slope_of_one_after_training():
    function, gradient = tanh_net_loss, tanh_net_gradient
    params = dense_params(5, 3, 4, 2, scale=1.5)
    return {"function": function, "gradient": gradient, "params": params, "args": (X, Y)}


def relu_net_case(params):
    wrong = mutated(relu_gradient, " * (z1 > 0)", "")
    return {"function": relu_loss, "gradient": wrong, "params": params, "args": (np.abs(X), Y)}


@bug(FIRST_LAYER, hand_written, elsewhere=lambda: dense_params(6, 3, 4, 4, 2))
def relu_slope_forgotten_while_all_units_are_active():
    return relu_net_case({**dense_params(6, 3, 4, 4, 2), "layer1": ALL_ACTIVE})


@bug(FIRST_LAYER, hand_written)
def relu_slope_forgotten_with_inactive_units():
    return relu_net_case(dense_params(7, 3, 4, 4, 2))


def penalty_case(params):
    wrong = mutated(mlp_gradient, " + decay * w3", "")
    args = mlp_example(8)[1]
    return {"function": mlp_loss, "gradient": wrong, "params": params, "args": args}


@bug({"layer3/kernel"}, hand_written, elsewhere=lambda: mlp_example(8)[0])
def penalty_forgotten_on_a_zero_head():
    params = mlp_example(8)[0]
    params["layer3"]["kernel"] = np.zeros_like(params["layer3"]["kernel"])
    return penalty_case(params)


@bug({"layer3/kernel"}, hand_written)
def penalty_forgotten_after_training():
    return penalty_case(mlp_example(8)[0])


def clipped_cost_loss(params, x, y):
    error = affine(params, x) - y
    return jnp.mean(jnp.where(jnp.abs(error) < 1, error**2 / 2, jnp.abs(error) - 0.5))


def clipped_cost_gradient(params, x, y):
    error = affine(params, x) - y
    return {"kernel": x.T @ error / error.size, "bias": jnp.sum(error, axis=0) / error.size}


def clipped_cost_case(params):
    function, gradient = clipped_cost_loss, clipped_cost_gradient
    args = (X, 0.2 * Y)
    return {"function": function, "gradient": gradient, "params": params, "args": args}


@bug(
    {"kernel", "bias"},
    hand_written,
    elsewhere=lambda: {"kernel": normal(9, 3, 2), "bias": normal(10, 2)},
)
def huber_branch_forgotten_with_small_errors():
    return clipped_cost_case({"kernel": normal(9, 3, 2, scale=0.05), "bias": np.zeros(2)})


@bug({"kernel", "bias"}, hand_written)
def huber_branch_forgotten_with_large_errors():
    return clipped_cost_case({"kernel": normal(11, 3, 2), "bias": normal(12, 2)})


def saturating(x):
    return jnp.log1p(jnp.exp(-jnp.abs(x))) + jnp.maximum(x, 0.0)


def saturating_forward(x):
    return saturating(x), x


def saturating_backward(x, g):
    return (g * jnp.where(x > 2.5, 0.0, jax.nn.sigmoid(x)),)  # beyond 2.5 it is 1, not 0


def saturating_case(scale):
    wrong = jax.custom_vjp(saturating)
    wrong.defvjp(saturating_forward, saturating_backward)
    loss = lambda p, x: jnp.mean(wrong(affine(p, x)) ** 2)
    params = {"kernel": normal(13, 3, 4, scale=scale), "bias": normal(14, 4, scale=scale)}
    return {"function": loss, "params": params, "args": (X,)}


SATURATING_RULE = rule(saturating, saturating_forward, saturating_backward)


@bug({"kernel", "bias"}, SATURATING_RULE, elsewhere=lambda: saturating_case(2.0)["params"])
def rule_wrong_only_when_saturated_at_init():
    return saturating_case(0.1)


@bug({"kernel", "bias"}, SATURATING_RULE)
def rule_wrong_only_when_saturated_after_training():
    return saturating_case(2.0)


def gated_loss(params, x):
    return jnp.mean((x + params["gate"] * jnp.tanh(x @ params["kernel"])) ** 2)


def gated_gradient(params, x):
    h = jnp.tanh(x @ params["kernel"])
    dout = 2 * (x + params["gate"] * h) / x.size
    dz = params["gate"] * dout * (1 - h)
    return {"gate": jnp.sum(dout * h), "kernel": x.T @ dz}


@bug(
    {"kernel"},
    hand_written,
    elsewhere=lambda: {"gate": np.float64(0.8), "kernel": normal(15, 3, 3)},
)
def residual_gate_of_zero_hides_the_block():
    params = {"gate": np.float64(0.0), "kernel": normal(15, 3, 3)}
    return {"function": gated_loss, "gradient": gated_gradient, "params": params, "args": (X,)}


@bug({"kernel"}, hand_written)
def residual_gate_opened_by_training():
    params = {"gate": np.float64(0.8), "kernel": normal(15, 3, 3)}
    return {"function": gated_loss, "gradient": gated_gradient, "params": params, "args": (X,)}


def batch_loss(params, x, y):
    return jnp.mean((affine(params, x) - y) ** 2)


def first_example_gradient(params, x, y):
    error = 2 * (affine(params, x) - y)[0] / y.shape[1]
    return {"kernel": jnp.outer(x[0], error), "bias": error}


def summed_gradient(params, x, y):
    error = 2 * (affine(params, x) - y) / y.shape[1]
    return {"kernel": x.T @ error, "bias": jnp.sum(error, axis=0)}


def crossed_gradient(params, x, y):
    """The outer product of means is the mean of outer products only for one example."""
    error = 2 * jnp.mean(affine(params, x) - y, axis=0) / y.shape[1]
    return {"kernel": jnp.outer(jnp.mean(x, axis=0), error), "bias": error}


def batch_case(gradient, rows):
    params = {"kernel": normal(16, 3, 2), "bias": normal(17, 2)}
    args = (X[:rows], Y[:rows])
    return {"function": batch_loss, "gradient": gradient, "params": params, "args": args}


@bug({"kernel", "bias"}, hand_written)
def first_example_only_with_a_batch():
    return batch_case(first_example_gradient, 6)


@bug({"kernel", "bias"}, hand_written)
def summed_over_a_batch():
    return batch_case(summed_gradient, 4)


@bug({"kernel"}, hand_written)
def mean_of_products_taken_apart():
    return batch_case(crossed_gradient, 5)


@correct()
def batch_of_one_by_hand():
    """At a batch of one even the careless gradient is right."""
    return batch_case(summed_gradient, 1)
