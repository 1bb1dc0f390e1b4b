"""Parameters in a file: what goes in comes out, and nothing else ever does."""

import hashlib
import json
import os
import struct

import chex
import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from jaxopt_dl.train._params_file import load_params, save_params

TREE = {"00_dense": {"bias": np.zeros(1, np.float32), "kernel": np.float16([[1.5], [-2.0]])}}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "best.params"


@pytest.fixture
def saved(path):
    save_params(path, TREE)
    return path


def same(one, other):
    """Equal bit for bit, structure, shape and dtype included."""
    chex.assert_trees_all_equal_structs(one, other)
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        a, b = np.asarray(a), np.asarray(b)
        assert (a.shape, a.dtype, a.tobytes()) == (b.shape, b.dtype, b.tobytes())


def forged(path, records, data=b""):
    """A file with sound checksums whose header a stranger wrote."""
    header = json.dumps(records).encode()
    digest = hashlib.sha256(header).digest()
    path.write_bytes(b"\x89JODL\r\n\x01" + struct.pack("<Q", len(header)) + digest + header + data)


def record(**changes):
    plain = {"path": ["a"], "shape": [], "dtype": "uint8", "key": None, "offset": 0, "size": 1}
    return {**plain, "sha256": hashlib.sha256(b"\x07").hexdigest(), **changes}


numpy_dtypes = st.sampled_from(
    [
        np.dtype(name)
        for name in ("bool", "int8", "uint16", "int64", "float16", "float32", "float64")
    ]
    + [np.dtype(np.complex64), np.dtype(">f4"), np.dtype(ml_dtypes.bfloat16)]
)
arrays = st.builds(
    lambda shape, dtype, seed: np.random.default_rng(seed).normal(0, 9, shape).astype(dtype),
    hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3),
    numpy_dtypes,
    st.integers(0, 999),
).map(np.asarray)
names = st.text(min_size=0, max_size=4)
trees = st.recursive(
    arrays,
    lambda inner: (
        st.dictionaries(names, inner, max_size=3)
        | st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
    ),
    max_leaves=6,
)


@pytest.mark.filterwarnings("ignore::numpy.exceptions.ComplexWarning")
@settings(deadline=None, max_examples=80, suppress_health_check=list(HealthCheck))
@given(trees)
def test_any_tree_comes_back_bit_for_bit(tmp_path_factory, tree):
    path = tmp_path_factory.getbasetemp() / "any.params"
    save_params(path, tree)
    native = jax.tree.map(lambda leaf: leaf.astype(leaf.dtype.newbyteorder("=")), tree)
    same(load_params(path, like=native), native)


def test_without_a_template_containers_become_dicts_by_path(path):
    save_params(path, {"a": [np.int8(1), (np.int8(2),)], "b": {}, "c": None})
    same(load_params(path), {"a": {"0": np.int8(1), "1": {"0": np.int8(2)}}})


@pytest.mark.parametrize("tree", [np.arange(3), np.float32(2), {}])
def test_a_bare_array_and_an_empty_tree_come_back(path, tree):
    save_params(path, tree)
    same(load_params(path), tree)


def test_a_slash_in_a_name_is_no_level(path):
    tree = {"a/b": np.int8(1), "a": {"b": np.int8(2)}}
    save_params(path, tree)
    same(load_params(path), tree)


def test_float64_is_not_truncated_outside_the_x64_scope(path):
    save_params(path, {"pi": np.float64(np.pi)})
    assert load_params(path)["pi"] == np.pi


def test_jax_arrays_and_numbers_come_back_as_numpy_arrays(path):
    save_params(path, {"a": jnp.ones((2, 3), jnp.bfloat16), "b": 1.5, "c": 3})
    same(
        load_params(path),
        {"a": np.ones((2, 3), jnp.bfloat16), "b": np.float64(1.5), "c": np.int64(3)},
    )


def test_loaded_arrays_can_be_written_to(saved):
    load_params(saved)["00_dense"]["bias"] += 1


def test_arrays_that_are_views_are_saved_as_they_read(path):
    values = np.arange(24.0).reshape(4, 6)[::2, ::-3].T
    save_params(path, values)
    same(load_params(path), np.ascontiguousarray(values))


@pytest.mark.parametrize("impl", ["threefry2x32", "rbg"])
def test_typed_keys_come_back_as_keys_that_draw_the_same(path, impl):
    keys = jax.random.split(jax.random.key(7, impl=impl), 3)
    save_params(path, {"keys": keys})
    loaded = load_params(path, like={"keys": jax.eval_shape(lambda: keys)})["keys"]
    assert loaded.dtype == keys.dtype
    assert jax.random.uniform(loaded[1]) == jax.random.uniform(keys[1])


