"""Correct custom rules in every wrapper, and correct numerically stable rewrites."""

# ruff: noqa: E731  a loss of one line reads best beside its parameters

import itertools

import jax
import jax.numpy as jnp
import numpy as np

from tests.gradcheck.suite._cases import add, correct, normal
from tests.gradcheck.suite._rules import RULES, WRAPPERS, example, loss_through


def add_rule(rule_name: str, wrapper: str, seed: int) -> None:
    whole = RULES[rule_name]

    def make():
        return {"function": loss_through(WRAPPERS[wrapper](whole.build())), **example(seed)}

    add(
        f"{rule_name}_right_in_{wrapper}",
        make,
        theme=__name__,
        verdict="pass",
        truth=loss_through(WRAPPERS[wrapper](whole.primal)),
    )


# Each rule in three wrappers, so that all wrappers come up with rules of both kinds.
for number, (rule_name, _) in enumerate(itertools.product(RULES, range(3))):
    add_rule(rule_name, list(WRAPPERS)[5 * number % len(WRAPPERS)], 900 + number)


@jax.custom_jvp
def log_one_minus_exp(x):
    """log(1 - exp(x)) for x < 0, stable on both ends."""
    return jnp.where(x > -0.693, jnp.log(-jnp.expm1(x)), jnp.log1p(-jnp.exp(x)))


@log_one_minus_exp.defjvp
def log_one_minus_exp_jvp(primals, tangents):
    (x,), (dx,) = primals, tangents
    return log_one_minus_exp(x), dx / -jnp.expm1(-x)


@correct(truth=lambda p: jnp.sum(jnp.log(1 - jnp.exp(p["x"]))))
def stable_log_one_minus_exp():
    x = np.array([-3.0, -1.0, -0.1, -0.01])
    return {"function": lambda p: jnp.sum(log_one_minus_exp(p["x"])), "params": {"x": x}}


@jax.custom_vjp
def safe_norm(x):
    return jnp.sqrt(jnp.sum(x**2))


def safe_norm_forward(x):
    size = jnp.sqrt(jnp.sum(x**2))
    return size, (x, size)


def safe_norm_backward(saved, g):
    x, size = saved
    return (g * x / jnp.where(size > 0, size, 1.0),)


safe_norm.defvjp(safe_norm_forward, safe_norm_backward)


@correct(truth=lambda p: jnp.sum(p["b"] ** 2))
def safe_norm_squared_at_zero():
    """The primal body alone gives NaN at 0; the rule is right."""
    params = {"a": np.zeros(3), "b": normal(11, 3)}
    loss = lambda p: safe_norm(p["a"]) ** 2 + jnp.sum(p["b"] ** 2)
    return {"function": loss, "params": params}


@correct(at_kink=True)
def safe_norm_at_zero():
    """The gradient 0 is a subgradient of the norm at 0."""
    params = {"a": np.zeros(3), "b": normal(12, 3)}
    return {"function": lambda p: safe_norm(p["a"]) + jnp.sum(p["b"] ** 2), "params": params}


@correct(truth=lambda p: jnp.sqrt(jnp.sum(p["a"] ** 2)))
def safe_norm_away_from_zero():
    return {"function": lambda p: safe_norm(p["a"]), "params": {"a": normal(13, 4)}}


@jax.custom_vjp
def x_log_x(x):
    return jnp.where(x > 0, x * jnp.log(jnp.where(x > 0, x, 1.0)), 0.0)


x_log_x.defvjp(lambda x: (x_log_x(x), x), lambda x, g: (g * (1 + jnp.log(jnp.maximum(x, 1e-300))),))


@correct(truth=lambda p: -jnp.sum(jax.nn.softmax(p["z"]) * jax.nn.log_softmax(p["z"])))
def entropy_with_a_stable_rule():
    loss = lambda p: -jnp.sum(x_log_x(jax.nn.softmax(p["z"])))
    return {"function": loss, "params": {"z": 3 * normal(14, 6)}}


def power_forward(exponent, x):
    return x**exponent, x


def power_backward(exponent, x, g):
    return (g * exponent * x ** (exponent - 1),)


