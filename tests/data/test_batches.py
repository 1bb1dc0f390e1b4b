"""Batches: oracles GD-04, GD-07 to GD-09, GD-11, GD-19, GD-20, and what is refused."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_dl.data import (
    epoch_batches,
    estimate_batch_bytes,
    iid_batches,
    num_batches,
    ordered_batches,
    suggest_batch_size,
)


@pytest.mark.parametrize(
    ("m", "size", "full", "dropped"),
    [(5_000_000, 1000, 5000, 5000), (1797, 64, 29, 28), (7, 7, 1, 1), (7, 1, 7, 7), (8, 7, 2, 1)],
)
def test_gd_09_number_of_updates_in_an_epoch(m, size, full, dropped):
    assert num_batches(m, size) == full
    assert num_batches(m, size, drop_last=True) == dropped


def test_gd_09_the_last_batch_of_the_digits_has_five_rows(key):
    assert epoch_batches(key, 1797, 64).mask.sum(axis=1)[-1] == 5


@pytest.mark.parametrize(
    ("m", "size"), [(1, 1), (7, 1), (7, 2), (7, 6), (7, 7), (64, 8), (65, 8), (1797, 64)]
)
def test_gd_11_each_example_comes_exactly_once_per_epoch(m, size, key):
    batches = epoch_batches(key, m, size)
    seen = np.asarray(batches.indices)[np.asarray(batches.mask)]
    np.testing.assert_array_equal(np.sort(seen), np.arange(m))


def test_padding_sits_at_the_end_and_points_to_row_zero(key):
    batches = epoch_batches(key, 10, 4)
    assert batches.mask.tolist() == [[True] * 4, [True] * 4, [True, True, False, False]]
    assert batches.indices[2, 2:].tolist() == [0, 0]


def test_drop_last_keeps_full_batches_only(key):
    batches = epoch_batches(key, 10, 4, drop_last=True)
    assert batches.indices.shape == (2, 4) and batches.mask.all()
    assert len(set(batches.indices.ravel().tolist())) == 8


def test_gd_20_two_epochs_differ_in_order_but_not_in_content(key):
    one, other = (epoch_batches(jax.random.fold_in(key, e), 64, 8).indices for e in (0, 1))
    assert (one != other).any()
    assert sorted(one.ravel().tolist()) == sorted(other.ravel().tolist())


def test_gd_20_the_same_key_gives_the_same_order(key):
    chex.assert_trees_all_equal(epoch_batches(key, 64, 8), epoch_batches(key, 64, 8))


@pytest.mark.parametrize("draw", [epoch_batches, iid_batches])
def test_batches_are_the_same_compiled_and_keep_their_dtypes(draw, key):
    compiled = jax.jit(draw, static_argnums=(1, 2))(key, 10, 4)
    chex.assert_trees_all_equal(compiled, draw(key, 10, 4))
    assert (compiled.indices.dtype, compiled.mask.dtype) == (jnp.int32, jnp.bool_)


@pytest.mark.parametrize("draw", [epoch_batches, iid_batches])
def test_indices_stay_int32_in_the_x64_scope(draw, x64):
    assert draw(jax.random.key(0), 10, 4).indices.dtype == jnp.int32


def test_the_order_is_the_same_in_the_x64_scope(x64):
    inside = epoch_batches(jax.random.key(0), 1000, 64).indices
    with jax.enable_x64(False):
        outside = epoch_batches(jax.random.key(0), 1000, 64).indices
    np.testing.assert_array_equal(inside, outside)


def test_epochs_can_be_made_inside_a_scan(key):
    def epoch(carry, index):
        batches = epoch_batches(jax.random.fold_in(key, index), 10, 4)
        return carry + jnp.sum(
            batches.indices, where=batches.mask, dtype=jnp.int32
        ), batches.indices

    total, orders = jax.lax.scan(epoch, jnp.int32(0), jnp.arange(3))
    assert total == 3 * 45 and orders.shape == (3, 3, 4)


def test_the_traced_program_does_not_grow_with_the_number_of_batches(key):
    def equations(m):
        return len(jax.make_jaxpr(lambda k: epoch_batches(k, m, 4))(key).eqns)

    assert equations(10_001) <= equations(11) + 2


def test_every_example_is_equally_likely_in_the_first_place():
    keys = jax.random.split(jax.random.key(5), 2000)
    first = jax.vmap(lambda k: epoch_batches(k, 5, 2).indices[0, 0])(keys)
    # 2000 draws of probability 1/5: standard deviation 17.9.
    assert np.abs(np.bincount(first, minlength=5) - 400).max() < 4.5 * 17.9


def test_ordered_batches_keep_the_order_and_pad_the_end():
    batches = ordered_batches(5, 3)
    assert batches.indices.tolist() == [[0, 1, 2], [3, 4, 0]]
    assert batches.mask.tolist() == [[True, True, True], [True, True, False]]


def test_ordered_batches_take_a_batch_larger_than_the_data():
    batches = ordered_batches(2, 4)
    assert batches.indices.tolist() == [[0, 1, 0, 0]]
    assert batches.mask.tolist() == [[True, True, False, False]]


def test_gd_19_independent_draws_repeat_examples_as_theory_says(key):
    distinct = [
        len(np.unique(iid_batches(k, 1000, 1000).indices)) / 1000 for k in jax.random.split(key, 20)
    ]
    # The distinct share has standard deviation 0.0098 for one batch, 0.0022 for the mean of 20.
    assert abs(np.mean(distinct) - 0.632) < 4.5 * 0.0022


def test_gd_19_shuffling_repeats_none(key):
    assert len(np.unique(epoch_batches(key, 1000, 1000).indices)) == 1000


def test_independent_draws_fill_every_batch(key):
    batches = iid_batches(key, 10, 4)
    assert batches.indices.shape == (3, 4) and batches.mask.all()
    assert (batches.indices >= 0).all() and (batches.indices < 10).all()


@pytest.mark.parametrize(
    "call",
    [
        lambda m, b: epoch_batches(jax.random.key(0), m, b),
        lambda m, b: iid_batches(jax.random.key(0), m, b),
        num_batches,
    ],
)
def test_a_batch_larger_than_the_data_is_refused(call):
    with pytest.raises(ValueError, match="must not exceed the data, got 11 for 10 examples"):
        call(10, 11)


@pytest.mark.parametrize("bad", [0, -1])
def test_batches_without_rows_are_refused(bad, key):
    with pytest.raises(ValueError, match="`batch_size` must be at least 1"):
        epoch_batches(key, 10, bad)


@pytest.mark.parametrize("bad", [2.0, "2", True])
def test_a_batch_size_that_is_no_integer_is_refused(bad, key):
    with pytest.raises(TypeError, match="`batch_size` must be an integer"):
        epoch_batches(key, 10, bad)


def test_no_examples_are_refused(key):
    with pytest.raises(ValueError, match="`m` must be at least 1"):
        epoch_batches(key, 0, 1)


@pytest.mark.parametrize(("m", "expected"), [(1, 1), (1797, 1797), (2000, 2000), (2001, 64)])
def test_gd_04_up_to_2000_examples_the_batch_is_the_whole_set(m, expected):
    assert suggest_batch_size(m) == expected


def test_gd_07_above_2000_the_suggestion_is_a_typical_size_and_grows():
    suggested = [suggest_batch_size(m) for m in (2001, 15_000, 30_000, 60_000, 10**7)]
    assert suggested == [64, 128, 256, 512, 512]


def test_gd_08_memory_of_a_batch():
    assert estimate_batch_bytes(jax.ShapeDtypeStruct((1797, 64), jnp.float32), 256) == 65_536


def test_memory_counts_every_array_in_its_own_dtype():
    data = {"x": np.zeros((9, 3, 5), np.uint8), "y": np.zeros(9, np.float64)}
    assert estimate_batch_bytes(data, 10) == 10 * (15 + 8)


def test_memory_of_a_scalar_is_refused():
    with pytest.raises(ValueError, match="arrays must have axes"):
        estimate_batch_bytes({"x": np.float32(1)}, 2)
