"""Right rules that saturate far from the given weights, and loops that end only here."""

# ruff: noqa: E731  a loss of one line reads best beside its parameters

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from tests.gradcheck.suite._cases import correct, normal
from tests.gradcheck.suite._far import (
    X,
    beside_a_loop,
    root,
    root_forward,
    small,
    tanh_primal,
    through,
    with_rule,
)
from tests.gradcheck.suite._rules import RULES


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


def counted_bisection(a):
    """The same for every entry, by a fixed number of halvings."""

    def halve(_, s):
        middle = (s[0] + s[1]) / 2
        above = middle**3 + middle > a
        return jnp.where(above, s[0], middle), jnp.where(above, middle, s[1])

    low, high = jax.lax.fori_loop(0, 60, halve, (0 * a, 0 * a + 2.0))
    return (low + high) / 2


def cubic_backward(x, g):
    return (g / (3 * x**2 + 1),)


@correct()
def rule_of_brackets_that_some_entries_leave():
    """The loss moves with those as well, by another way."""
    solution = with_rule(counted_bisection, lambda a: (counted_bisection(a),) * 2, cubic_backward)
    loss = lambda p: jnp.sum(solution(p["a"]) ** 2 + 0.1 * p["a"] ** 2)
    return {"function": loss, "params": {"a": np.array([1.0, 4.0])}}


def eight_newton_steps(a):
    step = lambda _, x: x - (x**3 + x - a) / (3 * x**2 + 1)
    return jax.lax.fori_loop(0, 8, step, 1.0 + 0 * a)


@correct()
def rule_of_newton_steps_that_do_not_suffice_for_larger_parameters():
    solution = with_rule(eight_newton_steps, lambda a: (eight_newton_steps(a),) * 2, cubic_backward)
    return {"function": lambda p: solution(p["a"]) ** 2, "params": {"a": np.array(20.0)}}
