"""Bugs that show only far from small weights, or behind a loop.

The given weights keep every unit near zero, where the wrong rules are right.
"""

# ruff: noqa: E731  a loss of one line reads best beside its parameters

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from tests.gradcheck.suite._cases import bug, hand_written, rule
from tests.gradcheck.suite._far import (
    X,
    Y,
    beside_a_loop,
    root,
    root_forward,
    small,
    tanh_primal,
    through,
    with_rule,
)
from tests.gradcheck.suite._rules import (
    gelu,
    gelu_forward,
    log_sum_exp,
    log_sum_exp_forward,
    softplus,
    softplus_forward,
)


def grown(seed: int, size: float) -> Callable:
    """The same weights after much training, where the bug shows."""
    return lambda: small(seed, size)


WRONG = {"kernel", "bias"}


def softplus_dead_above_eight(x, g):
    return (g * jnp.where(x > 8, 0.0, jax.nn.sigmoid(x)),)


@bug(
    WRONG,
    rule(softplus, softplus_forward, softplus_dead_above_eight),
    elsewhere=grown(11, 8.0),
)
def softplus_rule_dead_above_eight():
    return through(with_rule(softplus, softplus_forward, softplus_dead_above_eight), small(11))


def softplus_linear_below_twenty(x, g):
    return (g * jnp.where(x < -20, 1.0, jax.nn.sigmoid(x)),)


@bug(
    WRONG,
    rule(softplus, softplus_forward, softplus_linear_below_twenty),
    elsewhere=grown(13, 20.0),
)
def softplus_rule_wrong_below_minus_twenty():
    """Below -20 the slope is taken as 1 instead of 0."""
    wrong = with_rule(softplus, softplus_forward, softplus_linear_below_twenty)
    loss = lambda p, x: jnp.mean(wrong(x @ p["kernel"] + p["bias"]))
    return {"function": loss, "params": small(13), "args": (X,)}


def swish(x):
    return x * jax.nn.sigmoid(x)


def swish_jvp_clipped(primals, tangents):
    (x,), (dx,) = primals, tangents
    s = jax.nn.sigmoid(jnp.clip(x, -6.0, 6.0))
    return swish(x), dx * (s + x * s * (1 - s))


@bug(WRONG, rule(swish, swish_jvp_clipped), elsewhere=grown(15, 6.0))
def swish_rule_clipped_at_six():
    apply = jax.custom_jvp(swish)
    apply.defjvp(swish_jvp_clipped)
    return through(apply, small(15))


def gelu_backward_halved(saved, g):
    x, t = saved
    inner = 0.8 * (1 + 3 * 0.045 * x**2)
    slope = 0.5 * (1 + t) + 0.5 * x * (1 - t**2) * inner
    return (g * jnp.where(x > 10, 0.5, slope),)


@bug(WRONG, rule(gelu, gelu_forward, gelu_backward_halved), elsewhere=grown(17, 10.0))
def gelu_rule_halved_above_ten():
    return through(with_rule(gelu, gelu_forward, gelu_backward_halved), small(17, 0.05))


def log_sum_exp_backward_cut(saved, g):
    x, y = saved
    return (g[..., None] * jnp.exp(x - jnp.minimum(y, 30.0)[..., None]),)


@bug(
    WRONG,
    rule(log_sum_exp, log_sum_exp_forward, log_sum_exp_backward_cut),
    elsewhere=grown(19, 25.0),
)
def log_sum_exp_rule_cut_at_thirty():
    wrong = with_rule(log_sum_exp, log_sum_exp_forward, log_sum_exp_backward_cut)
    return through(wrong, small(19))


def tanh_forward(x):
    return jnp.tanh(x), x


def tanh_leaking(x, g):
    return (g * jnp.where(jnp.abs(x) > 5, 0.01, 1 - jnp.tanh(x) ** 2),)


@bug(WRONG, rule(tanh_primal, tanh_forward, tanh_leaking), elsewhere=grown(21, 5.0))
def tanh_rule_leaks_above_five():
    return through(with_rule(tanh_primal, tanh_forward, tanh_leaking), small(21))


