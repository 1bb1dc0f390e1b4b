"""Gradients that are not finite, in every part of a program, each beside its correct twin."""

# ruff: noqa: E731  a loss of one line reads best beside its parameters

import jax
import jax.numpy as jnp
import numpy as np

from tests.gradcheck.suite._cases import bug, correct, normal, rule

WITH_ZERO = np.array([0.7, 0.0, 1.3, 2.0])
WITH_NEGATIVE = np.array([0.7, -1.2, 1.3, 2.0])
WEIGHTS = normal(1, 4)


def at(x, loss, w=WEIGHTS):
    return {"function": loss, "params": {"x": x, "w": w}}


def planted(names, entries=(1,), leaves=("x",), **facts):
    components = {"x": entries} if entries else None
    return bug(leaves, kind="nonfinite", names=names, components=components, **facts)


def filled(x, inside, value=1.0):
    """What makes a `where` safe: the operand is replaced first."""
    return jnp.where(inside, x, value)


@planted({"log"})
def log_in_a_mapped_function():
    def one(x):
        logs = jnp.log(x)  # planted
        return jnp.where(x > 0, logs, 0.0)

    return at(WITH_ZERO, lambda p: jnp.sum(jax.vmap(one)(p["x"]) * p["w"]))


@correct(at_kink=True)
def safe_log_in_a_mapped_function():
    one = lambda x: jnp.where(x > 0, jnp.log(filled(x, x > 0)), 0.0)
    return at(WITH_ZERO, lambda p: jnp.sum(jax.vmap(one)(p["x"]) * p["w"]))


@planted({"sqrt"})
def root_in_a_branch():
    def inner(x):
        roots = jnp.sqrt(x)  # planted
        return jnp.sum(jnp.where(x > 0, roots, 0.0))

    return at(
        WITH_ZERO,
        lambda p: (
            jax.lax.cond(jnp.sum(p["w"] ** 2) > 0, inner, jnp.sum, p["x"]) + jnp.sum(p["w"] ** 2)
        ),
    )


@correct(at_kink=True)
def safe_root_in_a_branch():
    inner = lambda x: jnp.sum(jnp.where(x > 0, jnp.sqrt(filled(x, x > 0)), 0.0))
    choose = lambda p: jax.lax.cond(jnp.sum(p["w"] ** 2) > 0, inner, jnp.sum, p["x"])
    return at(WITH_ZERO, lambda p: choose(p) + jnp.sum(p["w"] ** 2))


@planted({"div"})
def quotient_in_a_counted_loop():
    def loss(p):
        def body(i, total):
            inverse = 1 / x[i]  # planted
            return total + jnp.where(x[i] > 0, inverse, 0.0)

        x = jnp.asarray(p["x"])
        return jax.lax.fori_loop(0, 4, body, 0.0) + jnp.sum(p["w"] ** 2)

    return at(WITH_ZERO, loss)


@correct()
def safe_quotient_in_a_counted_loop():
    def loss(p):
        def body(i, total):
            return total + jnp.where(x[i] > 0, 1 / filled(x[i], x[i] > 0), 0.0)

        x = jnp.asarray(p["x"])
        return jax.lax.fori_loop(0, 4, body, 0.0) + jnp.sum(p["w"] ** 2)

    return at(np.array([0.7, -0.4, 1.3, 2.0]), loss)


@planted({"log"})
def log_under_rematerialization():
    @jax.checkpoint
    def part(x):
        return jnp.where(x > 0, x * jnp.log(x), 0.0)  # planted

    return at(WITH_ZERO, lambda p: jnp.sum(part(p["x"]) * p["w"]))


@correct()
def safe_log_under_rematerialization():
    @jax.checkpoint
    def part(x):
        return jnp.where(x > 0, x * jnp.log(filled(x, x > 0)), 0.0)

    return at(WITH_NEGATIVE, lambda p: jnp.sum(part(p["x"]) * p["w"]))


