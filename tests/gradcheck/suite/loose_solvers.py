"""Right implicit rules around inner solvers that stop early.

The slope of what the solver returns differs from the gradient, and neither is at fault.
"""

# ruff: noqa: E731  a loss of one line reads best beside its parameters

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.sparse.linalg import bicgstab, cg, gmres

from tests.gradcheck.suite._cases import correct
from tests.gradcheck.suite._loose import (
    ANGLES,
    MATRIX,
    SKEWED,
    SYSTEM,
    angle_loss,
    bisection_to,
    cubic_case,
    equilibrium_case,
    exact_cubic,
    exact_kepler,
    exact_ridge,
    exact_root,
    exact_weighted,
    loose_kepler,
    loosely_solved_case,
    ridge_by_descent,
    root_by_heron,
    root_case,
    unrolled_equilibrium,
    with_slope,
)
from tests.gradcheck.suite.solvers import CUBIC


def cubic_slope(x, a):
    return 1 / (3 * x**2 + 1)


@correct(truth=exact_cubic, noise=1e-1)
def newton_to_one_percent():
    return cubic_case(1e-2, cubic_slope)


@correct(truth=exact_cubic, noise=1e-2)
def newton_to_a_thousandth():
    return cubic_case(1e-3, cubic_slope)


@correct(truth=exact_kepler, noise=1e-1)
def fixed_points_to_one_percent_under_vmap():
    return {"function": angle_loss(loose_kepler(1e-2)), "params": ANGLES}


@correct(truth=exact_kepler, noise=1e-2)
def fixed_points_to_a_thousandth_in_scan_and_jit():
    solve = jax.jit(loose_kepler(1e-3))
    loss = lambda p: p["w"] * jnp.sum(jnp.sin(jax.lax.map(solve, p["a"])))
    return {"function": loss, "params": ANGLES}


@correct(truth=exact_kepler, noise=1e-2)
def fixed_points_in_a_branch():
    solve = jax.vmap(loose_kepler(1e-3))

    def loss(p):
        x = jax.lax.cond(jnp.sum(p["a"]) > 0, solve, lambda a: 0 * a, p["a"])
        return p["w"] * jnp.sum(jnp.sin(x))

    return {"function": loss, "params": ANGLES}


@correct(truth=exact_cubic, noise=1e-1)
def bisection_to_a_hundredth():
    solution = with_slope(bisection_to(1e-2), cubic_slope)
    return {"function": lambda p: p["w"] * solution(p["a"]) ** 2, "params": CUBIC}


def root_jvp(primals, tangents):
    (a,), (da,) = primals, tangents
    x = root_by_heron(a)
    return x, da / (2 * x)


@correct(truth=exact_root, noise=1e-1)
def square_root_by_a_loop_with_a_flag():
    return root_case(root_jvp)


def shifted(matrix: np.ndarray, p: dict) -> Callable:
    return lambda v: matrix @ v + jnp.exp(p["shift"]) * v


def linear_loss(matrix: np.ndarray, solver: Callable, **options: Any) -> Callable:
    return lambda p: jnp.sum(solver(shifted(matrix, p), p["b"], **options)[0] ** 2)


def exact_linear(matrix: np.ndarray) -> Callable:
    full = lambda p: matrix + jnp.exp(p["shift"]) * jnp.eye(5)
    return lambda p: jnp.sum(jnp.linalg.solve(full(p), p["b"]) ** 2)


@correct(truth=exact_linear(MATRIX), noise=2e-1)
def conjugate_gradients_to_one_percent():
    return {"function": linear_loss(MATRIX, cg, tol=1e-2), "params": SYSTEM}


@correct(truth=exact_linear(MATRIX), noise=1e-2)
def conjugate_gradients_to_a_thousandth():
    return {"function": linear_loss(MATRIX, cg, tol=1e-3), "params": SYSTEM}


@correct(truth=exact_linear(SKEWED), noise=1e-2)
def bicgstab_to_a_thousandth():
    return {"function": linear_loss(SKEWED, bicgstab, tol=1e-3), "params": SYSTEM}


@correct(truth=exact_linear(SKEWED), noise=2e-1)
def gmres_restarted_after_two_steps():
    loss = linear_loss(SKEWED, gmres, tol=1e-2, restart=2)
    return {"function": loss, "params": SYSTEM}


def adjoint_sum(g, pulled):
    return g + pulled


@correct(truth=unrolled_equilibrium, noise=1e-2)
def equilibrium_layer_to_a_thousandth():
    return equilibrium_case(1e-3, adjoint_sum)


@correct(truth=exact_linear(MATRIX), noise=1e-2)
def adjoint_solved_loosely_of_an_exact_forward_pass():
    """Only the backward pass iterates, which the program of the loss does not show."""
    full = lambda shift: MATRIX + jnp.exp(shift) * jnp.eye(5)
    direct = lambda shift, b: jnp.linalg.solve(full(shift), b)
    solution = jax.custom_vjp(direct)

    def forward(shift, b):
        x = direct(shift, b)
        return x, (shift, x)

    def backward(saved, g):
        shift, x = saved
        y, _ = cg(lambda v: full(shift) @ v, g, tol=1e-3)
        return -jnp.exp(shift) * (y @ x), y

    solution.defvjp(forward, backward)
    return {"function": lambda p: jnp.sum(solution(p["shift"], p["b"]) ** 2), "params": SYSTEM}


@correct(truth=exact_ridge, noise=1e-2)
def hyperparameters_by_hand_of_a_loose_inner_training():
    return ridge_by_descent(1e-3, 1.0)


@correct(truth=exact_weighted, noise=1e-2)
def linear_solve_with_a_rule_of_its_own():
    return loosely_solved_case(transposed=True, sign=-1.0)
