"""Reading programs: evaluation with changes, marks, facts, source lines; the same on all JAX."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_dl._core import jaxpr


def composed(x, y):
    z = jax.jit(jnp.sin)(x) * y
    z = jax.checkpoint(jnp.tanh)(z)
    z, kept = jax.lax.scan(lambda c, v: (c * v + y[0], c), z, jnp.stack([x, y]))
    z = jax.lax.cond(jnp.sum(z) > 0, lambda v: 2 * v, lambda v: -v, z)
    z = jax.lax.while_loop(lambda v: jnp.sum(v) < 3, lambda v: v + 1, z)
    return jnp.sum(jax.nn.relu(z)) + jnp.sum(kept)


INPUTS = (np.array([0.3, -0.2], np.float32), np.array([0.5, 1.5], np.float32))


def find(program, name):
    return [site for site in jaxpr.walk(program) if site.equation.primitive.name == name]


def test_evaluation_without_changes_is_the_function():
    program = jax.make_jaxpr(composed)(*INPUTS)
    np.testing.assert_array_equal(
        jaxpr.evaluate(program, INPUTS, {})[0], jax.jit(composed)(*INPUTS)
    )


@pytest.mark.parametrize("name", ["sin", "tanh", "add"])
def test_a_replaced_equation_is_found_inside_calls(name):
    program = jax.make_jaxpr(composed)(*INPUTS)
    replaced = {id(site.equation): lambda e, v: [0 * v[0]] for site in find(program, name)}
    changed = jaxpr.evaluate(program, INPUTS, replaced)[0]
    assert changed != jaxpr.evaluate(program, INPUTS, {})[0]


def test_evaluation_with_changes_is_differentiable_and_compiles():
    def loss(x):
        return jax.lax.scan(lambda c, v: (c + jnp.sin(v), None), jnp.zeros(()), x)[0]

    x = np.array([0.1, 0.2], np.float32)
    program = jax.make_jaxpr(loss)(x)
    doubled = {id(s.equation): lambda e, v: [2 * v[0]] for s in find(program, "sin")}
    slope = jax.jit(jax.grad(lambda x: jaxpr.evaluate(program, [x], doubled)[0]))(x)
    np.testing.assert_array_equal(slope, [2, 2])


def test_marks_reach_into_loops_and_branches():
    program = jax.make_jaxpr(composed)(*INPUTS)
    ask = jax.jit(
        lambda *x: jaxpr.evaluate_with_marks(
            program, x, lambda e, i, o: jnp.array(e.primitive.name in ("sin", "mul", "neg"))
        )[1]
    )
    marks = ask(*INPUTS)
    said = {s.equation.primitive.name for s in jaxpr.walk(program) if marks.get(id(s.equation))}
    assert {"sin", "mul"} <= said
    assert "tanh" not in said


def test_every_equation_can_be_run_in_another_way():
    def negated(equation, values):
        outputs = jaxpr.bind(equation, values)
        return [-out for out in outputs] if equation.primitive.name == "sin" else outputs

    def loss(x):
        looped = jax.lax.scan(lambda c, v: (c + jnp.sin(v), None), jnp.zeros(()), x)[0]
        return looped + jax.jit(jnp.sin)(x[0]) + jax.lax.cond(x[0] > 0, jnp.sin, jnp.cos, x[1])

    x = np.array([0.1, 0.2], np.float32)
    changed = jaxpr.evaluate_each(jax.make_jaxpr(loss)(x), [x], negated)[0]
    np.testing.assert_allclose(changed, -loss(x), rtol=1e-6)


def test_facts_flow_through_loops_until_they_are_stable():
    def rotated(a, b, c):
        return jax.lax.fori_loop(0, 3, lambda i, s: (s[1], s[2], s[2]), (a, b, c))[0]

    program = jax.make_jaxpr(rotated)(1.0, 2.0, 3.0)
    facts = jaxpr.propagate(
        program,
        [frozenset("a"), frozenset("b"), frozenset("c")],
        lambda e, place, given: [frozenset().union(*given)] * len(jaxpr.output_types(e)),
        join=lambda a, b: a | b,
        nothing=frozenset(),
    )
    assert facts == [frozenset("abc")]


def test_a_place_is_the_line_that_the_user_wrote():
    def loss(x):
        return jnp.sum(jnp.linalg.norm(x))

    sites = find(jax.make_jaxpr(loss)(np.ones(3, np.float32)), "sqrt")
    assert sites[0].place.file == __file__
    assert sites[0].place.line == loss.__code__.co_firstlineno + 1
    assert sites[0].place.function == "loss"


def test_two_traces_of_one_function_are_equal():
    first, second = (jax.make_jaxpr(composed)(*INPUTS) for _ in range(2))
    assert jaxpr.first_difference(first, second) is None


def test_the_first_difference_between_two_traces_is_found():
    numbers = iter([1.5, 2.5])

    def loss(x):
        return jnp.sum(jnp.exp(x) * next(numbers))

    x = np.ones(2, np.float32)
    first = jax.make_jaxpr(lambda x: loss(x))(x)
    second = jax.make_jaxpr(lambda x: loss(x))(x)  # JAX remembers traces of one function object
    site = jaxpr.first_difference(first, second)
    assert site is not None
    assert site.equation.primitive.name == "mul"


def test_the_definition_behind_custom_gradient_is_the_users():
    @jax.custom_gradient
    def square(x):
        return x**2, lambda g: (2 * g * x,)

    (site,) = find(jax.make_jaxpr(lambda x: square(x))(1.0), "custom_vjp_call")
    assert jaxpr.definition(site.equation, site.place).file == __file__


def test_rules_of_jax_belong_to_a_library():
    (site,) = find(jax.make_jaxpr(jax.nn.relu)(1.0), "custom_jvp_call")
    assert jaxpr.is_library(jaxpr.definition(site.equation, site.place).file)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: jnp.where(x > 0, x, jnp.nan),
        lambda x: x * np.array([1.0, np.nan], np.float32),
        lambda x: jax.lax.cond(x[0] > 0, jax.nn.relu, jnp.tanh, x),
        lambda x: jax.lax.scan(lambda c, v: (jax.nn.relu(c * v), None), x[0], x)[0],
    ],
)
def test_two_traces_of_one_function_do_not_differ(function):
    first, second = (jax.make_jaxpr(lambda x: function(x))(INPUTS[0]) for _ in range(2))
    assert jaxpr.first_difference(first, second) is None


def test_another_number_or_axis_is_a_difference():
    def program(number, axis):
        return jax.make_jaxpr(lambda x: jnp.sum(x * number, axis=axis))(np.ones((2, 2), np.float32))

    one = program(np.float32(1), 0)
    for other, name in (
        (program(np.float32(2), 0), "mul"),
        (program(np.float32(1), 1), "reduce_sum"),
    ):
        site = jaxpr.first_difference(one, other)
        assert site is not None
        assert site.equation.primitive.name == name
