"""Rounding errors measured by shaking every operation, against what is known about them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_dl.gradcheck import _shaken, check_gradients
from jaxopt_dl.gradcheck._shaken import Shaken

UNIT = 2.0**-53


@pytest.fixture(autouse=True)
def in_float64():
    with jax.enable_x64(True):
        yield


def spread(function, point, roundoff=UNIT):
    return Shaken(function, roundoff).spread(np.asarray(point))


def test_cancellation_is_seen_where_neighbors_have_equal_values():
    point = np.array([1e-5])
    error = spread(lambda x: jnp.sum((1 - jnp.cos(x)) / x**2), point)
    assert 0.1 * UNIT / 1e-10 < error < 10 * UNIT / 1e-10


def test_a_sum_of_cancelling_terms_has_the_error_of_its_terms():
    error = spread(jnp.sum, [1e8, -1e8, 1.0])
    assert 0.1 * UNIT * 1e8 < error < 10 * UNIT * 1e8


def test_operations_that_round_nothing_are_exact():
    error = spread(lambda x: jnp.max(jax.nn.relu(-x).reshape(2, 2)), [1.0, -2.0, 3.0, 0.3])
    assert error == 0


def test_the_error_of_a_stable_formula_is_a_rounding_error():
    error = spread(lambda x: jnp.sum(jnp.tanh(x)), [0.3, -2.0, 1.5])
    assert 0 < error < 4 * UNIT


def test_float32_inside_has_errors_of_its_own_size():
    error = spread(lambda x: jnp.sum(jnp.sin(x.astype(np.float32))), [0.7], 2.0**-24)
    assert 0.05 * 2.0**-24 < error < 4 * 2.0**-24


def test_bodies_of_loops_and_branches_are_shaken_too():
    def loss(x):
        swung = jax.lax.scan(lambda carry, _: (carry + 1e6 - 1e6, None), x, None, length=3)[0]
        return jax.lax.cond(x > 0, lambda v: (v + 1e9) - 1e9, lambda v: v, swung)

    assert spread(lambda x: loss(x[0]), [0.3]) > 0.1 * UNIT * 1e9
    assert UNIT * 1e5 < spread(lambda x: loss(x[0]), [-0.3]) < UNIT * 1e8


@pytest.mark.parametrize(
    ("loss", "point"),
    [
        (lambda p: (1 - jnp.cos(p)) / p**2, 1e-2),
        (lambda p: (1 - jnp.cos(p)) / p**2, 1e-4),
        (lambda p: jnp.sqrt(p**2 + 1) - 1, 1e-5),
        (lambda p: (p - jnp.sin(p)) / p**3, 1e-3),
        (lambda p: (1 - p**10) / (1 - p), 1 + 1e-6),
    ],
)
def test_a_gradient_that_cancels_is_not_called_wrong(loss, point):
    assert check_gradients(loss, point).verdict == "pass"


def test_a_wrong_gradient_is_found_beside_cancellation():
    loss = lambda p: jnp.sum((1 - jnp.cos(p)) / p**2)  # noqa: E731  a formula
    wrong = lambda p: 1.01 * jax.grad(loss)(p)  # noqa: E731
    assert check_gradients(loss, np.array([0.03, 0.7]), gradient=wrong).verdict == "fail"


def test_a_point_where_something_overflows_is_left_out():
    loss = lambda p: jnp.sum(jax.nn.sigmoid(2 * p * jnp.expm1(p)))  # noqa: E731  a formula
    assert check_gradients(loss, np.array([-1400.0])).verdict == "pass"


def test_float32_values_from_the_host_are_as_rough_as_float32():
    def loss(p):
        return float(np.float32(1e4) + np.sin(p.astype(np.float32)).sum())

    assert check_gradients(loss, np.ones(2), gradient=np.cos).verdict != "fail"
    wrong = check_gradients(loss, np.ones(2), gradient=lambda p: -3 * np.cos(p))
    assert wrong.verdict == "fail"


def test_float64_data_beside_a_float32_carry_is_read_as_jax_reads_it_outside():
    rows = np.ones((4, 3))

    def loss(kernel):
        def step(hidden, row):
            return jnp.tanh(kernel @ hidden + row), None

        return jnp.sum(jax.lax.scan(step, jnp.zeros(3, np.float32), rows)[0])

    with jax.enable_x64(False):
        kernel = jnp.ones((3, 3))
        assert check_gradients(loss, kernel).verdict == "pass"


def test_a_long_program_is_shaken_as_a_short_one_is(monkeypatch):
    """It runs one operation at a time, which changes numbers and not their size."""

    def loss(x):
        return jnp.sum(jnp.exp(jnp.sin(x)) * x) / jnp.sum(x)

    at_once = spread(loss, [0.3, 1.7, -0.4])
    monkeypatch.setattr(_shaken, "LONG", 0)
    one_by_one = spread(loss, [0.3, 1.7, -0.4])
    assert 0.2 * at_once < one_by_one < 5 * at_once
