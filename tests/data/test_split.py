"""Splits: oracles DATA-01, DATA-04 to DATA-07, DATA-09, and what is refused."""

from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxopt_dl.data import split, suggest_split
from jaxopt_dl.data._split import _sizes

THIRDS = (0.6, 0.2, 0.2)
KEY = jax.random.key(0)


def sizes(parts):
    return tuple(len(part) for part in parts)


def test_data_01_sizes_of_the_digits():
    assert sizes(split(KEY, 1797, THIRDS)) == (1078, 359, 360)


def test_data_01_parts_are_disjoint_and_leave_nothing_out():
    parts = split(KEY, 1797, THIRDS)
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(1797))


def test_data_01_the_same_key_gives_the_same_split():
    for one, other in zip(split(KEY, 1797, THIRDS), split(KEY, 1797, THIRDS), strict=True):
        np.testing.assert_array_equal(one, other)


def test_another_key_gives_another_split():
    one, other = split(KEY, 1797, THIRDS)[1], split(jax.random.key(1), 1797, THIRDS)[1]
    assert set(one.tolist()) != set(other.tolist())


def test_the_split_is_the_same_in_the_x64_scope(x64):
    inside = split(KEY, 100, THIRDS)
    with jax.enable_x64(False):
        outside = split(KEY, 100, THIRDS)
    np.testing.assert_array_equal(np.concatenate(inside), np.concatenate(outside))


def test_indices_are_numpy_integers():
    part = split(KEY, 10, THIRDS)[0]
    assert isinstance(part, np.ndarray) and np.issubdtype(part.dtype, np.integer)


def test_data_09_two_parts_are_enough():
    assert sizes(split(KEY, 10, (0.8, 0.2))) == (8, 2)


@pytest.mark.parametrize(
    ("m", "expected"),
    [(10_000, (6000, 2000, 2000)), (1_000_000, (980_000, 10_000, 10_000))],
)
def test_data_04_05_suggested_sizes(m, expected):
    assert sizes(split(KEY, m, suggest_split(m))) == expected


def test_data_06_suggested_sizes_above_a_million():
    assert sizes(split(KEY, 2_000_000, suggest_split(2_000_000))) == (1_990_000, 5000, 5000)
    larger_dev = suggest_split(2_000_000, variant="larger_dev")
    assert sizes(split(KEY, 2_000_000, larger_dev)) == (1_990_000, 8000, 2000)


@pytest.mark.parametrize("variant", ["even", "larger_dev"])
def test_data_07_dev_and_test_shares_never_grow_with_the_data(variant):
    shares = [suggest_split(m, variant=variant) for m in (3, 10_000, 10_001, 10**6, 10**6 + 1)]
    for part in (1, 2):
        assert sorted((s[part] for s in shares), reverse=True) == [s[part] for s in shares]


def test_an_unknown_variant_is_refused_with_the_nearest_spelling():
    with pytest.raises(ValueError, match="Did you mean 'larger_dev'"):
        suggest_split(100, variant="larger-dev")


def test_e_01_the_literal_fractions_of_the_notes_are_refused_with_their_sum():
    with pytest.raises(ValueError, match=r"must sum to 1, got .* with sum 0\.9\."):
        split(KEY, 10_000, (0.6, 0.2, 0.1))


def test_a_sum_within_the_tolerance_is_accepted():
    assert 0.995 + 0.0025 + 0.0025 != 1.0
    split(KEY, 2000, (0.995, 0.0025, 0.0025))


def test_a_sum_beyond_the_tolerance_is_refused():
    with pytest.raises(ValueError, match="must sum to 1"):
        split(KEY, 100, (0.8, 0.2 + 2e-9))


@pytest.mark.parametrize("fractions", [(1.2, -0.2), (1.0, 0.0), (float("nan"), 1.0)])
def test_fractions_that_are_not_positive_are_refused(fractions):
    with pytest.raises(ValueError, match=r"`fractions\[\d\]` must lie in \(0, inf\)"):
        split(KEY, 10, fractions)


