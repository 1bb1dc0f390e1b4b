"""What every layer must satisfy, one test per demand, over the table of layers."""

import contextlib

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.contracts.layer_cases import LAYERS, LayerCase

pytestmark = pytest.mark.parametrize("case", LAYERS, ids=lambda case: case.name)

DTYPES = {"bfloat16": jnp.bfloat16, "float32": jnp.float32, "float64": jnp.float64}
BATCH = 6


def scope(dtype: str):
    return jax.enable_x64(True) if dtype == "float64" else contextlib.nullcontext()


def made(case: LayerCase, key: jax.Array, dtype=jnp.float32):
    """A layer with its parameters, state and a batch for it."""
    layer = case.factory()
    params, state = layer.init(key, jax.ShapeDtypeStruct(case.spec, dtype))
    x = jax.random.normal(jax.random.fold_in(key, 1), (BATCH, *case.spec)).astype(dtype)
    return layer, params, state, x


def train(layer, params, state, x, key, mask=None):
    return layer.apply(params, state, x, training=True, key=key, mask=mask)


def test_the_shape_predicted_by_tracing_is_the_shape_computed(case, key):
    layer, params, state, x = made(case, key)
    predicted = jax.eval_shape(
        lambda *args: layer.apply(*args, training=False)[0], params, state, x
    )
    y, _ = layer.apply(params, state, x, training=False)
    assert (y.shape, y.dtype) == (predicted.shape, predicted.dtype)
    assert y.shape[0] == BATCH


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("training", [True, False])
def test_the_dtype_that_goes_in_comes_out(case, key, dtype, training):
    with scope(dtype):
        layer = case.factory()
        spec = jax.ShapeDtypeStruct(case.spec, DTYPES[dtype])
        params, state = jax.eval_shape(lambda key: layer.init(key, spec), key)
        x = jax.ShapeDtypeStruct((BATCH, *case.spec), DTYPES[dtype])
        y, _ = jax.eval_shape(
            lambda *args: layer.apply(*args, training=training, key=key), params, state, x
        )
        assert y.dtype == DTYPES[dtype]
        assert {leaf.dtype for leaf in jax.tree.leaves(params)} <= {y.dtype}


def test_state_is_kept_in_at_least_float32(case, key):
    _, _, state, _ = made(case, key, jnp.bfloat16)
    assert {leaf.dtype for leaf in jax.tree.leaves(state)} <= {np.dtype(np.float32)}


def test_float64_input_meets_float32_parameters_in_float64(case, key, x64):
    layer, params, state, x = made(case, key, jnp.float32)
    x = x.astype(jnp.float64)
    y, new_state = jax.jit(lambda *args: train(layer, *args))(params, state, x, key)
    assert y.dtype == jnp.float64
    chex.assert_trees_all_equal_dtypes(state, new_state)


def test_compiled_and_uncompiled_agree(case, key, x64):
    layer, params, state, x = made(case, key, jnp.float64)

    def run(params, state, x):
        return train(layer, params, state, x, key)

    chex.assert_trees_all_close(
        run(params, state, x), jax.jit(run)(params, state, x), rtol=1e-12, atol=1e-13
    )


def test_vmap_over_seeds_equals_one_after_another(case, key, x64):
    layer = case.factory()
    spec = jax.ShapeDtypeStruct(case.spec, jnp.float64)
    x = jax.random.normal(key, (BATCH, *case.spec))

    def run(key):
        params, state = layer.init(key, spec)
        return train(layer, params, state, x, key)

    keys = jax.random.split(key, 3)
    single = [jax.jit(run)(one) for one in keys]
    stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *single)
    chex.assert_trees_all_close(jax.jit(jax.vmap(run))(keys), stacked, rtol=1e-10, atol=1e-12)


def test_evaluation_returns_the_state_unchanged(case, key):
    layer, params, state, x = made(case, key)
    _, state = train(layer, params, state, x, key)
    _, after = layer.apply(params, state, x, training=False)
    chex.assert_trees_all_equal(state, after)


def test_training_keeps_the_form_of_the_state(case, key):
    layer, params, state, x = made(case, key)
    _, after = train(layer, params, state, x, key)
    chex.assert_trees_all_equal_shapes_and_dtypes(state, after)