power = jax.custom_vjp(lambda exponent, x: x**exponent, nondiff_argnums=(0,))
power.defvjp(power_forward, power_backward)


@correct(truth=lambda p: jnp.sum(p["x"] ** 3) + jnp.sum(p["x"] ** 2))
def rule_with_a_static_argument():
    loss = lambda p: jnp.sum(power(3, p["x"])) + jnp.sum(power(2, p["x"]))
    return {"function": loss, "params": {"x": normal(15, 5)}}


@jax.custom_vjp
def matmul(a, b):
    return a @ b


matmul.defvjp(lambda a, b: (a @ b, (a, b)), lambda saved, g: (g @ saved[1].T, saved[0].T @ g))


@correct(truth=lambda p, x: jnp.sum(jnp.tanh(x @ p["a"] @ p["b"]) ** 2))
def matmul_with_a_rule():
    params = {"a": normal(16, 4, 3), "b": normal(17, 3, 2)}
    loss = lambda p, x: jnp.sum(jnp.tanh(matmul(x, matmul(p["a"], p["b"]))) ** 2)
    return {"function": loss, "params": params, "args": (normal(18, 5, 4),)}


@correct(truth=lambda p: jnp.sum(jnp.sin(p["x"]) ** 2))
def rule_inside_a_rule():
    inner = jax.custom_jvp(jnp.sin)
    inner.defjvps(lambda dx, y, x: dx * jnp.cos(x))
    outer = jax.custom_vjp(lambda x: inner(x) ** 2)
    outer.defvjp(lambda x: (inner(x) ** 2, x), lambda x, g: (g * 2 * inner(x) * jnp.cos(x),))
    return {"function": lambda p: jnp.sum(outer(p["x"])), "params": {"x": normal(19, 4)}}


@correct(truth=lambda p: jnp.sum(p["x"] ** 2 * p["w"]))
def rule_with_integer_input():
    """An integer operand gets a float0 cotangent."""
    pick = jax.custom_vjp(lambda x, index: x[index])
    pick.defvjp(
        lambda x, index: (x[index], (index, jnp.zeros_like(x))),
        lambda saved, g: (
            saved[1].at[saved[0]].add(g),
            np.zeros(saved[0].shape, jax.dtypes.float0),
        ),
    )
    order = np.array([2, 0, 1])
    loss = lambda p: jnp.sum(pick(p["x"] ** 2, order) * pick(p["w"], order))
    return {"function": loss, "params": {"x": normal(20, 3), "w": normal(21, 3)}}


@correct(truth=lambda p: jnp.sum(jnp.exp(p["x"]["a"]) * p["x"]["b"]))
def rule_over_a_dictionary():
    product = jax.custom_vjp(lambda d: jnp.exp(d["a"]) * d["b"])
    product.defvjp(
        lambda d: (jnp.exp(d["a"]) * d["b"], d),
        lambda d, g: ({"a": g * jnp.exp(d["a"]) * d["b"], "b": g * jnp.exp(d["a"])},),
    )
    params = {"x": {"a": normal(22, 3), "b": normal(23, 3)}}
    return {"function": lambda p: jnp.sum(product(p["x"])), "params": params}


@correct(truth=lambda p: jnp.sum(jnp.cumsum(p["x"]) ** 2))
def rule_for_a_linear_map():
    prefix = jax.custom_vjp(lambda x: jnp.cumsum(x))
    prefix.defvjp(lambda x: (jnp.cumsum(x), None), lambda _, g: (jnp.cumsum(g[::-1])[::-1],))
    return {"function": lambda p: jnp.sum(prefix(p["x"]) ** 2), "params": {"x": normal(24, 6)}}


@correct(truth=lambda p: jnp.sum(jnp.exp(p["x"])))
def rule_by_gradient_of_the_primal():
    """A rule that calls `jax.vjp` itself, as memory savers do."""
    thrifty = jax.custom_vjp(jnp.exp)
    thrifty.defvjp(lambda x: (jnp.exp(x), x), lambda x, g: jax.vjp(jnp.exp, x)[1](g))
    return {"function": lambda p: jnp.sum(thrifty(p["x"])), "params": {"x": normal(25, 5)}}
