"""Wrong rules of several arguments, with static arguments, nested, and in iterative programs."""

# ruff: noqa: E731  a loss of one line reads best beside its parameters

import jax
import jax.numpy as jnp
import numpy as np

from tests.gradcheck.suite._cases import bug, normal, rule


def plain_matmul(a, b):
    return a @ b


def save_both(a, b):
    return a @ b, (a, b)


def left_not_transposed(saved, g):
    a, b = saved
    return g @ b.T, (a @ g if a.shape[0] == a.shape[1] else a.T @ g)


def arguments_swapped(saved, g):
    a, b = saved
    return (a.T @ g).T, (g @ b.T).T


def matmul_with(backward):
    product = jax.custom_vjp(plain_matmul)
    product.defvjp(save_both, backward)
    return product


def square_product(product):
    loss = lambda p: jnp.sum(jnp.tanh(product(p["a"], p["b"])) ** 2)
    return {"function": loss, "params": {"a": normal(1, 3, 3), "b": normal(2, 3, 3)}}


@bug({"b"}, rule(plain_matmul, save_both, left_not_transposed))
def matmul_rule_left_not_transposed():
    """Only the second operand's cotangent is wrong."""
    return square_product(matmul_with(left_not_transposed))


@bug({"a", "b"}, rule(plain_matmul, save_both, arguments_swapped))
def matmul_rule_cotangents_swapped():
    return square_product(matmul_with(arguments_swapped))


def smooth_l1(width, x):
    return jnp.where(jnp.abs(x) < width, x**2 / (2 * width), jnp.abs(x) - width / 2)


def smooth_l1_forward(width, x):
    return smooth_l1(width, x), x


def smooth_l1_backward(width, x, g):
    return (g * jnp.clip(x, -width, width),)


@bug({"x"}, rule(smooth_l1, smooth_l1_forward, smooth_l1_backward))
def static_argument_forgotten_in_backward():
    """The slope must be divided by the width."""
    wrong = jax.custom_vjp(smooth_l1, nondiff_argnums=(0,))
    wrong.defvjp(smooth_l1_forward, smooth_l1_backward)
    loss = lambda p: jnp.sum(p["w"] * wrong(0.5, p["x"]))
    return {"function": loss, "params": {"x": normal(3, 6), "w": normal(4, 6)}}


def weighted(x, w):
    return w * jnp.exp(x)


def weighted_forward(x, w):
    y = w * jnp.exp(x)
    return y, (x, w, y)


def weight_lost(saved, g):
    x, _, _ = saved
    return g * jnp.exp(x), g * jnp.exp(x)


def zero_for_weight(saved, g):
    _, w, y = saved
    return g * y, jnp.zeros_like(w)


def weighted_case(backward):
    wrong = jax.custom_vjp(weighted)
    wrong.defvjp(weighted_forward, backward)
    loss = lambda p: jnp.sum(wrong(p["x"], p["w"]) ** 2)
    return {"function": loss, "params": {"x": normal(5, 4), "w": normal(6, 4)}}


@bug({"x"}, rule(weighted, weighted_forward, weight_lost))
def factor_lost_in_first_cotangent():
    return weighted_case(weight_lost)


@bug({"w"}, rule(weighted, weighted_forward, zero_for_weight))
def zero_cotangent_for_second_argument():
    return weighted_case(zero_for_weight)


def cube_root(x):
    return jnp.sign(x) * jnp.abs(x) ** (1 / 3)


def cube_root_jvp(primals, tangents):
    (x,), (dx,) = primals, tangents
    y = cube_root(x)
    return y, dx / (3 * y)


@bug({"x"}, rule(cube_root, cube_root_jvp))
def cube_root_slope_not_squared():
    wrong = jax.custom_jvp(cube_root)
    wrong.defjvp(cube_root_jvp)
    loss = lambda p: jnp.sum(jax.jit(wrong)(p["x"]) + p["y"] ** 2)
    return {"function": loss, "params": {"x": 2 + normal(7, 4, scale=0.3), "y": normal(8, 4)}}


def damped(h, x):
    return jnp.tanh(0.5 * h + x)


def damped_forward(h, x):
    y = jnp.tanh(0.5 * h + x)
    return y, y


def damped_backward(y, g):
    slope = g * (1 - y**2)
    return slope, slope


@bug({"x", "start"}, rule(damped, damped_forward, damped_backward))
def recurrent_cell_rule_without_its_factor():
    """The factor 0.5 of the carry is lost, inside `scan`."""
    cell = jax.custom_vjp(damped)
    cell.defvjp(damped_forward, damped_backward)

    def loss(p):
        last, _ = jax.lax.scan(lambda h, x: (cell(h, x), None), p["start"], p["x"])
        return jnp.sum((p["scale"] * last - 1) ** 2)

    params = {"x": normal(9, 5, 3), "start": normal(10, 3), "scale": np.float64(1.3)}
    return {"function": loss, "params": params}


