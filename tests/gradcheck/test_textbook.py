"""The check as it is taught, on a small network, against the register's numbers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_dl.gradcheck import (
    check_gradients,
    finite_difference,
    relative_difference,
    textbook_check,
)

X = np.random.default_rng(0).normal(size=(6, 3))


def weights(scale=1.0):
    random = np.random.default_rng(1)
    shapes = {"w1": (3, 4), "b1": (4,), "w2": (4, 1)}
    return {name: scale * random.normal(size=shape) for name, shape in shapes.items()}


def cost(p, lambd=0.0):
    hidden = jnp.tanh(X @ p["w1"] + p["b1"][None])
    penalty = jnp.sum(jnp.square(p["w1"])) + jnp.sum(jnp.square(p["w2"]))
    return jnp.mean(jnp.square(hidden @ p["w2"] - 1)) + lambd / (2 * len(X)) * penalty


def test_gc_11_it_costs_two_evaluations_for_each_parameter():
    seen = set()

    def counted(x):
        x = np.asarray(x)
        seen.add(x.tobytes())
        return float(np.sum(x**3))

    differences = finite_difference(counted, np.ones(7))
    np.testing.assert_allclose(differences, 3 * np.ones(7), rtol=1e-6)
    assert len(seen - {np.ones(7).tobytes()}) == 2 * 7
    assert textbook_check(cost, weights()).coverage.evaluations == 2 * (12 + 4 + 4)


@pytest.mark.parametrize("checker", [textbook_check, check_gradients])
def test_gc_12_a_gradient_that_was_dropped_is_found_in_its_leaf(checker):
    """GC-12: dropping the gradient of `b1` names the leaf `b1`."""

    def gradient(p):
        return {**jax.grad(cost)(p), "b1": jnp.zeros(4)}

    report = checker(cost, weights(), gradient=gradient)
    assert [leaf.path for leaf in report.leaves if leaf.verdict == "fail"] == ["b1"]


def test_gc_13_the_penalty_belongs_to_the_cost_and_to_the_gradient():
    def with_penalty(p):
        return cost(p, lambd=0.7)

    params = weights()
    assert textbook_check(with_penalty, params).relative_error < 1e-7
    assert textbook_check(with_penalty, params, gradient=jax.grad(cost)).relative_error > 1e-3


def test_gc_14_masks_must_not_change_between_calls():
    random = np.random.default_rng(2)
    x, w = random.normal(size=(2, 9))

    def error(mask):
        differences = finite_difference(lambda w: float(np.sum(np.tanh(w * x * mask()))), w)
        kept = x * mask()
        return relative_difference(differences, kept / np.cosh(w * kept) ** 2)

    def draw():
        return (random.random(9) < 0.8) / 0.8

    fixed = draw()
    assert error(draw) == pytest.approx(1.0, abs=1e-3)
    assert error(lambda: fixed) < 1e-7
    assert error(lambda: 1.0) < 1e-7


def test_gc_15_a_slope_taken_as_one_hides_near_the_start():
    def slope_as_one(p):
        hidden = jnp.tanh(X @ p["w1"] + p["b1"][None])
        error = 2 * (hidden @ p["w2"] - 1) / len(X)
        back = error @ p["w2"].T  # times 1 - hidden^2, which is nearly 1 for small weights
        return {"w1": X.T @ back, "b1": back.sum(axis=0), "w2": hidden.T @ error}

    assert textbook_check(cost, weights(1e-3), gradient=slope_as_one).verdict == "pass"
    assert textbook_check(cost, weights(1.0), gradient=slope_as_one).relative_error > 0.1


@pytest.mark.parametrize("checker", [textbook_check, check_gradients, finite_difference])
def test_gc_16_parameters_are_float64_inside_the_check(checker):
    seen = set()

    def function(x):
        seen.add(jnp.result_type(x))
        return jnp.sum(jnp.sin(x))

    checker(function, jnp.ones(2, jnp.float32))
    assert seen == {np.dtype(np.float64)}
