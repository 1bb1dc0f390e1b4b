"""Wrong rules around inner solvers that stop early, behind whose errors they might hide."""

# ruff: noqa: E731  a loss of one line reads best beside its parameters

from collections.abc import Callable

import jax
import jax.numpy as jnp

from tests.gradcheck.suite._cases import Cause, bug, hand_written, rule
from tests.gradcheck.suite._loose import (
    ANGLES,
    angle_loss,
    bisection_to,
    by_iteration,
    by_newton,
    cubic_case,
    equilibrium,
    equilibrium_case,
    exact_cubic,
    exact_kepler,
    exact_ridge,
    exact_root,
    exact_weighted,
    kepler_slope,
    loose_kepler,
    loosely_solved_case,
    ridge_by_descent,
    root_by_heron,
    root_case,
    solved_loosely,
    unrolled_equilibrium,
    with_slope,
)
from tests.gradcheck.suite.solvers import CUBIC


def scaled_root_jvp(primals, tangents):
    (a,), (da,) = primals, tangents
    x = root_by_heron(a)
    return x, 1.001 * da / (2 * x)


def adjoint_without_feedback(g, pulled):
    return g + 0 * pulled


def made_in(*makers: Callable) -> Callable:
    """The rule of a function that one of the makers defines inside itself is at fault."""
    inner = {"solve", "solution", "forward", "backward"}

    def find(arguments: dict) -> Cause:
        cause = rule(*makers)(arguments)
        return cause._replace(names=cause.names | inner)

    return find


IMPLICIT = made_in(by_newton, by_iteration, bisection_to, with_slope)


def cubic_slope_scaled(x, a):
    return 1.001 / (3 * x**2 + 1)


def cubic_slope_negated(x, a):
    return -1 / (3 * x**2 + 1)


def cubic_slope_without_linear_term(x, a):
    return 1 / (3 * x**2)


@bug({"a"}, IMPLICIT, truth=exact_cubic, noise=5e-4)
def newton_to_a_millionth_slope_scaled():
    return cubic_case(1e-6, cubic_slope_scaled)


@bug({"a"}, IMPLICIT, truth=exact_cubic, noise=1e-4)
def newton_to_a_thousandth_slope_scaled():
    return cubic_case(1e-3, cubic_slope_scaled)


@bug({"a"}, IMPLICIT, truth=exact_cubic, noise=1e-2)
def newton_to_one_percent_slope_negated():
    return cubic_case(1e-2, cubic_slope_negated)


@bug({"a"}, IMPLICIT, truth=exact_cubic, noise=1e-2)
def newton_to_one_percent_term_lost():
    return cubic_case(1e-2, cubic_slope_without_linear_term)


def kepler_slope_with_sine(x, a):
    return 1 / (1 - 0.5 * jnp.sin(x))


@bug({"a"}, IMPLICIT, truth=exact_kepler, noise=1e-2)
def fixed_points_under_vmap_wrong_function():
    solution = loose_kepler(1e-2, kepler_slope_with_sine)
    return {"function": angle_loss(solution), "params": ANGLES}


def kepler_slope_scaled(x, a):
    return 1.01 * kepler_slope(x, a)


@bug({"a"}, IMPLICIT, truth=exact_kepler, noise=2e-3)
def fixed_points_in_scan_slope_scaled():
    solve = jax.jit(loose_kepler(1e-3, kepler_slope_scaled))
    loss = lambda p: p["w"] * jnp.sum(jnp.sin(jax.lax.map(solve, p["a"])))
    return {"function": loss, "params": ANGLES}


@bug({"a"}, IMPLICIT, truth=exact_cubic, noise=2e-2)
def bisection_slope_without_linear_term():
    solution = with_slope(bisection_to(1e-2), cubic_slope_without_linear_term)
    return {"function": lambda p: p["w"] * solution(p["a"]) ** 2, "params": CUBIC}


@bug({"a"}, rule(root_by_heron, scaled_root_jvp), truth=exact_root, noise=1e-4)
def square_root_by_a_loop_slope_scaled():
    return root_case(scaled_root_jvp)


@bug(
    {"layer/kernel", "layer/bias"},
    made_in(equilibrium),
    truth=unrolled_equilibrium,
    noise=1e-2,
)
def equilibrium_layer_without_the_adjoint_equation():
    return equilibrium_case(1e-3, adjoint_without_feedback)


@bug({"b", "shift"}, made_in(solved_loosely), truth=exact_weighted, noise=1e-2)
def linear_solve_adjoint_not_transposed():
    return loosely_solved_case(transposed=False, sign=-1.0)


@bug({"shift"}, made_in(solved_loosely), truth=exact_weighted, noise=1e-2)
def linear_solve_sign_lost_for_the_matrix():
    return loosely_solved_case(transposed=True, sign=1.0)


@bug({"decay"}, hand_written, truth=exact_ridge, noise=2e-3)
def hyperparameter_gradient_scaled():
    return ridge_by_descent(1e-4, 1.01)