def inner_sine(x):
    return jnp.sin(x)


def inner_sine_jvp(primals, tangents):
    (x,), (dx,) = primals, tangents
    return jnp.sin(x), -jnp.cos(x) * dx


@bug({"x"}, rule(inner_sine, inner_sine_jvp))
def wrong_rule_called_by_a_right_rule():
    """The outer rule differentiates its primal body with `jax.vjp`, which meets the wrong one."""
    inner = jax.custom_jvp(inner_sine)
    inner.defjvp(inner_sine_jvp)
    body = lambda x: inner(x) ** 2
    outer = jax.custom_vjp(body)
    outer.defvjp(lambda x: (body(x), x), lambda x, g: jax.vjp(body, x)[1](g))
    loss = lambda p: jnp.sum(outer(p["x"])) + jnp.sum(p["y"] ** 3)
    return {"function": loss, "params": {"x": normal(11, 4), "y": normal(12, 2)}}


@bug({"x"}, rule(inner_sine, inner_sine_jvp))
def wrong_rule_in_a_library_of_two():
    """One of two custom rules on the same path is right and must not be accused."""
    wrong = jax.custom_jvp(inner_sine)
    wrong.defjvp(inner_sine_jvp)
    right = jax.custom_jvp(jnp.cosh)
    right.defjvps(lambda dx, y, x: dx * jnp.sinh(x))
    loss = lambda p: jnp.sum(right(wrong(p["x"])) * right(p["y"]))
    return {"function": loss, "params": {"x": normal(13, 4), "y": normal(14, 4)}}


@bug({"first/x", "second/x"}, rule(inner_sine, inner_sine_jvp))
def wrong_rule_used_twice():
    wrong = jax.custom_jvp(inner_sine)
    wrong.defjvp(inner_sine_jvp)
    params = {name: {"x": normal(15 + i, 3)} for i, name in enumerate(("first", "second", "third"))}

    def loss(p):
        return jnp.sum(wrong(p["first"]["x"]) * jax.jit(wrong)(p["second"]["x"]) * p["third"]["x"])

    return {"function": loss, "params": params}


def pooled(x):
    return jnp.max(x, axis=-1)


def pooled_forward(x):
    return jnp.max(x, axis=-1), x


def pooled_backward(x, g):
    return (g[..., None] * jnp.ones_like(x),)


@bug({"x"}, rule(pooled, pooled_forward, pooled_backward))
def max_pool_rule_spreads_to_every_input():
    """The loser inputs get a gradient too; the winners' components are right."""
    wrong = jax.custom_vjp(pooled)
    wrong.defvjp(pooled_forward, pooled_backward)
    loss = lambda p: jnp.sum(wrong(p["x"]) ** 2)
    return {"function": loss, "params": {"x": normal(18, 4, 3)}}


def solve(a, b):
    return jnp.linalg.solve(a, b)


def solve_forward(a, b):
    x = jnp.linalg.solve(a, b)
    return x, (a, x)


def solve_backward(saved, g):
    a, x = saved
    back = jnp.linalg.solve(a, g)
    return -jnp.outer(back, x), back


@bug({"a", "b"}, rule(solve, solve_forward, solve_backward))
def linear_solve_rule_not_transposed():
    wrong = jax.custom_vjp(solve)
    wrong.defvjp(solve_forward, solve_backward)
    params = {"a": normal(19, 3, 3) + 3 * np.eye(3), "b": normal(20, 3)}
    return {"function": lambda p: jnp.sum(wrong(p["a"], p["b"]) ** 2), "params": params}


def fixed_point(a):
    go_on = lambda s: (jnp.max(jnp.abs(s[0] - s[1])) > 1e-14) & (s[2] < 500)
    step = lambda s: (jnp.cos(a * s[0]), s[0], s[2] + 1)
    return jax.lax.while_loop(go_on, step, (a, a + 1, 0))[0]


def fixed_point_forward(a):
    x = fixed_point(a)
    return x, (a, x)


def fixed_point_backward(saved, g):
    a, x = saved
    return (-g * x * jnp.sin(a * x),)


@bug({"a"}, rule(fixed_point, fixed_point_forward, fixed_point_backward))
def implicit_rule_without_the_inverse():
    """The factor 1 / (1 - dstep/dx) of the implicit function theorem is lost."""
    wrong = jax.custom_vjp(fixed_point)
    wrong.defvjp(fixed_point_forward, fixed_point_backward)
    loss = lambda p: jnp.sum((p["b"] * wrong(p["a"]) - 0.2) ** 2)
    return {"function": loss, "params": {"a": np.array([0.5, 0.8]), "b": np.array([1.5, -1.0])}}
