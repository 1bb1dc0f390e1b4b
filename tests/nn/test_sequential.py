"""Composition: names, shapes, keys, scopes, and where an error arose."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_dl import nn
from jaxopt_dl._core.errors import is_traced
from jaxopt_dl._core.trees import leaves_with_paths


def paths(tree) -> list[str]:
    return [path for path, _ in leaves_with_paths(tree)]


def apply(layer, params, state, x, **options):
    return layer.apply(params, state, x, training=False, **options)


def test_it_is_the_composition_of_its_layers(key):
    layers = [nn.dense(5), nn.lift(nn.tanh), nn.dense(3)]
    model = nn.sequential(*layers)
    params, state = model.init(key, (4,))
    x = jax.random.normal(key, (6, 4))
    hidden, _ = apply(layers[0], params["00_dense"], {}, x)
    expected, _ = apply(layers[2], params["02_dense"], {}, jnp.tanh(hidden))
    np.testing.assert_array_equal(apply(model, params, state, x)[0], expected)


def test_paths_show_place_and_kind_or_the_given_name(key):
    block = nn.sequential(nn.dense(4, use_bias=False), nn.batch_norm(), name="block")
    model = nn.sequential(block, nn.lift(nn.relu), nn.dense(2), nn.dense(2, name="head"))
    params, state = model.init(key, (3,))
    assert paths(params) == [
        "02_dense/bias",
        "02_dense/kernel",
        "block/00_dense/kernel",
        "block/01_batch_norm/bias",
        "block/01_batch_norm/scale",
        "head/bias",
        "head/kernel",
    ]
    assert paths(state) == ["block/01_batch_norm/mean", "block/01_batch_norm/var"]


def test_layers_without_params_or_state_are_left_out(key):
    model = nn.sequential(nn.lift(nn.relu), nn.dropout(keep_prob=0.5))
    assert model.init(key, (3,)) == ({}, {})


def test_shapes_follow_from_layer_to_layer(key):
    flatten = nn.lift(lambda x: x.reshape(x.shape[0], -1))
    params, _ = nn.sequential(nn.dense(5), flatten, nn.dense(2)).init(key, (3, 4))
    assert params["00_dense"]["kernel"].shape == (4, 5)
    assert params["02_dense"]["kernel"].shape == (15, 2)


def test_dtypes_follow_from_layer_to_layer(key):
    halve = nn.lift(lambda x: x.astype(jnp.bfloat16))
    params, _ = nn.sequential(halve, nn.dense(2)).init(key, (3,))
    assert params["01_dense"]["kernel"].dtype == jnp.bfloat16


def test_init_computes_no_forward_pass(key):
    def must_be_traced(x):
        assert is_traced(x)
        return x

    nn.sequential(nn.lift(must_be_traced)).init(key, (3,))


def test_equal_layers_start_from_different_keys(key):
    params, _ = nn.sequential(nn.dense(4), nn.dense(4)).init(key, (4,))
    assert not np.array_equal(params["00_dense"]["kernel"], params["01_dense"]["kernel"])


def test_child_i_gets_the_key_with_i_folded_in(key):
    first, second = nn.dropout(keep_prob=0.5), nn.dropout(keep_prob=0.8)
    x = jnp.ones((4, 10))
    y, _ = nn.sequential(first, second).apply({}, {}, x, training=True, key=key)
    for index, layer in enumerate((first, second)):
        own = jax.random.fold_in(key, index)
        x, _ = layer.apply({}, {}, x, training=True, key=own)
    np.testing.assert_array_equal(y, x)


def test_the_mask_reaches_nested_layers(key):
    inner = nn.sequential(nn.batch_norm(decay=0.0), name="inner")
    model = nn.sequential(nn.lift(nn.relu), inner)
    params, state = model.init(key, (1,))
    x = jnp.array([[1.0], [3.0], [100.0]])
    mask = jnp.array([True, True, False])
    _, state = model.apply(params, state, x, training=True, mask=mask)
    np.testing.assert_allclose(state["inner"]["00_batch_norm"]["mean"], [2.0])


def test_each_layer_works_under_its_name_in_the_program(key):
    inner = nn.sequential(nn.dense(2, name="head"), name="trunk")
    model = nn.sequential(inner)
    params, state = model.init(key, (3,))
    text = jax.jit(lambda x: apply(model, params, state, x)[0]).lower(jnp.ones((2, 3)))
    assert "trunk/head" in text.as_text(debug_info=True)


def test_the_state_given_is_not_changed_in_place(key):
    model = nn.sequential(nn.batch_norm())
    params, state = model.init(key, (2,))
    before = jax.tree.map(np.asarray, state)
    model.apply(params, state, jnp.array([[1.0, 2.0], [3.0, 5.0]]), training=True)
    chex.assert_trees_all_equal(before, state)


def test_an_error_in_a_nested_layer_begins_with_its_path(key):
    inner = nn.sequential(nn.lift(nn.relu), nn.dropout(keep_prob=0.5), name="trunk")
    model = nn.sequential(nn.dense(3), inner)
    params, state = model.init(key, (2,))
    with pytest.raises(ValueError, match=r"^in layer trunk/01_dropout: dropout: training needs"):
        model.apply(params, state, jnp.ones((4, 2)), training=True)


def test_an_error_at_init_begins_with_its_path(key):
    model = nn.sequential(nn.lift(lambda x: (x > 0).astype(jnp.int32)), nn.dense(2))
    with pytest.raises(TypeError, match=r"^in layer 01_dense: dense: `spec` must hold floating"):
        model.init(key, (3,))


def test_an_error_in_a_users_function_is_located_and_keeps_its_class(key):
    class Complaint(ValueError):
        pass

    def broken(x):
        raise Complaint("no")

    with pytest.raises(Complaint, match=r"^in layer 01_broken: no"):
        nn.sequential(nn.dense(2), nn.lift(broken)).init(key, (3,))


def test_a_layer_that_loses_the_batch_axis_is_found_at_init(key):
    merge = nn.lift(lambda x: x.reshape(-1), name="merge")
    with pytest.raises(ValueError, match=r"in layer merge: .* must keep the batch axis"):
        nn.sequential(merge).init(key, (3,))


def test_features_that_do_not_match_are_named_with_the_layer(key):
    model = nn.sequential(nn.dense(3))
    params, state = model.init(key, (4,))
    with pytest.raises(ValueError, match=r"in layer 00_dense: .* size 4.*got shape \(2, 5\)"):
        apply(model, params, state, jnp.ones((2, 5)))


def test_a_plain_function_raises_and_says_to_wrap_it():
    with pytest.raises(TypeError, match=r"got relu \(function\) at place 1. Wrap .* `nn.lift`"):
        nn.sequential(nn.dense(2), nn.relu)  # pyright: ignore[reportArgumentType]


def test_a_list_of_layers_raises_and_says_to_unpack_it():
    with pytest.raises(TypeError, match=r"Unpack it: `sequential\(\*layers\)`"):
        nn.sequential([nn.dense(2)])  # pyright: ignore[reportArgumentType]


def test_no_layers_raise():
    with pytest.raises(ValueError, match="at least one layer"):
        nn.sequential()


@pytest.mark.parametrize("second", ["head", "00_dense"])
def test_a_name_that_occurs_twice_raises(second):
    first = nn.dense(2) if second == "00_dense" else nn.dense(2, name="head")
    with pytest.raises(ValueError, match=f"got '{second}' twice"):
        nn.sequential(first, nn.dense(2, name=second))


@pytest.mark.parametrize("name", ["", "a/b", 3])
def test_unusable_names_raise(name):
    with pytest.raises(ValueError, match="non-empty text without slashes"):
        nn.sequential(nn.dense(2, name=name))


def test_parameters_of_another_network_raise(key):
    params, state = nn.sequential(nn.dense(2, name="tail")).init(key, (3,))
    with pytest.raises(ValueError, match="may hold only: head, got 'tail'"):
        apply(nn.sequential(nn.dense(2, name="head")), params, state, jnp.ones((1, 3)))


def test_missing_parameters_raise_with_the_path(key):
    with pytest.raises(ValueError, match=r"in layer head: .* got an empty one"):
        apply(nn.sequential(nn.dense(2, name="head")), {}, {}, jnp.ones((1, 3)))