def test_one_fraction_is_refused():
    with pytest.raises(ValueError, match="at least two, got 1"):
        split(KEY, 10, (1.0,))


def test_an_empty_part_is_refused_and_named():
    with pytest.raises(ValueError, match=r"part 1 \(fraction 0\.01 of 10 examples\)"):
        split(KEY, 10, (0.98, 0.01, 0.01))


def test_a_number_is_not_a_key():
    with pytest.raises(TypeError, match="must be a PRNG key"):
        split(0, 10, THIRDS)  # pyright: ignore[reportArgumentType]


def test_a_share_that_floating_point_puts_below_an_integer_is_not_cut_down():
    assert int(100 * 0.29) == 28
    assert sizes(split(KEY, 100, (0.29, 0.71))) == (29, 71)


@settings(deadline=None, max_examples=100)
@given(st.integers(20, 200), st.integers(1, 9), st.integers(1, 9))
def test_sizes_follow_exact_arithmetic_with_ties_to_the_later_part(n, a, b):
    twentieths = (a, b, 20 - a - b)
    shares = [Fraction(part * n, 20) for part in twentieths]
    expected = [int(share) for share in shares]
    # Largest remainder first, among equal ones the later part.
    ranked = sorted(range(3), key=lambda part: (shares[part] % 1, part), reverse=True)
    for part in ranked[: n - sum(expected)]:
        expected[part] += 1
    assert _sizes(n, [part / 20 for part in twentieths]).tolist() == expected


def test_every_example_is_equally_likely_in_every_part():
    counts = np.zeros(20)
    for seed in range(400):
        counts[split(jax.random.key(seed), 20, (0.75, 0.25))[1]] += 1
    # 400 draws of probability 1/4: standard deviation 8.7.
    assert np.abs(counts - 100).max() < 4.5 * 8.7


def test_stratified_members_of_a_class_are_drawn_at_random():
    labels = np.repeat([0, 1], 10)
    counts = np.zeros(20)
    for seed in range(400):
        counts[split(jax.random.key(seed), 20, (0.5, 0.5), labels=labels)[1]] += 1
    assert np.abs(counts - 200).max() < 4.5 * 10


@settings(deadline=None, max_examples=60)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 8),
    st.sampled_from([(0.5, 0.5), THIRDS, (0.1, 0.2, 0.3, 0.4), (0.98, 0.01, 0.01)]),
)
def test_stratified_parts_keep_the_sizes_and_every_class_to_within_one(seed, classes, fractions):
    labels = np.random.default_rng(seed).integers(0, classes, 200)
    parts = split(KEY, 200, fractions, labels=labels)
    assert sizes(parts) == sizes(split(KEY, 200, fractions))
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(200))
    for label in np.unique(labels):
        count = int((labels == label).sum())
        for part, fraction in zip(parts, fractions, strict=True):
            assert abs((labels[part] == label).sum() - count * fraction) <= 1 + 1e-9


@pytest.mark.parametrize("labels", [["a", "b"] * 5, jnp.arange(10) % 2, np.arange(10) % 2 == 0])
def test_labels_may_be_strings_integers_or_booleans(labels):
    for part in split(KEY, 10, (0.6, 0.4), labels=labels):
        _, counts = np.unique(np.asarray(labels)[part], return_counts=True)
        assert counts.tolist() == [len(part) // 2] * 2


def test_a_class_of_one_example_is_in_one_part():
    labels = np.array([0] * 9 + [7])
    parts = split(KEY, 10, (0.6, 0.4), labels=labels)
    assert sum(9 in part for part in parts) == 1


@pytest.mark.parametrize("shape", [(9,), (10, 1), ()])
def test_labels_of_another_shape_are_refused(shape):
    with pytest.raises(ValueError, match=r"`labels` must have shape \(10,\)"):
        split(KEY, 10, THIRDS, labels=np.zeros(shape, int))


def test_regression_targets_are_refused_as_labels():
    with pytest.raises(TypeError, match="integers or strings, got dtype float64"):
        split(KEY, 10, THIRDS, labels=np.linspace(0, 1, 10))