@planted({"log", "helper"})
def log_two_functions_deep():
    def helper(x):
        return jnp.where(x > 0, jnp.log(x), 0.0)  # planted

    @jax.jit
    def layer(x):
        return 2 * helper(x)

    return at(WITH_ZERO, lambda p: jnp.sum(layer(p["x"]) * p["w"]))


def square(x):
    return x**2


def square_forward(x):
    return x**2, x


def square_backward(x, g):
    return (g * 2 * x * (x / x),)


def sound_backward(x, g):
    return (g * 2 * x,)


def squares(backward):
    function = jax.custom_vjp(square)
    function.defvjp(square_forward, backward)
    return at(WITH_ZERO, lambda p: jnp.sum(function(p["x"]) * p["w"]))


@bug(
    {"x"},
    rule(square, square_forward, square_backward, kind=("custom_rule", "nonfinite")),
    components={"x": {1}},
)
def backward_pass_alone_divides_by_zero():
    return squares(square_backward)


@correct()
def backward_pass_does_not_divide():
    return squares(sound_backward)


@planted({"pow", "power"}, entries=(1,), leaves=("x", "w"))
def power_of_a_negative_number():
    def loss(p):
        powers = p["x"] ** p["w"]  # planted
        return jnp.sum(jnp.where(p["x"] > 0, powers, 0.0))

    return at(WITH_NEGATIVE, loss)


@correct()
def power_of_positive_numbers_alone():
    def loss(p):
        positive = p["x"] > 0
        return jnp.sum(jnp.where(positive, filled(p["x"], positive) ** p["w"], 0.0))

    return at(WITH_NEGATIVE, loss)


@planted({"pow", "power"})
def zero_to_a_power_below_one():
    def loss(p):
        return jnp.sum(p["x"] ** jax.nn.sigmoid(p["w"]))  # planted

    return at(WITH_ZERO, loss)


@planted({"exp"}, leaves=("x", "w"))
def infinite_factor_of_a_masked_product():
    def loss(p):
        grown = jnp.exp(1000 * p["w"] ** 2)  # planted
        product = p["x"] * grown
        return jnp.sum(jnp.where(p["w"] > 5, product, p["x"] * p["w"]))

    return at(WITH_ZERO, loss, np.array([0.5, 1.2, -0.3, 0.1]))


@planted({"acos", "arccos", "asin", "arcsin"}, entries=(0,))
def arc_cosine_of_clipped_numbers():
    def loss(p):
        clipped = jnp.clip(p["x"], -1.0, 1.0)
        return jnp.sum(jnp.arccos(clipped) * p["w"])  # planted

    return at(np.array([1.0, 0.3, -0.2, 0.9]), loss)


@correct()
def arc_cosine_clipped_inside_its_domain():
    loss = lambda p: jnp.sum(jnp.arccos(jnp.clip(p["x"], -0.99, 0.99)) * p["w"])
    return at(np.array([1.0, 0.3, -0.2, 0.9]), loss)


@planted({"sqrt", "norm"}, entries=(0, 1, 2, 3))
def cosine_with_a_vector_of_zeros():
    def loss(p):
        sizes = jnp.linalg.norm(p["x"]) * jnp.linalg.norm(p["w"])  # planted
        return p["x"] @ p["w"] / jnp.maximum(sizes, 1e-8)

    return at(np.zeros(4), loss)


@correct(at_kink=True)
def cosine_with_a_safe_norm():
    def size(x):
        squared = jnp.sum(x**2)
        return jnp.where(squared > 0, jnp.sqrt(filled(squared, squared > 0)), 0.0)

    loss = lambda p: p["x"] @ p["w"] / (size(p["x"]) * size(p["w"]) + 0.1)
    return at(np.zeros(4), loss)


@planted({"rsqrt", "div", "sqrt"}, entries=(0, 1, 2, 3))
def normalization_without_variance():
    def loss(p):
        centered = p["x"] - jnp.mean(p["x"])
        scaled = centered / jnp.sqrt(jnp.mean(centered**2))  # planted
        return jnp.sum(jnp.nan_to_num(scaled) * p["w"])

    return at(np.full(4, 2.0), loss)


