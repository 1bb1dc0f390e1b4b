"""Bugs that show only far from small weights, or behind a loop; and right rules that saturate.

The given weights keep every unit near zero, where the wrong rules are right.
"""

# ruff: noqa: E731  a loss of one line reads best beside its parameters

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from tests.gradcheck.suite._cases import bug, correct, hand_written, normal, rule
from tests.gradcheck.suite._rules import (
    RULES,
    gelu,
    gelu_forward,
    log_sum_exp,
    log_sum_exp_forward,
    softplus,
    softplus_forward,
)

X, Y = normal(1, 8, 3), normal(2, 8)


def small(seed: int, size: float = 0.1) -> dict:
    return {"kernel": normal(seed, 3, 4, scale=size), "bias": normal(seed + 1, 4, scale=size)}


def grown(seed: int, size: float) -> Callable:
    """The same weights after much training, where the bug shows."""
    return lambda: small(seed, size)


def with_rule(primal: Callable, forward: Callable, backward: Callable) -> Callable:
    function = jax.custom_vjp(primal)
    function.defvjp(forward, backward)
    return function


def through(apply: Callable, params: dict) -> dict:
    loss = lambda p, x: jnp.mean(apply(x @ p["kernel"] + p["bias"]) ** 2)
    return {"function": loss, "params": params, "args": (X,)}


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


def tanh_primal(x):
    return jnp.tanh(x)


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


def root(a):
    closer = lambda x: 0.5 * (x + a / x)
    return jax.lax.while_loop(lambda x: jnp.abs(x * x - a) > 1e-12 * a, closer, 1.0 + a)


def root_forward(a):
    x = root(a)
    return x, (x, a)


def root_backward_capped(saved, g):
    x, a = saved
    return (g / (2 * jnp.where(a > 6, 1.0, x)),)


@bug({"a"}, rule(root, root_forward, root_backward_capped), elsewhere=lambda: {"a": np.array(7.5)})
def root_rule_wrong_above_six():
    wrong = with_rule(root, root_forward, root_backward_capped)
    return {"function": lambda p: wrong(p["a"]) ** 3, "params": {"a": np.array(2.5)}}


def root_backward(saved, g):
    x, _ = saved
    return (g / (2 * x),)


@correct()
def root_rule_of_a_loop_that_never_ends_below_zero():
    right = with_rule(root, root_forward, root_backward)
    return {"function": lambda p: right(p["a"]) ** 3, "params": {"a": np.array(2.5)}}


def register_right_rules() -> None:
    """Right rules over small weights: whatever they do in saturation, they must pass."""

    def make(name: str) -> Callable:
        def case():
            return through(RULES[name].build(), small(31, 0.1))

        case.__name__ = f"right_rule_from_small_weights_{name}"
        case.__module__ = __name__
        return case

    for name in ("softplus", "gelu", "swish", "log_sum_exp", "softmax", "normalize"):
        correct()(make(name))


register_right_rules()


def logistic(x):
    return 1 / (1 + jnp.exp(-x))


def logistic_forward(x):
    s = logistic(x)
    return s, s


def logistic_backward(s, g):
    return (g * s * (1 - s),)


@correct()
def logistic_rule_by_its_value():
    """In saturation s * (1 - s) is zero where the true slope is 1e-20."""
    return through(with_rule(logistic, logistic_forward, logistic_backward), small(33))


@correct()
def logistic_rule_by_its_value_alone_in_the_loss():
    apply = with_rule(logistic, logistic_forward, logistic_backward)
    loss = lambda p, x: jnp.mean(apply(x @ p["kernel"][:, 0]))
    return {"function": loss, "params": {"kernel": normal(34, 3, 1, scale=0.2)}, "args": (X,)}


def tanh_by_value(y, g):
    return (g * (1 - y**2),)


@correct()
def tanh_rule_by_its_value():
    forward = lambda x: (jnp.tanh(x),) * 2
    return through(with_rule(tanh_primal, forward, tanh_by_value), small(35))


def network_loss(p, x, y):
    h = jnp.tanh(x @ p["w1"] + p["b1"])
    z = h @ p["w2"] + p["b2"]
    return jnp.mean(jax.nn.logsumexp(z, axis=1) - jnp.sum(y * z, axis=1))


def network_gradient(p, x, y):
    h = jnp.tanh(x @ p["w1"] + p["b1"])
    dz = (jax.nn.softmax(h @ p["w2"] + p["b2"]) - y) / len(x)
    dh = (dz @ p["w2"].T) * (1 - h**2)
    return {"w1": x.T @ dh, "b1": jnp.sum(dh, 0), "w2": h.T @ dz, "b2": jnp.sum(dz, 0)}


@correct()
def network_by_hand_from_small_weights():
    params = {
        "w1": normal(36, 3, 5, scale=0.1),
        "b1": np.zeros(5),
        "w2": normal(37, 5, 3, scale=0.1),
        "b2": np.zeros(3),
    }
    labels = np.eye(3)[np.array([0, 1, 2, 2, 1, 0, 0, 1])]
    function, gradient = network_loss, network_gradient
    return {"function": function, "gradient": gradient, "params": params, "args": (X, labels)}


@correct()
def straight_rule_of_an_exponential():
    """The loss overflows at forty times these weights, which is no fault of the rule."""
    apply = with_rule(jnp.exp, lambda x: (jnp.exp(x),) * 2, lambda y, g: (g * y,))
    return through(apply, small(38, 0.5))


@correct()
def rule_beside_a_data_loop():
    return beside_a_loop(RULES["softplus"].build(), small(39))


@correct()
def rule_beside_a_loop_that_need_not_end_elsewhere():
    """Counting down in steps of the first bias takes forever once that is negative."""

    def loss(p, x):
        step = jax.lax.stop_gradient(p["bias"][0])
        count = jax.lax.while_loop(lambda s: s[0] > 0, lambda s: (s[0] - step, s[1] + 1), (1.0, 0))
        hidden = RULES["softplus"].build()(x @ p["kernel"] + p["bias"])
        return jnp.mean(hidden**2) / count[1]

    params = {"kernel": normal(40, 3, 4, scale=0.3), "bias": np.array([0.23, 0.1, -0.3, 0.4])}
    return {"function": loss, "params": params, "args": (X,)}


def capped_bisection(a):
    """Solve x^3 + x = a between 0 and 2; beyond, the border is returned."""
    low, high = 0 * a, 0 * a + 2.0

    def halve(s):
        middle = (s[0] + s[1]) / 2
        above = middle**3 + middle > a
        return jnp.where(above, s[0], middle), jnp.where(above, middle, s[1])

    low, high = jax.lax.while_loop(lambda s: s[1] - s[0] > 1e-12, halve, (low, high))
    return (low + high) / 2


@correct()
def rule_of_a_bracket_that_larger_parameters_leave():
    solution = with_rule(
        capped_bisection,
        lambda a: (capped_bisection(a),) * 2,
        lambda x, g: (g / (3 * x**2 + 1),),
    )
    loss = lambda p: p["w"] * solution(p["a"]) ** 2
    return {"function": loss, "params": {"a": np.float64(4.0), "w": np.float64(0.6)}}
