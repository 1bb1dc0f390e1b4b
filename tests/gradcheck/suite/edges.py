"""Parameters that lie exactly on the edge between two formulas of a function."""

# ruff: noqa: E731  a loss of one line reads best beside its parameters

import jax
import jax.numpy as jnp
import numpy as np

from tests.gradcheck.suite._cases import bug, correct

WITH_ZERO, AT_ONE, TIED = np.array([0.0, 1.0, 2.0]), np.array([0.3, 1.0, 2.5]), np.ones(3)
WEIGHTS = np.array([0.5, 1.2, -0.3])


def at(x, function):
    return {"function": function, "params": {"x": x, "w": WEIGHTS}}


def trap(names, *entries):
    """The branch for one single value is differentiated; the function around it is another."""
    return bug({"x"}, kind="edge", names=names, components={"x": entries})


# Traps: the value is right, and the slope that is taken is that of a branch for one value.


@trap({"eq"}, 0)
def zero_replaced_by_a_constant():
    def loss(p):
        return jnp.sum(jnp.where(p["x"] == 0, 0.0, jnp.sin(p["x"])) * p["w"])  # planted

    return at(WITH_ZERO, loss)


@correct()
def zero_replaced_by_itself():
    return at(WITH_ZERO, lambda p: jnp.sum(jnp.where(p["x"] == 0, p["x"], jnp.sin(p["x"]))))


@trap({"eq"}, 0)
def quotient_with_its_limit_but_not_its_slope():
    def loss(p):
        at_zero = p["x"] == 0  # planted
        safe = jnp.where(at_zero, 1.0, p["x"])
        return jnp.sum(jnp.where(at_zero, 1.0, jnp.expm1(safe) / safe) * p["w"])

    return at(WITH_ZERO, loss)


@correct()
def quotient_with_its_series_near_zero():
    def loss(p):
        near = jnp.abs(p["x"]) < 1e-3
        safe = jnp.where(near, 1.0, p["x"])
        series = 1 + p["x"] / 2 + p["x"] ** 2 / 6 + p["x"] ** 3 / 24
        return jnp.sum(jnp.where(near, series, jnp.expm1(safe) / safe) * p["w"])

    return at(WITH_ZERO, loss)


@trap({"ne"}, 0)
def nonzero_mask_in_a_jitted_helper():
    @jax.jit
    def masked(x):
        return jnp.where(x != 0, 2 * jnp.tanh(x), 0.0)  # planted

    return at(WITH_ZERO, lambda p: jnp.sum(masked(p["x"]) * p["w"]))


@trap({"eq"}, 0)
def zero_skipped_in_a_scan():
    def loss(p):
        def step(total, x):
            return total + jnp.where(x == 0, 0.0, 3 * x), None  # planted

        return jax.lax.scan(step, 0.0, p["x"])[0] + jnp.sum(p["w"] ** 2)

    return at(WITH_ZERO, loss)


@trap({"eq"}, 1)
def one_replaced_by_a_constant():
    def one(x):
        return jnp.where(x == 1.0, 1.0, x**2)  # planted

    return at(AT_ONE, lambda p: jnp.sum(jax.vmap(one)(p["x"]) * p["w"]))


@trap({"eq"}, 0)
def zero_taken_by_its_own_branch():
    def loss(p):
        at_zero = p["x"][0] == 0  # planted
        first = jax.lax.cond(at_zero, lambda x: 0.0 * x, jnp.sin, p["x"][0])
        return first * p["w"][0] + jnp.sum(p["x"][1:] * p["w"][1:])

    return at(WITH_ZERO, loss)


@trap({"relu", "max"}, 0)
def identity_as_difference_of_two_relus():
    def loss(p):
        positive = jax.nn.relu(p["x"])  # planted
        negative = jax.nn.relu(-p["x"])  # planted
        return jnp.sum((positive - negative) * p["w"])

    return at(WITH_ZERO, loss)


@correct(at_kink=True)
def size_as_sum_of_two_relus():
    return at(WITH_ZERO, lambda p: jnp.sum((jax.nn.relu(p["x"]) + jax.nn.relu(-p["x"])) * p["w"]))