def test_a_template_of_shapes_is_enough(saved):
    same(load_params(saved, like=jax.eval_shape(lambda: jax.tree.map(jnp.asarray, TREE))), TREE)


@pytest.mark.parametrize(
    ("like", "message"),
    [
        ({"00_dense": {"bias": np.zeros(1, np.float32)}}, "`00_dense/kernel` is only in the file"),
        ({**TREE, "head": np.zeros(3)}, "`head` is missing in the file"),
        (
            {"00_dense": {**TREE["00_dense"], "bias": np.zeros(2, np.float32)}},
            r"`00_dense/bias` is float32 \(1,\) in the file and float32 \(2,\) in `like`",
        ),
        (
            {"00_dense": {**TREE["00_dense"], "bias": np.zeros(1)}},
            r"float32 \(1,\) in the file and float64 \(1,\)",
        ),
    ],
)
def test_another_template_is_refused_with_the_difference(saved, like, message):
    with pytest.raises(ValueError, match=message):
        load_params(saved, like=like)


def test_many_differences_are_counted(path):
    save_params(path, {f"{i:02}": np.int8(i) for i in range(11)})
    with pytest.raises(ValueError, match="`07` is only in the file; and 3 more"):
        load_params(path, like={})


def test_a_key_is_not_its_numbers(path):
    save_params(path, jax.random.key(0))
    with pytest.raises(ValueError, match=r"key<fry> \(\) in the file and uint32 \(2,\)"):
        load_params(path, like=np.zeros(2, np.uint32))


@pytest.mark.parametrize("leaf", ["text", object(), np.array([None]), np.datetime64("2020-01-01")])
def test_what_is_no_array_of_numbers_is_refused_before_anything_is_written(path, leaf):
    with pytest.raises(TypeError, match="leaf `b/0` must be an array of numbers, got dtype"):
        save_params(path, {"a": np.ones(3), "b": [leaf]})
    assert list(path.parent.iterdir()) == []


def test_tracers_are_refused(path):
    with pytest.raises(TypeError, match=r"leaf `w` .* got a tracer"):
        jax.jit(lambda w: save_params(path, {"w": w}))(1.0)


def test_every_single_flipped_bit_is_refused(saved):
    sound = saved.read_bytes()
    for position in range(len(sound)):
        for bit in range(8):
            damaged = bytearray(sound)
            damaged[position] ^= 1 << bit
            saved.write_bytes(damaged)
            with pytest.raises(ValueError, match=r"best\.params"):
                load_params(saved)


def test_a_flipped_bit_in_a_leaf_names_the_leaf(saved):
    damaged = bytearray(saved.read_bytes())
    damaged[-1] ^= 1
    saved.write_bytes(damaged)
    with pytest.raises(ValueError, match=r"checksum of leaf `00_dense/kernel` is wrong\. Restore"):
        load_params(saved)


def test_truncation_at_every_length_is_refused(saved):
    sound = saved.read_bytes()
    for length in range(len(sound)):
        saved.write_bytes(sound[:length])
        with pytest.raises(ValueError, match=r"best\.params"):
            load_params(saved)


def test_an_appended_byte_is_refused(saved):
    saved.write_bytes(saved.read_bytes() + b"\0")
    with pytest.raises(ValueError, match=r"it has .* bytes where its header says"):
        load_params(saved)


def test_a_later_version_of_the_format_is_refused_as_such(saved):
    damaged = bytearray(saved.read_bytes())
    damaged[7] = 2
    saved.write_bytes(damaged)
    with pytest.raises(ValueError, match="must have format version 1, got version 2"):
        load_params(saved)


def test_a_huge_header_is_refused_without_being_read(saved):
    damaged = bytearray(saved.read_bytes())
    damaged[8:16] = struct.pack("<Q", 2**62)
    saved.write_bytes(damaged)
    with pytest.raises(ValueError, match="does not fit"):
        load_params(saved)


def test_a_forged_header_can_be_sound(path):
    forged(path, [record()], b"\x07")
    assert load_params(path)["a"] == 7


