"""Correct functions around inner solvers, implicit functions and float32 arithmetic."""

# ruff: noqa: E731  a loss of one line reads best beside its parameters

import jax
import jax.numpy as jnp
import numpy as np

from tests.gradcheck.suite._cases import correct, normal


def newton(residual, start, tolerance):
    """Solve residual(x, a) = 0 for x by as many steps as it takes."""

    def solve(a):
        slope = jax.grad(residual)
        go_on = lambda s: (jnp.abs(residual(s[0], a)) > tolerance) & (s[1] < 100)
        step = lambda s: (s[0] - residual(s[0], a) / slope(s[0], a), s[1] + 1)
        return jax.lax.while_loop(go_on, step, (start + 0 * a, 0))[0]

    return solve


def implicit(solve, residual):
    """The map a -> x with residual(x, a) = 0, differentiated by the implicit function theorem."""
    solution = jax.custom_vjp(solve)

    def forward(a):
        x = solve(a)
        return x, (x, a)

    def backward(saved, g):
        dx, da = jax.grad(residual, argnums=(0, 1))(*saved)
        return (-g * da / dx,)

    solution.defvjp(forward, backward)
    return solution


def cubic(x, a):
    return x**3 + x - a


def cardano(a):
    """The real root of x^3 + x = a in closed form."""
    root = jnp.sqrt(a**2 / 4 + 1 / 27)
    return jnp.cbrt(a / 2 + root) + jnp.cbrt(a / 2 - root)


CUBIC = {"a": np.float64(1.7), "w": np.float64(0.6)}


def cubic_loss(tolerance):
    solution = implicit(newton(cubic, 1.0, tolerance), cubic)
    return lambda p: p["w"] * solution(p["a"]) ** 2


@correct(truth=lambda p: p["w"] * cardano(p["a"]) ** 2)
def implicit_root_by_newton():
    return {"function": cubic_loss(1e-13), "params": CUBIC}


@correct(truth=lambda p: p["w"] * cardano(p["a"]) ** 2, noise=1e-3)
def implicit_root_stopped_early():
    """The inner solver leaves an error of about 1e-5 that jumps with its iteration count."""
    return {"function": cubic_loss(1e-4), "params": CUBIC}


def bisection(a):
    """Solve x^3 + x = a between 0 and 2 to 1e-9."""
    go_on = lambda s: s[1] - s[0] > 1e-9

    def halve(s):
        middle = (s[0] + s[1]) / 2
        above = cubic(middle, a) > 0
        return jnp.where(above, s[0], middle), jnp.where(above, middle, s[1])

    low, high = jax.lax.while_loop(go_on, halve, (0 * a, 0 * a + 2.0))
    return (low + high) / 2


@correct(truth=lambda p: p["w"] * cardano(p["a"]), noise=1e-6)
def implicit_root_by_bisection():
    """A staircase with steps of 1e-9: the primal body has zero slope almost everywhere."""
    solution = implicit(bisection, cubic)
    return {"function": lambda p: p["w"] * solution(p["a"]), "params": CUBIC}


def kepler(x, a):
    return x - 0.5 * jnp.sin(x) - a


def fixed_point(a):
    step = lambda s: (a + 0.5 * jnp.sin(s[0]), s[0])
    return jax.lax.while_loop(lambda s: jnp.abs(s[0] - s[1]) > 1e-13, step, (a, a + 1))[0]


@correct()
def implicit_fixed_point():
    solution = implicit(fixed_point, kepler)
    loss = lambda p: jnp.sin(solution(p["a"])) * p["w"]
    return {"function": loss, "params": {"a": np.float64(0.9), "w": np.float64(-1.1)}}


@correct()
def implicit_fixed_point_mapped():
    solution = jax.vmap(implicit(fixed_point, kepler))
    loss = lambda p: jnp.sum(solution(p["a"]) ** 2)
    return {"function": loss, "params": {"a": np.array([0.2, 0.9, 2.0])}}


def cosine_residual(x, a):
    return x - jnp.cos(a * x)


def unbounded_fixed_point(a):
    step = lambda s: (jnp.cos(a * s[0]), s[0])
    return jax.lax.while_loop(lambda s: jnp.abs(s[0] - s[1]) > 1e-12, step, (a, a + 1))[0]


@correct()
def solver_without_a_bound_on_its_steps():
    """The iteration contracts at these parameters; at twice their size it never ends."""
    solution = implicit(unbounded_fixed_point, cosine_residual)
    loss = lambda p: (p["w"] * solution(p["a"]) - 0.2) ** 2
    return {"function": loss, "params": {"a": np.float64(0.8), "w": np.float64(1.5)}}


@correct()
def custom_root_of_jax():
    def loss(p):
        f = lambda x: cubic(x, p["a"])
        solve = lambda f, start: newton(lambda x, _: f(x), 1.0, 1e-13)(start)
        x = jax.lax.custom_root(f, 1.0, solve, lambda g, y: y / g(1.0))
        return p["w"] * x**2

    return {"function": loss, "params": CUBIC}


def spd_system(seed):
    root = normal(seed, 5, 5)
    return root @ root.T + np.eye(5)


