"""`check_gradients(order=2)`: the gradient of the slope along a direction."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_dl.gradcheck import GradientReport, check_gradients
from tests.gradcheck._planted import PARAMS, line_of, right_square, through, wrong_square

POINT = np.array([0.5, -1.25, 2.0])


@jax.custom_vjp
def square(x):
    return x**2


def square_backward(x, g):
    """Right, but its own derivative is lost."""
    return (2 * g * jax.lax.stop_gradient(x),)


square.defvjp(lambda x: (x**2, x), square_backward)


@jax.custom_jvp
def sine(x):
    return jnp.sin(x)


@sine.defjvp
def sine_jvp(primals, tangents):
    """Right, but its own derivative has the wrong sign."""
    (x,), (t,) = primals, tangents
    return jnp.sin(x), (2 * jax.lax.stop_gradient(jnp.cos(x)) - jnp.cos(x)) * t


def product_with_the_hessian(function) -> np.ndarray:
    leaf = check_gradients(function, POINT, order=2, points=()).leaves[0]
    return np.array([part.gradient for part in sorted(leaf.worst)])


def causes_of(report: GradientReport) -> list[tuple[str, str, int]]:
    return [(cause.kind, cause.function, cause.line) for cause in report.causes]


def test_the_entries_are_the_hessian_times_one_direction():
    direction = product_with_the_hessian(lambda x: jnp.sum(x**2) / 2)
    mixed = product_with_the_hessian(lambda x: x[0] ** 2 * x[1] + jnp.exp(x[2]))
    hessian = np.array([[2 * -1.25, 2 * 0.5, 0], [2 * 0.5, 0, 0], [0, 0, np.exp(2.0)]])
    np.testing.assert_allclose(mixed, hessian @ direction, rtol=1e-12)


@pytest.mark.parametrize("operation", [jnp.tanh, jax.nn.softplus, jax.nn.relu, jnp.square])
def test_second_derivatives_of_right_functions_pass(operation):
    report = check_gradients(through(operation), PARAMS, order=2)
    assert report.verdict == "pass"
    assert any(note.startswith("second order") for note in report.notes)


def test_a_right_rule_agrees_with_the_second_derivative_of_its_function():
    report = check_gradients(through(right_square), PARAMS, order=2, points=())
    assert report.verdict == "pass"
    for leaf in report.leaves:
        for part in leaf.worst:
            np.testing.assert_allclose(part.gradient, part.stripped, rtol=1e-9)


@pytest.mark.parametrize("operation", [square, sine])
def test_a_rule_that_is_right_to_first_order_alone_passes_to_first_order(operation):
    assert check_gradients(through(operation), PARAMS, points=()).verdict == "pass"


@pytest.mark.parametrize("operation", [square, sine])
def test_a_rule_that_is_right_to_first_order_alone_is_named(operation):
    report = check_gradients(through(operation), PARAMS, order=2, points=())
    assert report.verdict == "fail"
    assert ("rule", operation.__name__, line_of(operation)) in causes_of(report)


def test_only_the_leaves_behind_the_rule_fail():
    def loss(p):
        return jnp.sum(square(p["a"]) * p["b"]) + jnp.sum(p["c"] ** 3)

    params = {"a": POINT, "b": POINT[::-1].copy(), "c": POINT}
    report = check_gradients(loss, params, order=2, points=())
    assert {leaf.path: leaf.verdict for leaf in report.leaves} == {
        "a": "fail",
        "b": "pass",
        "c": "pass",
    }


def test_a_first_derivative_that_is_wrong_is_a_question_of_first_order():
    report = check_gradients(through(wrong_square), PARAMS, order=2, points=())
    assert report.verdict == "pass"
    assert any("differences decided" in note for note in report.notes)


def test_a_deliberate_stop_can_be_allowed():
    def bootstrapped(p):
        target = jax.lax.stop_gradient(jnp.tanh(p["w"]))
        return jnp.sum((jnp.sin(p["w"]) - target) ** 2)

    params = {"w": POINT}
    report = check_gradients(bootstrapped, params, order=2, points=())
    assert (report.verdict, report.causes[0].kind) == ("fail", "surrogate")
    allowed = check_gradients(bootstrapped, params, order=2, points=(), allow=("stop_gradient",))
    assert allowed.verdict == "pass"


def test_a_value_that_is_not_finite_is_said():
    report = check_gradients(lambda x: jnp.sum(jnp.sqrt(x)), np.array([0.0, 1.0]), order=2)
    assert report.verdict == "fail"
    assert report.causes[0].kind == "non_finite"


@pytest.mark.parametrize("order", [0, 3, "2", 2.0])
def test_other_orders_are_refused(order):
    with pytest.raises(ValueError, match="`order` must be one of 1, 2"):
        check_gradients(lambda x: jnp.sum(x**2), POINT, order=order)


def test_second_order_of_a_gradient_by_hand_is_refused():
    with pytest.raises(ValueError, match="order=2 checks what JAX makes"):
        check_gradients(lambda x: jnp.sum(x**2), POINT, order=2, gradient=lambda x: 2 * x)


def test_the_operation_without_a_finite_second_derivative_is_named():
    """The gradient of `|x|**1.5` is zero at zero, and infinitely steep."""

    def loss(p):
        return jnp.sum(jnp.abs(p["x"]) ** 1.5) + jnp.sum(p["w"] ** 2)

    params = {"x": np.array([0.5, 0.0]), "w": np.ones(2)}
    report = check_gradients(loss, params, order=2, points=())
    line = loss.__code__.co_firstlineno + 1
    assert causes_of(report) == [("non_finite", "pow", line)]
    assert report.causes[0].leaves == ("x",)