@correct()
def normalization_with_a_floor():
    def loss(p):
        centered = p["x"] - jnp.mean(p["x"])
        return jnp.sum(centered / jnp.sqrt(jnp.mean(centered**2) + 1e-3) * p["w"])

    return at(np.full(4, 2.0), loss)


@planted({"atanh", "arctanh"})
def inverse_tangent_at_the_end_of_its_domain():
    def loss(p):
        found = jnp.arctanh(p["x"])  # planted
        return jnp.sum(jnp.where(jnp.abs(p["x"]) < 1, found, 0.0) * p["w"])

    return at(np.array([0.3, 1.0, -0.2, 0.5]), loss)


@planted({"log", "log1p"})
def log_of_a_saturated_probability():
    def loss(p):
        probability = jax.nn.sigmoid(p["x"])
        missed = jnp.log(1 - probability)  # planted
        return jnp.sum(jnp.where(probability < 1, missed, -p["x"]) * p["w"])

    return at(np.array([0.7, 40.0, -1.3, 2.0]), loss)


@correct()
def log_of_a_saturated_probability_from_logits():
    loss = lambda p: jnp.sum(jax.nn.log_sigmoid(-p["x"]) * p["w"])
    return at(np.array([0.7, 40.0, -1.3, 2.0]), loss)


@planted({"div", "exp", "sub", "add"})
def hyperbolic_tangent_by_its_formula():
    def loss(p):
        up = jnp.exp(p["x"])  # planted
        down = jnp.exp(-p["x"])  # planted
        ratio = (up - down) / (up + down)  # planted
        return jnp.sum(jnp.where(p["x"] > 300, 1.0, ratio) * p["w"])

    return at(np.array([0.7, 800.0, -1.3, 2.0]), loss)


@planted({"log"})
def mean_of_logs_over_some_of_them():
    def loss(p):
        logs = jnp.log(p["x"])  # planted
        return jnp.mean(logs, where=p["x"] > 0) * jnp.sum(p["w"])

    return at(WITH_ZERO, loss)


@planted({"lgamma", "gammaln"})
def log_gamma_at_its_pole():
    def loss(p):
        found = jax.scipy.special.gammaln(p["x"])  # planted
        return jnp.sum(jnp.where(p["x"] > 0, found, 0.0) * p["w"])

    return at(WITH_ZERO, loss)


@planted({"logit", "log", "div", "custom_jvp_call"})
def logit_of_a_certain_event():
    def loss(p):
        found = jax.scipy.special.logit(p["x"])  # planted
        return jnp.sum(jnp.where(p["x"] < 1, found, 0.0) * p["w"])

    return at(np.array([0.3, 1.0, 0.2, 0.5]), loss)


@planted({"cbrt", "pow", "power"})
def cube_root_at_zero():
    def loss(p):
        return jnp.sum(jnp.cbrt(p["x"]) * p["w"])  # planted

    return at(WITH_ZERO, loss)


@planted({"eigh", "sqrt", "div"}, entries=(0, 1, 2, 3))
def eigenvectors_of_equal_eigenvalues():
    def loss(p):
        matrix = jnp.diag(p["x"])
        _, vectors = jnp.linalg.eigh(matrix)  # planted
        return jnp.sum(vectors[:, 0] ** 2 * p["w"])

    return at(np.full(4, 2.0), loss)


@planted({"log"}, entries=(), leaves=("x", "w"))
def log_of_a_difference_that_vanishes():
    """Both leaves reach the same singularity."""

    def loss(p):
        gap = jnp.abs(p["x"] - p["w"])
        logs = jnp.log(gap)  # planted
        return jnp.sum(jnp.where(gap > 0, logs, 0.0))

    return at(WITH_ZERO, loss, np.array([0.5, 0.0, 1.0, 3.0]))
