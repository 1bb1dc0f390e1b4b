"""The textbook algorithm against the register's numbers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_dl.gradcheck import finite_difference, grade, relative_difference


def test_gc_01_one_sided_worked_example():
    found = finite_difference(lambda x: x**3, 1.0, eps=0.01, mode="forward")
    assert abs(found - 3.0301) < 1e-10


def test_gc_02_two_sided_worked_example():
    assert abs(finite_difference(lambda x: x**3, 1.0, eps=0.01) - 3.0001) < 1e-10


def test_gc_04_orders_of_both_modes():
    exact = np.cos(0.7)
    for mode, order in (("forward", 1), ("central", 2)):
        errors = [
            abs(finite_difference(jnp.sin, 0.7, eps=eps, mode=mode) - exact) for eps in (1e-2, 1e-3)
        ]
        assert abs(np.log10(errors[0] / errors[1]) - order) < 0.02


def test_gc_05_at_a_kink_the_symmetric_value_exists():
    assert abs(finite_difference(lambda x: jnp.maximum(x, 0.0), 0.0) - 0.5) < 1e-12
    assert jax.grad(jax.nn.relu)(0.0) == 0.0


def test_gc_06_the_tree_keeps_its_structure():
    params = {"w": jnp.ones((2, 3)), "b": jnp.zeros(3)}
    found = finite_difference(lambda p: jnp.sum(p["w"] @ p["b"]) + jnp.sum(p["b"]), params)
    assert jax.tree.map(np.shape, found) == {"w": (2, 3), "b": (3,)}


def test_gc_07_one_entry_moves_while_the_others_stay():
    found = finite_difference(lambda x: x[0] ** 2 * x[1], jnp.array([2.0, 3.0]), eps=1e-4)
    np.testing.assert_allclose(found, [12.0, 4.0], rtol=1e-8)


@pytest.mark.parametrize(
    "function",
    [lambda x: np.sum(x**2), lambda x: float(np.sum(x**2)), lambda x: x @ x if x[0] > 0 else 0.0],
)
def test_a_function_that_jax_cannot_trace_is_called_as_it_is(function):
    np.testing.assert_allclose(finite_difference(function, np.array([1.0, 2.0])), [2, 4], rtol=1e-7)


@pytest.mark.parametrize("returned", [None, jnp.ones(2), (1.0, 2.0)])
def test_a_difference_of_anything_but_numbers_is_refused(returned):
    words = "finite_difference: the function must return one floating-point number, but it returned"
    with pytest.raises((TypeError, ValueError), match=words):
        finite_difference(lambda x: returned, 1.0)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ([3.0, 4.0], [3.0, 4.00001], 1.0e-6),
        ([1.0, 2.0], [2.0, 4.0], 1 / 3),
        ([1.0, 2.0], [-1.0, -2.0], 1.0),
        ([0.0, 0.0], [0.0, 0.0], 0.0),
        ([1e200, 0.0], [2e200, 0.0], 1 / 3),
    ],
)
def test_gc_08_relative_difference(a, b, expected):
    found = relative_difference(np.array(a), np.array(b))
    assert found == pytest.approx(expected, rel=1e-3, abs=1e-12)


def test_gc_08_runs_over_all_leaves_together():
    a = {"w": np.array([3.0]), "b": np.array([4.0])}
    b = {"w": np.array([3.0]), "b": np.array([4.00001])}
    assert relative_difference(a, b) == pytest.approx(1.0e-6, rel=1e-3)


def test_gc_08_shapes_are_not_broadcast():
    with pytest.raises(ValueError, match="same shapes"):
        relative_difference(np.ones(3), np.ones((3, 1)))


def test_gc_09_the_usual_step_is_fine_in_float64_and_useless_in_float32():
    x = np.linspace(-1, 1, 7)
    exact = 1 - np.tanh(x) ** 2

    def loss(x):
        return jnp.sum(jnp.tanh(x))

    assert relative_difference(finite_difference(loss, x), exact) < 1e-7
    coarse = finite_difference(loss, x, eps=1e-7, dtype=np.float32)
    assert relative_difference(coarse, exact) > 0.1


def test_gc_09_float32_needs_a_step():
    with pytest.raises(ValueError, match="`eps` must be given below float64"):
        finite_difference(jnp.sum, np.ones(2), dtype=np.float32)


@pytest.mark.parametrize(
    ("relative", "name"),
    [
        (1e-8, "pass"),
        (1e-7, "pass"),
        (5e-6, "check"),
        (5e-4, "suspicious"),
        (0.1, "bug"),
        (np.nan, "bug"),
    ],
)
def test_gc_10_grades(relative, name):
    assert grade(relative) == name


def test_gc_12_the_norm_hides_small_entries():
    assert relative_difference(np.array([1e3, 1e-3]), np.array([1e3, -1e-3])) == pytest.approx(
        1e-6, rel=1e-3
    )