@pytest.mark.parametrize(
    "records",
    [
        7,
        {"a": 1},
        ["a"],
        [{}],
        [record(more=1)],
        [record(path="ab", dtype="O")],
        [record(dtype="O")],
        [record(dtype="u1,u1")],
        [record(dtype=["uint8"])],
        [record(path=[1])],
        [record(path=None)],
        [record(shape=[-1, -1])],
        [record(shape=[1.0])],
        [record(shape=[2**60], size=2**60), record()],
        [record(shape=[2])],
        [record(size="1")],
        [record(offset=1)],
        [record(key="threefry2x32")],
        [record(key="os.system")],
        [record(key=7)],
        [record(sha256=None)],
    ],
)
def test_a_forged_header_is_refused(path, records):
    forged(path, records, b"\x07")
    with pytest.raises(ValueError, match=r"best\.params"):
        load_params(path)


@pytest.mark.parametrize("second", [["a"], ["a", "b"]])
def test_a_forged_header_with_one_leaf_inside_another_is_refused(path, second):
    forged(path, [record(), record(path=second, offset=1)], b"\x07\x07")
    with pytest.raises(ValueError, match="every leaf must have a path of its own, got `a` and"):
        load_params(path)


def test_two_leaves_of_one_path_are_refused(path):
    @jax.tree_util.register_pytree_with_keys_class
    class Twins:
        def tree_flatten_with_keys(self):
            name = jax.tree_util.GetAttrKey("twin")
            return ((name, np.ones(1)), (name, np.zeros(1))), None

        @classmethod
        def tree_unflatten(cls, aux, children):
            return cls()

    with pytest.raises(ValueError, match="a path of its own, got `twin` and `twin`"):
        save_params(path, Twins())


def test_a_deeply_nested_header_is_refused(path):
    header = b"[" * 100_000
    digest = hashlib.sha256(header).digest()
    path.write_bytes(b"\x89JODL\r\n\x01" + struct.pack("<Q", len(header)) + digest + header)
    with pytest.raises(ValueError, match="header does not describe leaves"):
        load_params(path)


@pytest.mark.parametrize("function", ["fsync", "replace", "open"])
def test_a_failing_save_leaves_the_previous_file_and_nothing_else(saved, monkeypatch, function):
    before = saved.read_bytes()

    def broken(*args, **kwargs):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        target = "pathlib.Path.open" if function == "open" else f"os.{function}"
        patch.setattr(target, broken)
        with pytest.raises(OSError, match="No space left"):
            save_params(saved, {"other": np.ones(1000)})
    assert saved.read_bytes() == before
    assert list(saved.parent.iterdir()) == [saved]


def test_an_interrupted_save_leaves_the_previous_file(saved, monkeypatch):
    def interrupted(descriptor):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", interrupted)
        with pytest.raises(KeyboardInterrupt):
            save_params(saved, {"other": np.ones(1000)})
    same(load_params(saved), TREE)
    assert list(saved.parent.iterdir()) == [saved]


def test_contents_reach_the_disk_before_the_name_and_the_folder_after(saved, monkeypatch):
    events = []
    sync, replace = os.fsync, os.replace

    def note(name, function):
        return lambda *args: (events.append(name), function(*args))[1]

    monkeypatch.setattr(os, "fsync", note("sync", sync))
    monkeypatch.setattr(os, "replace", note("replace", replace))
    save_params(saved, TREE)
    assert events == ["sync", "replace", "sync"]


def test_saving_through_a_link_replaces_what_it_points_to(saved):
    link = saved.with_name("latest")
    link.symlink_to(saved)
    save_params(link, {"new": np.int8(1)})
    assert link.is_symlink() and load_params(saved)["new"] == 1


def test_the_file_has_the_permissions_of_any_new_file(saved):
    other = saved.with_name("other")
    other.touch()
    assert saved.stat().st_mode == other.stat().st_mode


def test_a_missing_folder_is_refused(path):
    with pytest.raises(FileNotFoundError, match=r"the folder must exist, found no folder .*none"):
        save_params(path.parent / "none" / "best.params", TREE)


@pytest.mark.parametrize("call", [load_params, lambda path: save_params(path, TREE)])
def test_a_folder_is_refused(call, tmp_path):
    with pytest.raises(IsADirectoryError, match="must be a file, got the folder"):
        call(tmp_path)


def test_a_missing_file_is_refused(path):
    with pytest.raises(FileNotFoundError, match="the file must exist, found none at"):
        load_params(path)


def test_another_kind_of_file_is_refused(path):
    np.savez(path.with_suffix(".npz"), x=1)
    with pytest.raises(ValueError, match="must be a file of parameters, got another kind"):
        load_params(path.with_suffix(".npz"))