@correct()
def conjugate_gradient_solve():
    matrix = spd_system(1)

    def loss(p):
        apply = lambda v: matrix @ v + jnp.exp(p["shift"]) * v
        solution, _ = jax.scipy.sparse.linalg.cg(apply, p["b"], tol=1e-13)
        return jnp.sum(solution**2)

    return {"function": loss, "params": {"b": normal(2, 5), "shift": np.float64(0.3)}}


@correct(noise=1e-4)
def conjugate_gradient_stopped_early():
    matrix = spd_system(3)

    def loss(p):
        solution, _ = jax.scipy.sparse.linalg.cg(lambda v: matrix @ v, p["b"], tol=1e-5)
        return jnp.sum(solution * p["w"])

    return {"function": loss, "params": {"b": normal(4, 5), "w": normal(5, 5)}}


@correct()
def dense_linear_algebra():
    def loss(p):
        matrix = p["a"] @ p["a"].T + 0.5 * jnp.eye(4)
        return jnp.linalg.slogdet(matrix)[1] + p["b"] @ jnp.linalg.solve(matrix, p["b"])

    return {"function": loss, "params": {"a": normal(6, 4, 4), "b": normal(7, 4)}}


@correct()
def eigenvalues_of_a_symmetric_matrix():
    loss = lambda p: jnp.sum(jnp.linalg.eigvalsh(p["a"] + p["a"].T) * jnp.arange(4.0))
    return {"function": loss, "params": {"a": normal(8, 4, 4)}}


@correct()
def unrolled_gradient_descent():
    """Differentiating through 50 inner steps, as in learning to learn."""
    matrix = spd_system(9) / 20

    def loss(p):
        step = lambda i, w: w - jnp.exp(p["log_rate"]) * (matrix @ w - p["b"])
        return jnp.sum((jax.lax.fori_loop(0, 50, step, jnp.zeros(5)) - 1) ** 2)

    return {"function": loss, "params": {"log_rate": np.float64(-1.0), "b": normal(10, 5)}}


@correct()
def runge_kutta_of_an_oscillator():
    def loss(p):
        field = lambda y: jnp.stack([y[1], -p["k"] * jnp.sin(y[0]) - p["damping"] * y[1]])

        def step(y, _):
            a = field(y)
            b = field(y + 0.05 * a)
            return y + 0.1 * b, y[0]

        last, path = jax.lax.scan(step, p["start"], None, length=40)
        return jnp.sum(path**2) + last[1]

    start = np.array([1.0, 0.2])
    params = {"k": np.float64(2.0), "damping": np.float64(0.1), "start": start}
    return {"function": loss, "params": params}


def single(tree):
    return jax.tree.map(lambda leaf: leaf.astype(jnp.float32), tree)


def small_network(p, x):
    return jnp.mean((jnp.tanh(x @ p["kernel"] + p["bias"]) - 0.5) ** 2)


@correct(truth=small_network, noise=1e-4)
def network_in_float32_inside():
    def loss(p, x):
        return small_network(single(p), x.astype(jnp.float32))

    params = {"kernel": normal(11, 4, 3), "bias": normal(12, 3)}
    return {"function": loss, "params": params, "args": (normal(13, 8, 4),)}


@correct(truth=lambda p, x: small_network({**p, "bias": 0.0}, x), noise=3e-2)
def network_in_bfloat16_inside():
    def loss(p, x):
        half = lambda a: a.astype(jnp.bfloat16)
        h = jnp.tanh(half(x) @ half(p["kernel"]))
        return jnp.mean((h.astype(jnp.float32) - 0.5) ** 2)

    return {"function": loss, "params": {"kernel": normal(14, 4, 3)}, "args": (normal(15, 8, 4),)}


@correct(truth=lambda p: 1e3 + jnp.sum(p["x"] ** 2), noise=1e-3)
def float32_loss_with_an_offset():
    loss = lambda p: jnp.float32(1e3) + jnp.sum(single(p["x"]) ** 2)
    return {"function": loss, "params": {"x": normal(16, 4)}}


@correct(truth=lambda p: jnp.sum(jnp.tanh(p["x"]) ** 2), noise=1e-6)
def float32_parameters():
    params = {"x": normal(17, 5).astype(np.float32)}
    return {"function": lambda p: jnp.sum(jnp.tanh(p["x"]) ** 2), "params": params}


@correct(truth=lambda p: jnp.sum(p["x"] ** 3), noise=1e-5)
def float32_round_trip_by_hand():
    loss = lambda p: jnp.sum(single(p["x"]) ** 3)
    gradient = lambda p: {"x": 3 * np.asarray(p["x"]) ** 2}
    return {"function": loss, "gradient": gradient, "params": {"x": normal(18, 5)}}


@correct(truth=lambda p: p["x"] ** 2, noise=1e-3)
def output_rounded_to_six_digits_by_an_external_program():
    """A value read back from text keeps few digits; its gradient is given by hand."""
    loss = lambda p: float(f"{float(p['x']) ** 2:.6g}")
    gradient = lambda p: {"x": 2 * np.asarray(p["x"])}
    return {"function": loss, "gradient": gradient, "params": {"x": np.float64(1.37)}}