def logistic_loss(p, x, y):
    z = x @ p["kernel"][:, 0] + p["bias"][0]
    return jnp.mean(softplus(z) - (y > 0) * z)


def logistic_gradient(p, x, y):
    """The probability is clipped at 1 - 1e-4, the loss is not."""
    z = x @ p["kernel"][:, 0] + p["bias"][0]
    error = (jnp.clip(jax.nn.sigmoid(z), 1e-4, 1 - 1e-4) - (y > 0)) / y.size
    kernel = jnp.zeros_like(p["kernel"]).at[:, 0].set(x.T @ error)
    return {"kernel": kernel, "bias": jnp.zeros_like(p["bias"]).at[0].set(jnp.sum(error))}


@bug(WRONG, hand_written, elsewhere=grown(23, 12.0))
def logistic_gradient_clipped():
    function, gradient = logistic_loss, logistic_gradient
    return {"function": function, "gradient": gradient, "params": small(23), "args": (X, Y)}


@bug(
    WRONG,
    rule(softplus, softplus_forward, softplus_dead_above_eight),
    elsewhere=grown(25, 8.0),
)
def softplus_rule_dead_above_eight_beside_a_data_loop():
    wrong = with_rule(softplus, softplus_forward, softplus_dead_above_eight)
    return beside_a_loop(wrong, small(25))


def huber(x):
    return jnp.where(jnp.abs(x) < 1, 0.5 * x**2, jnp.abs(x) - 0.5)


def huber_forward(x):
    return huber(x), x


def huber_quadratic_everywhere(x, g):
    return (g * x,)


@bug(
    WRONG,
    rule(huber, huber_forward, huber_quadratic_everywhere),
    elsewhere=grown(27, 2.0),
)
def huber_rule_beside_a_loop_counted_by_the_weights():
    """The number of rounds depends on the parameters, though no gradient flows there."""
    wrong = with_rule(huber, huber_forward, huber_quadratic_everywhere)

    def loss(p, x):
        rounds = 2 + jnp.sum(p["bias"] > 0)
        count = jax.lax.fori_loop(0, rounds, lambda i, total: total + i, 0)
        return jnp.mean(wrong(x @ p["kernel"] + p["bias"])) * (1.0 + count)

    return {"function": loss, "params": small(27), "args": (X,)}


@bug(
    WRONG,
    rule(softplus, softplus_forward, softplus_dead_above_eight),
    elsewhere=grown(29, 8.0),
)
def softplus_rule_dead_above_eight_on_drawn_counts():
    """Poisson numbers are drawn by a rejection loop; the key is fixed."""
    wrong = with_rule(softplus, softplus_forward, softplus_dead_above_eight)

    def loss(p, x):
        counts = jax.random.poisson(jax.random.key(3), 2.0, (8,))
        return jnp.mean(counts[:, None] * wrong(x @ p["kernel"] + p["bias"]))

    return {"function": loss, "params": small(29), "args": (X,)}


def root_backward_capped(saved, g):
    x, a = saved
    return (g / (2 * jnp.where(a > 6, 1.0, x)),)


@bug({"a"}, rule(root, root_forward, root_backward_capped), elsewhere=lambda: {"a": np.array(7.5)})
def root_rule_wrong_above_six():
    wrong = with_rule(root, root_forward, root_backward_capped)
    return {"function": lambda p: wrong(p["a"]) ** 3, "params": {"a": np.array(2.5)}}


def root_in_twenty_steps(a):
    return jax.lax.fori_loop(0, 20, lambda _, x: 0.5 * (x + a / x), 1.0 + a)


def root_in_twenty_steps_forward(a):
    x = root_in_twenty_steps(a)
    return x, (x, a)


@bug(
    {"a"},
    rule(root_in_twenty_steps, root_in_twenty_steps_forward, root_backward_capped),
    elsewhere=lambda: {"a": np.array([7.5, 0.3])},
    components={"a": {0}},
)
def root_rule_of_a_counted_loop_wrong_above_six():
    wrong = with_rule(root_in_twenty_steps, root_in_twenty_steps_forward, root_backward_capped)
    loss = lambda p: jnp.sum(wrong(p["a"]) ** 3)
    return {"function": loss, "params": {"a": np.array([2.5, 0.3])}}
