"""Lanczos and the ends of a spectrum against dense eigenvalues."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_dl import curvature


def rotated(values: np.ndarray, seed: int = 0) -> np.ndarray:
    """A symmetric matrix with these eigenvalues."""
    size = len(values)
    q, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(size, size)))
    return (q * values) @ q.T


def net(params, x):
    hidden = jnp.tanh(x @ params["first"])
    return jnp.mean((hidden @ params["second"] - jnp.sin(x[:, :1])) ** 2)


@pytest.fixture
def small_net():
    random = np.random.default_rng(3)
    shapes = {"first": (3, 8), "second": (8, 1)}
    params = {name: random.normal(size=shape).astype("f4") for name, shape in shapes.items()}
    return params, random.normal(size=(20, 3)).astype("f4")


def dense_eigenvalues(params, x) -> np.ndarray:
    with jax.enable_x64(True):
        widen = lambda leaf: jnp.asarray(np.asarray(leaf), jnp.float64)  # noqa: E731
        params, x = jax.tree.map(widen, (params, x))
        matrix = jax.jit(lambda p: curvature.hessian(net, p, args=(x,)))(params)
        return np.linalg.eigvalsh(np.asarray(matrix))


def test_extreme_eigenvalues_equal_dense_ones_to_1e8(small_net):
    params, x = small_net
    exact = dense_eigenvalues(params, x)
    found = curvature.extreme_eigenvalues(net, params, args=(x,))
    np.testing.assert_allclose([found.low, found.high], exact[[0, -1]], atol=1e-8)
    assert max(found.low_error, found.high_error) < 1e-8
    assert jnp.ones(1).dtype == jnp.float32


def test_fewer_steps_than_parameters_know_how_far_off_they_are(x64):
    values = np.concatenate([np.linspace(1.0, 2.0, 298), [-5.0, 30.0]])
    matrix = jnp.asarray(rotated(values))
    loss = lambda p: p @ matrix @ p / 2  # noqa: E731
    found = curvature.extreme_eigenvalues(loss, jnp.ones(300), steps=20)
    np.testing.assert_allclose([found.low, found.high], [-5.0, 30.0], atol=1e-8)
    rough = curvature.extreme_eigenvalues(loss, jnp.ones(300), steps=3)
    assert np.min(np.abs(values - rough.high)) <= rough.high_error
    assert rough.high_error > 1e-6


def test_after_n_steps_all_eigenvalues_are_there_multiple_ones_included(x64):
    values = np.array([-3.0, 0.0, 0.0, 0.0, 1.0, 1.0, 7.0])
    matrix = jnp.asarray(rotated(values))
    start = jnp.asarray(np.random.default_rng(1).normal(size=7))
    run = jax.jit(lambda s: curvature.lanczos(lambda v: matrix @ v, s, 7).eigenvalues())
    found, errors = run(start)
    np.testing.assert_allclose(found, values, atol=1e-12)
    np.testing.assert_array_equal(errors, 0.0)


def test_the_basis_stays_orthonormal_where_plain_lanczos_loses_it(x64):
    values = np.concatenate([np.linspace(0.0, 1e-3, 95), [1.0, 10.0, 100.0, 1e3, 1e4]])
    matrix = jnp.asarray(rotated(values))
    start = jnp.asarray(np.random.default_rng(2).normal(size=100))
    found = jax.jit(lambda s: curvature.lanczos(lambda v: matrix @ v, s, 100))(start)
    basis = np.asarray(found.basis)
    np.testing.assert_allclose(basis @ basis.T, np.eye(100), atol=1e-12)
    np.testing.assert_allclose(jax.jit(type(found).eigenvalues)(found)[0], values, atol=1e-8)


def test_a_loss_without_curvature_has_eigenvalues_of_zero():
    found = curvature.extreme_eigenvalues(lambda p: jnp.sum(3 * p), jnp.ones(5))
    assert found == (0.0, 0.0, 0.0, 0.0)


def test_float32_programs_can_hold_it(small_net):
    params, x = small_net
    inside = jax.jit(lambda p: curvature.extreme_eigenvalues(net, p, args=(x,), float64=False))
    found = inside(params)
    assert found.high.dtype == jnp.float32
    np.testing.assert_allclose(found.high, dense_eigenvalues(params, x)[-1], rtol=1e-4)


def test_arguments_that_are_no_arrays_are_passed_on():
    loss = lambda p, power, scale: jnp.sum(scale["by"] * p**power)  # noqa: E731
    found = curvature.extreme_eigenvalues(
        loss, jnp.ones(2), args=(2, {"by": jnp.array([1.0, 3.0])})
    )
    np.testing.assert_allclose([found.low, found.high], [2.0, 6.0], atol=1e-12)


def test_float64_inside_a_program_is_refused():
    with pytest.raises(TypeError, match="extreme_eigenvalues: .* got tracers. Pass float64=False"):
        jax.jit(lambda p: curvature.extreme_eigenvalues(jnp.sum, p).low)(jnp.ones(2))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((3, jnp.ones(2), 1), TypeError, "`matvec` must be a function"),
        ((jnp.sin, jnp.arange(2), 1), TypeError, "`start` must hold floating-point"),
        ((jnp.sin, jnp.ones((2, 2)), 1), ValueError, r"`start` must be a vector, got shape \(2, 2"),
        ((jnp.sin, jnp.zeros(2), 1), ValueError, "`start` must not be zero"),
        ((jnp.sin, jnp.ones(2), 0), ValueError, "`steps` must be at least 1"),
        ((jnp.sin, jnp.ones(2), 3), ValueError, "`steps` must be at most 2, got 3"),
    ],
)
def test_bad_input_to_lanczos_is_refused(arguments, error, message):
    with pytest.raises(error, match=f"lanczos: {message}"):
        curvature.lanczos(*arguments)


def test_norm_05_normalizing_inputs_takes_the_condition_number_from_millions_to_one():
    random = np.random.default_rng(0)
    raw = np.stack([random.uniform(1, 1000, 500), random.uniform(0, 1, 500)], axis=1)
    normal = (raw - raw.mean(axis=0)) / raw.std(axis=0)

    def kappa(inputs: np.ndarray) -> float:
        with_bias = np.concatenate([np.ones((500, 1)), inputs], axis=1)
        return curvature.condition_number(with_bias.T @ with_bias / 500)

    np.testing.assert_allclose(kappa(raw), 6.5e6, rtol=0.01)
    np.testing.assert_allclose(kappa(normal), 1.14, atol=0.005)


def test_norm_05_descent_takes_four_steps_when_normalized_and_hundreds_of_thousands_raw():
    random = np.random.default_rng(0)
    raw = np.stack([random.uniform(1, 1000, 500), random.uniform(0, 1, 500)], axis=1)

    def excess(inputs: np.ndarray, steps: int) -> float:
        """Share of the distance, worst over starts, left after descent at 1 / largest."""
        with_bias = np.concatenate([np.ones((500, 1)), inputs], axis=1)
        values = np.linalg.eigvalsh(with_bias.T @ with_bias / 500)
        return float(np.max((1 - values / values[-1]) ** steps))

    assert excess((raw - raw.mean(axis=0)) / raw.std(axis=0), 4) < 1e-3
    assert excess(raw, 200_000) > 0.9


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (np.ones((2, 3)), r"must be square, got shape \(2, 3\)"),
        (np.array([[1.0, np.nan], [np.nan, 1.0]]), "must be finite"),
        (np.array([[1.0, 2.0], [0.0, 1.0]]), "must be symmetric"),
        (np.diag([1.0, -1.0]), "no eigenvalue may be negative, got -1"),
    ],
)
def test_a_matrix_without_condition_number_is_refused(matrix, message):
    with pytest.raises(ValueError, match=f"condition_number: .*{message}"):
        curvature.condition_number(matrix)


def test_a_singular_matrix_has_an_infinite_condition_number():
    assert curvature.condition_number(rotated(np.array([0.0, 1.0, 2.0]))) == np.inf