# Jumps: there is a slope on the side that the value belongs to, or there is none at all.


@trap({"lt", "gt", "heaviside"}, 0)
def step_between_its_sides():
    def loss(p):
        return jnp.sum(jnp.heaviside(p["x"], 0.5) * p["w"] + p["x"] ** 2)  # planted

    return at(WITH_ZERO, loss)


@trap({"sign"}, 0)
def sign_of_zero():
    def loss(p):
        return jnp.sum((jnp.sign(p["x"]) + p["x"]) * p["w"])  # planted

    return at(WITH_ZERO, loss)


@correct(at_kink=True)
def threshold_exactly_at_a_parameter():
    return at(WITH_ZERO, lambda p: jnp.sum(jnp.where(p["x"] > 0, 1.0, 0.0) * p["w"] + p["x"]))


@correct(at_kink=True)
def pruning_exactly_at_its_threshold():
    return at(AT_ONE, lambda p: jnp.sum(jnp.where(jnp.abs(p["x"]) >= 1, p["x"], 0.0) * p["w"]))


@correct(at_kink=True)
def remainder_of_a_whole_number():
    return at(AT_ONE, lambda p: jnp.sum((p["x"] - jnp.floor(p["x"])) * p["w"]))


@correct(at_kink=True)
def modulus_of_a_whole_number():
    return at(AT_ONE, lambda p: jnp.sum(jnp.mod(p["x"], 1.0) * p["w"]))


@correct(at_kink=True)
def accuracy_beside_a_loss():
    return at(WITH_ZERO, lambda p: jnp.mean(1.0 * (p["x"] > 0)) + jnp.sum(p["x"] ** 2 * p["w"]))


@correct(at_kink=True)
def branch_exactly_at_its_condition():
    def loss(p):
        inner = lambda x: jnp.sum(x * p["w"])
        return jax.lax.cond(p["x"][0] > 0, inner, lambda x: 1 + inner(x), p["x"])

    return at(WITH_ZERO, loss)


@correct(at_kink=True)
def choice_between_equals():
    return at(TIED, lambda p: p["w"][jnp.argmax(p["x"])] + jnp.sum(p["x"] ** 2))


@correct(at_kink=True)
def lookup_exactly_at_a_boundary():
    table, bins = jnp.array([1.0, 4.0, 9.0, 7.0]), jnp.array([0.0, 1.0, 2.0])
    loss = lambda p: jnp.sum(table[jnp.searchsorted(bins, p["x"])]) + jnp.sum(p["x"] * p["w"])
    return at(AT_ONE, loss)


@correct(at_kink=True)
def square_root_that_starts_at_zero():
    """Infinitely steep on the right, flat on the left."""

    def loss(p):
        positive = p["x"] > 0
        roots = jnp.sqrt(jnp.where(positive, p["x"], 1.0))
        return jnp.sum(jnp.where(positive, roots, 0.0) * p["w"])

    return at(WITH_ZERO, loss)


@correct(at_kink=True)
def logarithm_that_starts_at_zero():
    """It falls without bound on the right."""

    def loss(p):
        positive = p["x"] > 0
        logs = jnp.log(jnp.where(positive, p["x"], 1.0))
        return jnp.sum(jnp.where(positive, logs, 0.0) * p["w"])

    return at(WITH_ZERO, loss)


# Ties: the gradient of one of the smooth pieces that meet there.


@correct(truth=lambda p: p["x"][1] + jnp.sum(p["w"] ** 2))
def median_of_equals():
    return at(TIED, lambda p: jnp.median(p["x"]) + jnp.sum(p["w"] ** 2))


@correct(truth=lambda p: p["x"] @ jnp.array([1.0, 5.0, 2.0]) + jnp.sum(p["w"] ** 2))
def sorted_equals_weighed():
    weights = jnp.array([1.0, 5.0, 2.0])
    return at(0 * TIED, lambda p: jnp.sort(p["x"]) @ weights + jnp.sum(p["w"] ** 2))


@correct(at_kink=True)
def largest_of_equals():
    return at(TIED, lambda p: jnp.max(p["x"]) - jnp.min(p["x"]) + jnp.sum(p["w"] ** 2))