def test_three_steps_are_traced_once(case, key):
    layer, params, state, x = made(case, key)
    traces = []

    @jax.jit
    def step(params, state, x, key):
        traces.append(None)
        return train(layer, params, state, x, key)[1]

    for index in range(3):
        state = step(params, state, x + index, jax.random.fold_in(key, index))
    assert len(traces) == 1


def test_the_same_key_gives_the_same_result(case, key):
    layer, params, state, x = made(case, key)
    chex.assert_trees_all_equal(
        train(layer, params, state, x, key), train(layer, params, state, x, key)
    )


def test_only_a_layer_that_draws_depends_on_the_key(case, key):
    layer, params, state, x = made(case, key)
    first, _ = train(layer, params, state, x, key)
    # Several keys, since one may draw the same mask by chance.
    others = [train(layer, params, state, x, jax.random.fold_in(key, i))[0] for i in range(4)]
    assert case.needs_key != all(bool(jnp.array_equal(first, y)) for y in others)


def test_only_a_layer_that_draws_misses_the_key(case, key):
    layer, params, state, x = made(case, key)
    expected = pytest.raises(ValueError, match="`key`") if case.needs_key else scope("float32")
    with expected:
        train(layer, params, state, x, None)


def test_evaluation_needs_no_key_and_ignores_one(case, key):
    layer, params, state, x = made(case, key)
    without, _ = layer.apply(params, state, x, training=False)
    given, _ = layer.apply(params, state, x, training=False, key=key)
    chex.assert_trees_all_equal(without, given)


def test_evaluation_treats_rows_alone(case, key, x64):
    layer, params, state, x = made(case, key, jnp.float64)
    together, _ = layer.apply(params, state, x, training=False)
    alone = [layer.apply(params, state, row[None], training=False)[0] for row in x]
    chex.assert_trees_all_close(together, jnp.concatenate(alone), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("training", [True, False])
def test_padded_rows_change_neither_the_state_nor_the_real_rows(case, key, training, x64):
    layer, params, state, _ = made(case, key, jnp.float64)
    rows = jax.random.normal(key, (5, *case.spec)) + 2.31
    mask = jnp.arange(64) < 5

    @jax.jit
    def run(filling):
        x = jnp.concatenate([rows, jnp.full((59, *case.spec), filling)])
        y, after = layer.apply(params, state, x, training=training, key=key, mask=mask)
        return y[:5], after

    chex.assert_trees_all_equal(run(0.0), run(1e3))


def test_the_mask_makes_a_padded_batch_equal_the_real_rows_alone(case, key, x64):
    layer, params, state, _ = made(case, key, jnp.float64)
    rows = jax.random.normal(key, (5, *case.spec)) + 2.31
    padded = jnp.concatenate([rows, jnp.zeros((59, *case.spec))])
    if case.needs_key:  # a mask drawn for 64 rows is not one drawn for 5: compare the state
        _, alone = train(layer, params, state, rows, key)
        _, both = train(layer, params, state, padded, key, jnp.arange(64) < 5)
        chex.assert_trees_all_close(alone, both, rtol=1e-12)
        return
    alone = train(layer, params, state, rows, key)
    y, after = train(layer, params, state, padded, key, jnp.arange(64) < 5)
    chex.assert_trees_all_close(alone, (y[:5], after), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("dtype", DTYPES)
def test_gradients_are_finite(case, key, dtype):
    with scope(dtype):
        layer, params, state, x = made(case, key, DTYPES[dtype])

        def loss(params, x):
            return jnp.sum(jnp.square(train(layer, params, state, x, key)[0]))

        grads = jax.jit(jax.grad(loss, argnums=(0, 1)))(params, x)
        chex.assert_tree_all_finite(grads)
        assert any(bool(jnp.any(leaf != 0)) for leaf in jax.tree.leaves(grads))


def test_training_has_no_default(case, key):
    layer, params, state, x = made(case, key)
    with pytest.raises(TypeError, match="training"):
        layer.apply(params, state, x)


def test_params_and_state_are_plain_dicts(case, key):
    _, params, state, _ = made(case, key)
    assert type(params) is dict
    assert type(state) is dict
