"""Solvers that stop at a loose tolerance, and implicit rules around them.

The solution is a smooth function. What the solver returns is near it, with a slope that is
nobody's business. A right rule gives the slope of the solution.
"""

# ruff: noqa: E731  a loss of one line reads best beside its parameters

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.sparse.linalg import bicgstab

from tests.gradcheck.suite._cases import normal
from tests.gradcheck.suite.solvers import CUBIC, cardano, cubic, kepler, spd_system


def by_newton(residual: Callable, tolerance: float, most: int = 50) -> Callable:
    """Solve residual(x, a) = 0 from x = 1, until the residual is small."""

    def solve(a):
        slope = jax.grad(residual)
        go_on = lambda s: (jnp.abs(residual(s[0], a)) > tolerance) & (s[1] < most)
        step = lambda s: (s[0] - residual(s[0], a) / slope(s[0], a), s[1] + 1)
        return jax.lax.while_loop(go_on, step, (1.0 + 0 * a, 0))[0]

    return solve


def by_iteration(update: Callable, tolerance: float) -> Callable:
    """Repeat x <- update(x, a) from x = 0, until a step moves no entry by the tolerance."""

    def solve(a):
        go_on = lambda s: jnp.max(jnp.abs(s[0] - s[1])) > tolerance
        return jax.lax.while_loop(go_on, lambda s: (update(s[0], a), s[0]), (0 * a, 0 * a + 1))[0]

    return solve


def with_slope(solve: Callable, slope: Callable) -> Callable:
    """A scalar map whose derivative at the solution x is slope(x, a)."""
    solution = jax.custom_vjp(solve)

    def forward(a):
        x = solve(a)
        return x, (x, a)

    def backward(saved, g):
        return (g * slope(*saved),)

    solution.defvjp(forward, backward)
    return solution


def kepler_update(x, a):
    return a + 0.5 * jnp.sin(x)


def kepler_slope(x, a):
    return 1 / (1 - 0.5 * jnp.cos(x))


ANGLES = {"a": np.array([0.2, 0.9, 2.0]), "w": np.float64(-1.1)}


def angle_loss(solution):
    return lambda p: p["w"] * jnp.sum(jnp.sin(jax.vmap(solution)(p["a"])))


def exact_kepler(p):
    """Newton's steps from a good start, enough of them to be exact, and unrolled."""
    x = p["a"]
    for _ in range(12):
        x = x - kepler(x, p["a"]) / (1 - 0.5 * jnp.cos(x))
    return p["w"] * jnp.sum(jnp.sin(x))


def exact_cubic(p):
    return p["w"] * cardano(p["a"]) ** 2


def cubic_case(tolerance: float, slope: Callable) -> dict:
    solution = with_slope(by_newton(cubic, tolerance), slope)
    return {"function": lambda p: p["w"] * solution(p["a"]) ** 2, "params": CUBIC}


def loose_kepler(tolerance: float, slope: Callable = kepler_slope) -> Callable:
    return with_slope(by_iteration(kepler_update, tolerance), slope)


def bisection_to(tolerance: float) -> Callable:
    def solve(a):
        def halve(s):
            middle = (s[0] + s[1]) / 2
            above = cubic(middle, a) > 0
            return jnp.where(above, s[0], middle), jnp.where(above, middle, s[1])

        go_on = lambda s: s[1] - s[0] > tolerance
        low, high = jax.lax.while_loop(go_on, halve, (0 * a, 0 * a + 2.0))
        return (low + high) / 2

    return solve


def root_by_heron(a):
    """The square root, by a loop that remembers in a flag whether it has converged."""

    def step(s):
        better = 0.5 * (s[0] + a / s[0])
        return better, jnp.all(jnp.abs(better - s[0]) < 1e-2)

    return jax.lax.while_loop(lambda s: ~s[1], step, (1.0 + 0 * a, jnp.asarray(False)))[0]


def exact_root(p):
    return jnp.sum(p["b"] * p["a"] ** 1.5)


ROOTS = {"a": np.array([0.4, 2.0, 7.0]), "b": np.array([1.0, -0.5, 0.3])}


def root_case(jvp: Callable) -> dict:
    root = jax.custom_jvp(root_by_heron)
    root.defjvp(jvp)
    return {"function": lambda p: jnp.sum(p["b"] * root(p["a"]) ** 3), "params": ROOTS}


MATRIX = spd_system(21)
SKEWED = MATRIX + 0.5 * normal(22, 5, 5)
SYSTEM = {"b": normal(23, 5), "shift": np.float64(0.3)}


def equilibrium_update(params, x, z):
    return jnp.tanh(z @ params["kernel"] + x + params["bias"])


