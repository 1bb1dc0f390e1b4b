"""The normalizer: oracles NORM-01 to NORM-04, NORM-06 and NORM-07, and what it refuses."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn import datasets

from jaxopt_dl import curvature
from jaxopt_dl.data import Normalizer, _blocks, denormalize, fit_normalizer, normalize

X = np.array([[1.0, 0.1], [2.0, 0.2], [3.0, 0.3], [4.0, 0.4]])


def test_norm_01_the_mean_is_taken_per_feature_over_the_examples():
    np.testing.assert_allclose(fit_normalizer(X).mean, [2.5, 0.25], rtol=1e-6)


def test_norm_02_the_variance_is_centered_and_divides_by_the_number_of_examples():
    np.testing.assert_allclose(fit_normalizer(X).scale ** 2, [1.25, 0.0125], rtol=1e-6)


def test_norm_02_what_the_notes_print_is_something_else():
    """E-03: the mean square without centering, and twice the value in place of its square."""
    column = X[:, 0]
    assert (column**2).mean() == 7.5
    assert ((column - column.mean()) * 2).mean() == 0.0
    assert float(fit_normalizer(X).scale[0]) ** 2 == pytest.approx(1.25)


def test_norm_03_normalized_training_data_has_the_stated_values():
    expected = [-1.341641, -0.447214, 0.447214, 1.341641]
    z = normalize(fit_normalizer(X), X)
    np.testing.assert_allclose(z, np.stack([expected, expected], axis=1), atol=2e-6)


def test_norm_04_test_rows_use_the_statistics_of_the_training_set():
    z = normalize(fit_normalizer(X), [[5.0, 0.5]])
    np.testing.assert_allclose(z, [[2.236068, 2.236068]], rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "raw", "normalized"),
    [("wine", 4.6e8, 45.5), ("diabetes", 5.2e7, 470), ("breast_cancer", 2.4e12, 1.0e5)],
)
def test_norm_06_normalizing_makes_contours_rounder_but_removes_no_correlation(
    name, raw, normalized, x64
):
    options = {"scaled": False} if name == "diabetes" else {}  # else its columns come scaled
    x = getattr(datasets, f"load_{name}")(**options).data

    def kappa(inputs):
        design = np.concatenate([inputs, np.ones((len(x), 1))], axis=1)
        return curvature.condition_number(design.T @ design / len(x))

    assert kappa(x) == pytest.approx(raw, rel=0.02)
    assert kappa(normalize(fit_normalizer(x), x)) == pytest.approx(normalized, rel=0.005)


def test_norm_07_a_constant_column_becomes_zero():
    x = [[3.0, 1.0], [3.0, 2.0], [3.0, 6.0]]
    z = normalize(fit_normalizer(x), x)
    assert z[:, 0].tolist() == [0, 0, 0] and np.isfinite(z).all()


@pytest.mark.parametrize("value", [0.1, 1e7 + 0.3, -1e-30])
def test_a_constant_whose_sum_is_rounded_still_counts_as_constant(value):
    normalizer = fit_normalizer(np.full((1000, 1), value))
    assert normalizer.scale.tolist() == [1.0]
    assert normalizer.mean.tolist() == [np.float32(value)]


def test_statistics_are_float32_by_default():
    chex.assert_trees_all_equal_dtypes(fit_normalizer(X), Normalizer(*jnp.zeros((2, 2))))


def test_statistics_of_float64_data_are_float64_inside_the_x64_scope(x64):
    normalizer = fit_normalizer(X)
    assert normalizer.scale.dtype == jnp.float64
    np.testing.assert_allclose(normalizer.scale, X.std(axis=0), rtol=1e-15)


def test_sums_do_not_lose_digits_in_float32():
    x = (1e4 + np.random.default_rng(0).normal(size=(50_000, 1))).astype(np.float32)
    exact = x.astype(np.float64)
    np.testing.assert_allclose(fit_normalizer(x).scale, exact.std(axis=0), rtol=1e-6)


@pytest.mark.parametrize("axis", [0, (0, 1), (0, 1, 2)])
def test_pieces_give_the_statistics_of_the_whole(axis, monkeypatch, x64):
    monkeypatch.setattr(_blocks, "_BYTES", 7 * 24 * 8)
    x = 5 + np.random.default_rng(0).normal(size=(40, 4, 3, 2))
    normalizer = fit_normalizer(x, axis=axis)
    np.testing.assert_allclose(normalizer.mean, x.mean(axis=axis), rtol=1e-14)
    np.testing.assert_allclose(normalizer.scale, x.std(axis=axis), rtol=1e-13)


def test_unsigned_bytes_neither_wrap_nor_stay_bytes():
    images = np.array([[0], [255], [250]], np.uint8)
    z = normalize(fit_normalizer(images), images)
    reference = (images - images.mean()) / images.std()
    np.testing.assert_allclose(z, reference, rtol=1e-5)


def test_integers_beyond_32_bits_do_not_wrap():
    x = np.array([[2**40], [2**41]], np.int64)
    np.testing.assert_allclose(normalize(fit_normalizer(x), x), [[-1.0], [1.0]])


def test_integers_that_are_jax_arrays_are_normalized():
    z = normalize(fit_normalizer(X), jnp.array([[5, 1]]))
    np.testing.assert_allclose(z, [[2.236068, 6.708204]], rtol=1e-6)


def test_images_have_statistics_per_position_by_default(key):
    x = np.asarray(jax.random.normal(key, (5, 4, 3, 2)))
    np.testing.assert_allclose(fit_normalizer(x).mean, x.mean(axis=0), atol=1e-6)


def test_images_can_have_statistics_per_channel(key):
    x = np.asarray(jax.random.normal(key, (5, 4, 3, 2)) * 3.0 + 1.0)
    normalizer = fit_normalizer(x, axis=(0, 1, 2))
    z = np.asarray(normalize(normalizer, x))
    assert normalizer.mean.shape == (2,)
    np.testing.assert_allclose(z.mean(axis=(0, 1, 2)), [0, 0], atol=1e-6)
    np.testing.assert_allclose(z.std(axis=(0, 1, 2)), [1, 1], atol=1e-6)


@pytest.mark.parametrize("axis", [1, -1, (1,), (0, 2), (1, 0), (), (0, 1, 2)])
def test_axes_that_are_not_leading_are_refused(axis):
    with pytest.raises(ValueError, match="leading axes"):
        fit_normalizer(X, axis=axis)


def test_normalize_compiles_to_the_same_numbers():
    normalizer = fit_normalizer(X)
    x = jnp.array([[5.0, -1.0], [0.0, 2.0], [7.0, 0.5]])
    chex.assert_trees_all_close(jax.jit(normalize)(normalizer, x), normalize(normalizer, x))


def test_one_example_under_vmap_is_normalized_like_many():
    normalizer = fit_normalizer(X)
    x = jnp.array([[5.0, -1.0], [0.0, 2.0], [7.0, 0.5]])
    one_by_one = jax.vmap(lambda row: normalize(normalizer, row))(x)
    chex.assert_trees_all_close(one_by_one, normalize(normalizer, x))


def test_the_gradient_is_one_over_the_scale():
    normalizer = fit_normalizer(X)
    gradient = jax.grad(lambda x: normalize(normalizer, x).sum())(jnp.ones((1, 2)))
    np.testing.assert_allclose(gradient[0], 1 / X.std(axis=0), rtol=1e-6)


def test_half_precision_keeps_its_dtype_and_is_computed_in_float32():
    x = jnp.array([[3.0, 0.25]], jnp.bfloat16)
    normalizer = fit_normalizer(X)
    z = normalize(normalizer, x)
    exact = (np.asarray(x, np.float64) - X.mean(0)) / X.std(0)
    assert z.dtype == jnp.bfloat16
    np.testing.assert_array_equal(z, exact.astype(jnp.bfloat16))


@settings(deadline=None, max_examples=30)
@given(hnp.arrays(np.float32, (4, 3), elements=st.floats(-100, 100, width=16)))
def test_denormalize_undoes_normalize(x):
    normalizer = fit_normalizer(x)
    back = denormalize(normalizer, normalize(normalizer, x))
    np.testing.assert_allclose(back, x, atol=1e-4)


@pytest.mark.parametrize("shape", [(4, 3), (4, 2, 1), (4,), (2, 4)])
@pytest.mark.parametrize("function", [normalize, denormalize])
def test_other_features_than_in_the_fit_are_refused(function, shape):
    with pytest.raises(ValueError, match=r"last axes of `x` must be \(2,\).*got shape"):
        function(fit_normalizer(X), jnp.ones(shape))


def test_nan_is_refused_with_the_number_of_rows_and_the_columns():
    x = np.ones((10, 4))
    x[3, 1] = x[7, 1] = np.nan
    x[7, 3] = np.inf
    with pytest.raises(ValueError, match=r"2 of 10 rows \(rows 3; 7\), columns 1; 3"):
        fit_normalizer(x)


@pytest.mark.parametrize("x", [np.ones((0, 3)), np.ones((3, 0)), []])
def test_empty_data_is_refused(x):
    with pytest.raises(ValueError, match="must hold examples"):
        fit_normalizer(x)


@pytest.mark.parametrize("x", [[["a"]], [[1j]], [[None]]])
def test_what_is_no_number_is_refused(x):
    with pytest.raises(TypeError, match="must hold real numbers"):
        fit_normalizer(x)


@pytest.mark.parametrize("column", [[1e9, 1e9 + 1], [1e300, -1e300], [1e-60, 2e-60], [0.0, 1e39]])
def test_a_feature_that_float32_cannot_resolve_is_refused(column):
    with pytest.raises(ValueError, match=r"resolved by float32.*for feature 1"):
        fit_normalizer(np.stack([[0.0, 1.0], column], axis=1))
