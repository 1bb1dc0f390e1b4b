"""Examples that parts have in common."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxopt_dl.data import _blocks, find_duplicates, group_duplicates

NAN = float("nan")


def pairs(first, second):
    (found,) = find_duplicates({"a": first, "b": second})
    return found.pairs.tolist()


def test_every_two_parts_are_compared_in_order():
    parts = {"train": [[1, 2], [3, 4]], "dev": [[3, 4], [5, 6]], "test": [[5, 6], [1, 2]]}
    found = {(p.first, p.second): p.pairs.tolist() for p in find_duplicates(parts)}
    assert found == {
        ("train", "dev"): [[1, 0]],
        ("train", "test"): [[0, 1]],
        ("dev", "test"): [[1, 0]],
    }


def test_each_row_of_the_second_part_counts_once_with_its_first_copy():
    assert pairs([[7], [5], [5]], [[5], [6], [5]]) == [[1, 0], [1, 2]]


def test_copies_within_one_part_do_not_count():
    assert pairs([[1], [1]], [[2], [2]]) == []


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**32 - 1), st.sampled_from([np.float32, np.float64, np.uint8, np.int64]))
def test_pairs_are_those_of_comparing_every_row_with_every_row(seed, dtype):
    random = np.random.default_rng(seed)
    a, b = (random.integers(0, 3, (n, 2, 2)).astype(dtype) for n in (9, 11))
    expected = [
        [min(equal), j]
        for j in range(11)
        if (equal := [i for i in range(9) if (a[i] == b[j]).all()])
    ]
    assert pairs(a, b) == expected


def test_zeros_of_either_sign_are_equal():
    assert pairs([[0.0, 1.0]], [[-0.0, 1.0]]) == [[0, 0]]


def test_nan_is_a_copy_of_nan_whatever_its_bits():
    other = np.array([[0xFFC00001]], np.uint32).view(np.float32)
    assert np.isnan(other).all()
    assert pairs(np.array([[NAN]], np.float32), other) == [[0, 0]]


def test_numbers_that_differ_in_the_last_bit_differ():
    x = np.ones((1, 3), np.float32)
    assert pairs(x, np.nextafter(x, np.float32(2))) == []


def test_half_precision_is_compared():
    assert pairs(jnp.array([[1.5], [-0.0]], jnp.bfloat16), jnp.zeros((1, 1), jnp.bfloat16)) == [
        [1, 0]
    ]


def test_arrays_that_are_not_contiguous_and_blocks_of_few_rows_change_nothing(monkeypatch):
    monkeypatch.setattr(_blocks, "_BYTES", 100)
    a = np.random.default_rng(0).normal(size=(6, 50)).T
    assert pairs(a, a[::-7]) == [[i, j] for j, i in enumerate(range(49, -1, -7))]


def test_the_arrays_are_left_as_they_were():
    x = np.array([[-0.0, 1.0]])
    pairs(x, x)
    assert np.signbit(x[0, 0])


def test_numbers_of_equal_examples_are_equal():
    x = np.array([[0.0, NAN], [1.0, 2.0], [-0.0, NAN], [1.0, 2.5]])
    assert group_duplicates(x).tolist() == [0, 1, 0, 2]


def test_rows_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"one shape, got \(2,\) in 'a' and \(1, 2\) in 'b'"):
        pairs(np.ones((3, 2)), np.ones((3, 1, 2)))


def test_a_part_without_rows_has_nothing_in_common():
    assert pairs(np.ones((0, 2)), np.ones((3, 2))) == []


def test_other_dtypes_are_refused():
    with pytest.raises(TypeError, match="one dtype, got float64 in 'a' and float32 in 'b'"):
        pairs(np.ones((3, 2)), np.ones((3, 2), np.float32))


def test_one_part_alone_is_refused():
    with pytest.raises(ValueError, match="at least two arrays, got 1"):
        find_duplicates({"train": np.ones((3, 2))})


@pytest.mark.parametrize(
    ("x", "kind"), [(1.0, ValueError), (np.ones((3, 0)), ValueError), ([["a"]], TypeError)]
)
def test_what_has_no_rows_of_numbers_is_refused(x, kind):
    with pytest.raises(kind, match="group_duplicates: `x` must"):
        group_duplicates(x)
