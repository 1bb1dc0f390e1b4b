"""Splits that keep groups together."""

import itertools

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxopt_dl.data import group_duplicates, split
from jaxopt_dl.data._groups import deal_groups

KEY = jax.random.key(0)
THIRDS = (0.6, 0.2, 0.2)


def grouped(counts, fractions=THIRDS, key=KEY):
    """Split groups of these sizes; return the sizes of the parts and the groups in each."""
    groups = np.repeat(np.arange(len(counts)), counts)
    parts = split(key, len(groups), fractions, groups=groups)
    return [len(part) for part in parts], [set(groups[part].tolist()) for part in parts]


def off(sizes, fractions=THIRDS):
    return sum(abs(size - sum(sizes) * f) for size, f in zip(sizes, fractions, strict=True))


def test_all_examples_of_a_group_are_in_one_part():
    groups = np.random.default_rng(0).integers(0, 40, 500)
    parts = split(KEY, 500, THIRDS, groups=groups)
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(500))
    for one, other in itertools.combinations(parts, 2):
        assert not set(groups[one]) & set(groups[other])


def test_groups_of_equal_size_give_exact_sizes():
    assert grouped([10] * 50)[0] == [300, 100, 100]


def test_groups_of_one_give_the_sizes_of_a_split_without_groups():
    assert grouped([1] * 1797)[0] == [1078, 359, 360]


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(1, 30), min_size=8, max_size=12), st.randoms())
def test_sizes_cannot_be_brought_nearer_by_moving_or_exchanging_groups(counts, random):
    counts.append(sum(counts) % 3 + 1)
    total = sum(counts)
    targets = np.array([total - 2 * (total // 5), total // 5, total // 5])
    codes = np.repeat(np.arange(len(counts)), counts)
    random.shuffle(codes)
    turns = np.random.default_rng(random.randrange(99)).random((2, 64))
    part = deal_groups(codes, np.arange(len(counts)), targets, turns)
    sizes = np.bincount(part, minlength=3)
    members = [set(codes[part == index].tolist()) for index in range(3)]
    for a, b in itertools.permutations(range(3), 2):
        for leaving in members[a]:
            for change in [counts[leaving], *(counts[leaving] - counts[g] for g in members[b])]:
                moved = sizes - change * (np.arange(3) == a) + change * (np.arange(3) == b)
                assert min(moved) <= 0 or abs(moved - targets).sum() >= abs(sizes - targets).sum()


def test_sizes_are_near_with_groups_of_many_sizes():
    counts = np.random.default_rng(1).integers(1, 60, 200)
    assert off(grouped(counts)[0]) <= 2


def test_the_key_decides_and_the_same_key_decides_the_same():
    counts = list(range(20, 40))
    first, again, other = (grouped(counts, key=jax.random.key(k))[1] for k in (0, 0, 1))
    assert first == again and first != other


def test_every_group_comes_into_every_part_that_can_hold_it():
    counts = [30, 20, 10, 5, 5, 5, 5, 5, 5, 5, 3, 2]
    deals = [grouped(counts, key=jax.random.key(k)) for k in range(60)]
    for part, target in enumerate((60, 20, 20)):
        held = set().union(*(members[part] for _, members in deals))
        assert held == {group for group, count in enumerate(counts) if count <= target}
    assert all(sizes == [60, 20, 20] for sizes, _ in deals)


def test_groups_of_every_size_come_into_every_part():
    """Dev and test must not get the small groups alone."""
    counts = [40] * 20 + [5] * 160
    _, members = grouped(counts)
    large = [sum(group < 20 for group in part) for part in members]
    assert large == [12, 4, 4]


def test_groups_may_have_names():
    groups = np.array(["ann", "bob", "cid", "ann", "bob", "cid"])
    train, test = split(KEY, 6, (2 / 3, 1 / 3), groups=groups)
    assert (len(train), len(test)) == (4, 2) and len(set(groups[test])) == 1


def test_a_huge_group_is_refused_and_named():
    groups = np.array(["ann"] * 90 + ["bob", "cid"] * 5)
    with pytest.raises(ValueError, match=r"got 90 of 100 rows in group ann, others need 40"):
        split(KEY, 100, THIRDS, groups=groups)


def test_a_small_part_gets_a_group_even_if_it_is_larger_than_the_part():
    assert grouped([20] * 50, (0.98, 0.01, 0.01))[0] == [960, 20, 20]


def test_fewer_groups_than_parts_are_refused():
    with pytest.raises(ValueError, match="at least one group, got 2 for 3 parts"):
        split(KEY, 10, THIRDS, groups=np.arange(10) % 2)


def test_labels_and_groups_together_are_refused():
    with pytest.raises(ValueError, match="exclude each other"):
        split(KEY, 4, (0.5, 0.5), labels=np.arange(4), groups=np.arange(4))


def test_groups_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"`groups` must have shape \(10,\)"):
        split(KEY, 10, THIRDS, groups=np.zeros(9, int))


def test_groups_of_equal_examples_keep_copies_on_one_side():
    x = np.random.default_rng(0).integers(0, 4, (200, 2))
    train, test = split(KEY, 200, (0.7, 0.3), groups=group_duplicates(x))
    assert not set(map(tuple, x[train])) & set(map(tuple, x[test]))