def equilibrium(tolerance: float, adjoint_update: Callable) -> Callable:
    """A layer whose output is its own fixed point; the adjoint equation is iterated as well."""

    def solve(params, x):
        go_on = lambda s: jnp.max(jnp.abs(s[0] - s[1])) > tolerance
        step = lambda s: (equilibrium_update(params, x, s[0]), s[0])
        return jax.lax.while_loop(go_on, step, (0 * x, 0 * x + 1))[0]

    layer = jax.custom_vjp(solve)

    def forward(params, x):
        z = solve(params, x)
        return z, (params, x, z)

    def backward(saved, g):
        _, pull = jax.vjp(equilibrium_update, *saved)
        go_on = lambda s: jnp.max(jnp.abs(s[0] - s[1])) > tolerance
        step = lambda s: (adjoint_update(g, pull(s[0])[2]), s[0])
        total = jax.lax.while_loop(go_on, step, (g, g + 1))[0]
        return pull(total)[:2]

    layer.defvjp(forward, backward)
    return layer


def equilibrium_case(tolerance: float, adjoint_update: Callable) -> dict:
    layer = equilibrium(tolerance, adjoint_update)
    loss = lambda p, x: jnp.mean((layer(p["layer"], x) @ p["head"] - 0.2) ** 2)
    layer_params = {"kernel": normal(24, 4, 4, scale=0.2), "bias": normal(25, 4)}
    params = {"layer": layer_params, "head": normal(26, 4)}
    return {"function": loss, "params": params, "args": (normal(27, 3, 4),)}


def unrolled_equilibrium(p, x):
    z = jnp.zeros_like(x)
    for _ in range(80):
        z = equilibrium_update(p["layer"], x, z)
    return jnp.mean((z @ p["head"] - 0.2) ** 2)


def ridge_weights(p, x, y):
    return jnp.linalg.solve(x.T @ x + jnp.exp(p["decay"]) * jnp.eye(3), x.T @ (p["scale"] * y))


def exact_ridge(p, x, y):
    return jnp.sum((ridge_weights(p, x, y) - 1) ** 2)


def ridge_by_descent(tolerance: float, factor: float) -> dict:
    """Inner training until the gradient is small; the outer gradient by hand, with a solve."""

    def descend(p, x, y):
        inner = lambda w: x.T @ (x @ w - p["scale"] * y) + jnp.exp(p["decay"]) * w
        go_on = lambda w: jnp.linalg.norm(inner(w)) > tolerance
        return jax.lax.while_loop(go_on, lambda w: w - 0.05 * inner(w), jnp.zeros(3))

    def outer_gradient(p, x, y):
        w = descend(p, x, y)
        matrix = x.T @ x + jnp.exp(p["decay"]) * jnp.eye(3)
        adjoint = jnp.linalg.solve(matrix, 2 * (w - 1))
        return {
            "decay": -factor * jnp.exp(p["decay"]) * (adjoint @ w),
            "scale": adjoint @ (x.T @ y),
        }

    return {
        "function": lambda p, x, y: jnp.sum((descend(p, x, y) - 1) ** 2),
        "gradient": outer_gradient,
        "params": {"decay": np.float64(0.2), "scale": np.float64(1.4)},
        "args": (normal(28, 6, 3), normal(29, 6)),
    }


WEIGHTS = np.arange(1.0, 6.0)


def exact_weighted(p):
    full = SKEWED + jnp.exp(p["shift"]) * jnp.eye(5)
    return jnp.sum(WEIGHTS * jnp.linalg.solve(full, p["b"]) ** 2)


def solved_loosely(matrix: np.ndarray, transposed: bool, sign: float) -> Callable:
    """Solve a system by BiCGSTAB; the backward pass solves another one."""
    apply = lambda shift, m: lambda v: m @ v + jnp.exp(shift) * v
    direct = lambda shift, b: bicgstab(apply(shift, matrix), b, tol=1e-3)[0]

    @jax.custom_vjp
    def solution(shift, b):
        return direct(shift, b)

    def forward(shift, b):
        x = direct(shift, b)
        return x, (shift, x)

    def backward(saved, g):
        shift, x = saved
        y, _ = bicgstab(apply(shift, matrix.T if transposed else matrix), g, tol=1e-3)
        return sign * jnp.exp(shift) * (y @ x), y

    solution.defvjp(forward, backward)
    return solution


def loosely_solved_case(transposed: bool, sign: float) -> dict:
    solution = solved_loosely(SKEWED, transposed, sign)
    loss = lambda p: jnp.sum(WEIGHTS * solution(p["shift"], p["b"]) ** 2)
    return {"function": loss, "params": SYSTEM}
