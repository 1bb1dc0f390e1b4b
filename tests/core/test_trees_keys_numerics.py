"""Paths, norms, named streams and the float64 scope."""

import threading
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_dl._core import keys, numerics, trees


class Pair(NamedTuple):
    first: object
    second: object


def test_paths_read_alike_for_dicts_lists_and_named_tuples():
    tree = {"a": [jnp.ones(()), {"b": jnp.ones(())}], "c": Pair(jnp.ones(()), None)}
    assert [path for path, _ in trees.leaves_with_paths(tree)] == ["a/0", "a/1/b", "c/first"]


def test_map_with_paths_sees_paths_and_other_trees():
    tree = {"a": jnp.float32(1), "b": jnp.float32(2)}
    named = trees.map_with_paths(lambda path, x, y: f"{path}{int(x + y)}", tree, tree)
    assert named == {"a": "a2", "b": "b4"}


def test_size_counts_scalars():
    assert trees.size({"a": jnp.ones((2, 3)), "b": jnp.ones(()), "c": None}) == 7


def test_the_norm_of_half_precision_does_not_overflow():
    leaf = jnp.full((1000,), 300.0, jnp.float16)
    assert float(trees.global_norm({"a": leaf})) == pytest.approx(300 * 1000**0.5, rel=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_all_finite_sees_one_bad_entry_and_skips_keys_and_integers(bad):
    tree = {"n": jnp.arange(3), "key": jax.random.key(0), "x": jnp.ones(4)}
    assert bool(trees.all_finite(tree))
    assert not bool(trees.all_finite(tree | {"x": jnp.ones(4).at[2].set(bad)}))


def test_streams_differ_by_purpose_and_index():
    streams = keys.streams(jax.random.key(3))
    drawn = [keys.at(stream, index) for stream in streams for index in (0, 1, 3)]
    bits = {tuple(np.asarray(jax.random.key_data(key)).tolist()) for key in drawn}
    assert len(bits) == 12


def test_float64_holds_inside_and_leaves_nothing_behind():
    with numerics.float64():
        assert jnp.zeros(()).dtype == np.float64
    assert jnp.zeros(()).dtype == np.float32
    with pytest.raises(RuntimeError), numerics.float64():
        raise RuntimeError
    assert jnp.zeros(()).dtype == np.float32


def test_float64_does_not_reach_another_thread():
    seen = []
    with numerics.float64():
        other = threading.Thread(target=lambda: seen.append(jnp.zeros(()).dtype))
        other.start()
        other.join()
    assert seen == [np.dtype(np.float32)]


def test_common_dtype_mixes_under_strict_promotion(x64):
    mixed = numerics.common_dtype(jnp.zeros(2, jnp.float32), jnp.zeros(2, jnp.float64))
    assert mixed == np.float64


def test_vectors_expand_explicitly():
    assert numerics.along_last(jnp.ones(3), 4).shape == (1, 1, 1, 3)
    assert numerics.along_first(jnp.ones(3), 4).shape == (3, 1, 1, 1)


def test_a_plain_tuple_is_a_float32_spec():
    assert numerics.as_spec((4, 2)) == jax.ShapeDtypeStruct((4, 2), jnp.float32)
    double = jax.ShapeDtypeStruct((4,), np.float64)
    assert numerics.as_spec(double) == double


def test_a_row_of_weight_zero_does_not_count_even_if_nan():
    values = jnp.array([1.0, jnp.nan, 4.0])
    mean, total = numerics.weighted_mean(values, jnp.array([1.0, 0.0, 3.0]))
    chex.assert_trees_all_close((mean, total), (jnp.float32(13 / 4), jnp.float32(4)))


def test_no_weight_at_all_gives_zero():
    mean, total = numerics.weighted_mean(jnp.ones(3), jnp.zeros(3))
    assert (float(mean), float(total)) == (0.0, 0.0)


def test_gd_12_means_weighted_by_batch_size_give_the_mean_of_all():
    """Values 0..9 in batches of 4, 4, 2: weighted 4.5, unweighted 5.1667 (wrong)."""
    batches = [jnp.arange(0.0, 4.0), jnp.arange(4.0, 8.0), jnp.arange(8.0, 10.0)]
    pairs = [numerics.weighted_mean(b, jnp.ones_like(b)) for b in batches]
    means, weights = (jnp.stack(column) for column in zip(*pairs, strict=True))
    assert float(numerics.weighted_mean(means, weights)[0]) == pytest.approx(4.5)
    assert float(jnp.mean(means)) == pytest.approx(5.1667, abs=1e-4)


@pytest.mark.parametrize(
    ("path", "ndim", "expected"),
    [
        ("first/kernel", 2, True),
        ("attention/value/kernel", 3, True),
        ("attention/value/bias", 2, False),
        ("layers/0/weight", 2, True),
        ("conv/weight", 4, True),
        ("cell/weight_hh", 2, True),
        ("norm/weight", 1, False),
        ("conv/bias", 3, False),
    ],
)
def test_the_kernels_of_nnx_and_equinox_are_known_by_their_paths_and_axes(path, ndim, expected):
    assert trees.is_kernel(path, ndim) == expected


def test_recurrent_kernels_are_weights_too():
    paths = ["00_rnn/kernel", "00_rnn/recurrent_kernel", "00_rnn/bias", "01_batch_norm/scale"]
    assert [trees.is_kernel(path) for path in paths] == [True, True, False, False]
