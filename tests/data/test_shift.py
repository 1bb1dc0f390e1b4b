"""Shifts between two sets: oracle DATA-08."""

import jax
import numpy as np
import pytest

from jaxopt_dl.data import distribution_shift, load_bundled, split

RANDOM = np.random.default_rng(0)


def reference(a, b):
    """One feature, written with the library's formulas spelled out."""
    a, b = (np.asarray(v, np.float64) for v in (a, b))
    squares = [(v - v.mean()) ** 2 for v in (a, b)]
    mean = (b.mean() - a.mean()) / np.hypot(*(v.std(ddof=1) / len(v) ** 0.5 for v in (a, b)))
    spread = np.hypot(*(s.std(ddof=1) / len(s) ** 0.5 for s in squares))
    return mean, (squares[1].mean() - squares[0].mean()) / spread


def test_differences_are_in_units_of_their_standard_errors():
    a, b = RANDOM.gamma(2.0, size=(50, 3)), RANDOM.gamma(3.0, size=(30, 3))
    shift = distribution_shift(a, b)
    expected = [reference(a[:, j], b[:, j]) for j in range(3)]
    np.testing.assert_allclose(np.stack([shift.mean, shift.variance], axis=1), expected, rtol=1e-6)


def test_data_08_sets_from_one_shuffled_pool_stay_below_four_and_a_half():
    x = load_bundled("digits").x
    for seed in range(5):
        _, dev, test = split(jax.random.key(seed), len(x), (0.6, 0.2, 0.2))
        assert distribution_shift(x[dev], x[test]).largest < 4.5


def test_data_08_a_shift_by_one_standard_deviation_is_far_beyond():
    dev, test = RANDOM.normal(size=(2, 360, 64))
    assert distribution_shift(dev, test).largest < 4.5
    test[:, 40] += 1
    shift = distribution_shift(dev, test)
    assert shift.feature == (40,)
    assert shift.largest == pytest.approx(13.4, abs=3)  # sqrt(360 / 2)


def test_another_spread_about_the_same_mean_is_seen():
    dev, test = RANDOM.normal(size=(2, 360, 64))
    test[:, 7] *= 2
    shift = distribution_shift(dev, test)
    assert shift.feature == (7,) and shift.largest > 8
    assert abs(shift.mean).max() < 4.5


def test_under_no_shift_the_differences_are_standard_normal():
    a, b = RANDOM.normal(size=(2, 200, 5000))
    shift = distribution_shift(a, b)
    for differences in (shift.mean, shift.variance):
        assert differences.std() == pytest.approx(1.0, abs=0.05)
        assert abs(differences.mean()) < 4.5 / 5000**0.5


def test_pictures_are_compared_pixel_by_pixel():
    dev, test = RANDOM.normal(size=(2, 40, 9, 10))
    test[:, 2, 8] += 5
    shift = distribution_shift(dev, test)
    assert shift.mean.shape == (9, 10) and shift.feature == (2, 8)


def test_a_feature_that_is_one_constant_differs_by_nothing():
    shift = distribution_shift(np.full((7, 1), 0.1), np.full((9, 1), 0.1))
    assert (shift.mean[0], shift.variance[0], shift.largest) == (0.0, 0.0, 0.0)


def test_a_feature_that_is_another_constant_differs_infinitely():
    shift = distribution_shift(np.full((7, 1), 0.1), np.full((9, 1), -0.2))
    assert (shift.mean[0], shift.variance[0], shift.largest) == (-np.inf, 0.0, np.inf)


def test_a_feature_that_varies_once_in_one_set_is_no_alarm():
    a, b = np.zeros((300, 1)), np.zeros((300, 1))
    b[5] = 9.0
    shift = distribution_shift(a, b)
    np.testing.assert_allclose([shift.mean, shift.variance], 1.0, rtol=0.01)


def test_small_spreads_about_large_means_are_kept():
    x = 1e9 + np.arange(10.0).reshape(10, 1)
    np.testing.assert_allclose(
        distribution_shift(x, x + 3).mean, distribution_shift(x - 1e9, x - 1e9 + 3).mean
    )


@pytest.mark.parametrize("shape", [(5,), (1, 3), (0, 3), (3, 0)])
def test_sets_without_two_rows_of_features_are_refused(shape):
    with pytest.raises(ValueError, match=r"`b` must be \(n, features\)"):
        distribution_shift(np.ones((5, 3)), np.ones(shape))


def test_other_features_are_refused():
    with pytest.raises(ValueError, match="same shape"):
        distribution_shift(np.ones((5, 3)), np.ones((5, 2)))


def test_nan_is_refused():
    with pytest.raises(ValueError, match="`a` must be finite"):
        distribution_shift(np.full((5, 3), np.nan), np.ones((5, 3)))
