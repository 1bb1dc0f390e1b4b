"""What every layer must satisfy, one test per demand, over the table of layers.

Programs are compiled once per layer and shared by the tests: `init_of` and `run` are jitted with
the case as a static argument.
"""

import contextlib
import functools

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


def input_dtype(case: LayerCase, dtype):
    return jnp.int32 if case.indices else dtype


def rows_like(case: LayerCase, rows: int, dtype) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct((rows, *case.spec), input_dtype(case, dtype))


def other_rows(case: LayerCase, x, by: float = 2.31):
    """Another batch of the same form, all of its values valid."""
    return (x + 3) % case.indices if case.indices else x + by


@functools.partial(jax.jit, static_argnames=("case", "dtype"))
def init_of(key, *, case: LayerCase, dtype):
    return case.factory().init(key, jax.ShapeDtypeStruct(case.spec, input_dtype(case, dtype)))


def apply(params, state, x, key=None, mask=None, *, case: LayerCase, training: bool = True):
    return case.factory().apply(params, state, x, training=training, key=key, mask=mask)


run = jax.jit(apply, static_argnames=("case", "training"))


def made(case: LayerCase, key: jax.Array, dtype=jnp.float64, rows: int = BATCH):
    """Parameters, state and a batch for the layer of a case."""
    params, state = init_of(key, case=case, dtype=np.dtype(dtype))
    seed = int(jax.random.key_data(key)[-1])
    random, shape = np.random.default_rng(seed), (rows, *case.spec)
    x = random.integers(0, case.indices, shape) if case.indices else random.normal(size=shape)
    return params, state, jnp.asarray(x, input_dtype(case, dtype))


def test_the_shape_predicted_by_tracing_is_the_shape_computed(case, key, x64):
    params, state, x = made(case, key)
    evaluate = functools.partial(apply, case=case, training=False)
    predicted, _ = jax.eval_shape(evaluate, params, state, x)
    y, _ = run(params, state, x, case=case, training=False)
    assert (y.shape, y.dtype) == (predicted.shape, predicted.dtype)
    assert y.shape[0] == BATCH


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("training", [True, False])
def test_the_dtype_that_goes_in_comes_out(case, key, dtype, training):
    with scope(dtype):
        init = functools.partial(init_of, case=case, dtype=np.dtype(DTYPES[dtype]))
        params, state = jax.eval_shape(init, key)
        x = rows_like(case, BATCH, DTYPES[dtype])
        forward = functools.partial(apply, key=key, case=case, training=training)
        y, _ = jax.eval_shape(forward, params, state, x)
        # Indices have no dtype to keep: what comes out has that of the parameters.
        assert y.dtype == (jnp.float32 if case.indices else DTYPES[dtype])
        assert {leaf.dtype for leaf in jax.tree.leaves(params)} <= {y.dtype}


def test_state_is_kept_in_at_least_float32(case, key):
    _, state = init_of(key, case=case, dtype=np.dtype(jnp.bfloat16))
    assert {leaf.dtype for leaf in jax.tree.leaves(state)} <= {np.dtype(np.float32)}


def test_float64_input_meets_float32_parameters_in_float64(case, key, x64):
    init = functools.partial(init_of, case=case, dtype=np.dtype(np.float32))
    params, state = jax.eval_shape(init, key)
    x = rows_like(case, BATCH, jnp.float64)
    forward = functools.partial(apply, key=key, case=case)
    y, new_state = jax.eval_shape(forward, params, state, x)
    assert y.dtype == (jnp.float32 if case.indices else jnp.float64)
    chex.assert_trees_all_equal_dtypes(state, new_state)


def test_compiled_and_uncompiled_agree(case, key, x64):
    params, state, x = made(case, key)
    chex.assert_trees_all_close(
        apply(params, state, x, key, case=case),
        run(params, state, x, key, case=case),
        rtol=1e-12,
        atol=1e-13,
    )


def test_vmap_over_seeds_equals_one_after_another(case, key, x64):
    _, _, x = made(case, key)

    def from_seed(key):
        params, state = init_of(key, case=case, dtype=x.dtype)
        return run(params, state, x, key, case=case)

    keys = jax.random.split(key, 3)
    stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *map(from_seed, keys))
    together = jax.jit(jax.vmap(from_seed))(keys)
    chex.assert_trees_all_close(together, stacked, rtol=1e-10, atol=1e-12)


def test_evaluation_returns_the_state_unchanged(case, key, x64):
    params, state, x = made(case, key)
    _, state = run(params, state, x, key, case=case)
    _, after = run(params, state, x, case=case, training=False)
    chex.assert_trees_all_equal(state, after)


def test_training_keeps_the_form_of_the_state(case, key, x64):
    params, state, x = made(case, key)
    _, after = run(params, state, x, key, case=case)
    chex.assert_trees_all_equal_shapes_and_dtypes(state, after)


def test_three_steps_are_traced_once(case, key, x64):
    params, state, x = made(case, key)
    traces = []

    @jax.jit
    def step(params, state, x, key):
        traces.append(None)
        return apply(params, state, x, key, case=case)[1]

    for index in range(3):
        state = step(params, state, x, jax.random.fold_in(key, index))
        x = other_rows(case, x)
    assert len(traces) == 1


def test_the_same_key_gives_the_same_result(case, key, x64):
    params, state, x = made(case, key)
    first = run(params, state, x, key, case=case)
    chex.assert_trees_all_equal(first, run(params, state, x, key, case=case))


def test_only_a_layer_that_draws_depends_on_the_key(case, key, x64):
    params, state, x = made(case, key)
    first, _ = run(params, state, x, key, case=case)
    # Several keys, since one may draw the same mask by chance.
    keys = jax.random.split(key, 4)
    others = [np.asarray(run(params, state, x, other, case=case)[0]) for other in keys]
    assert case.needs_key != all(np.array_equal(first, y) for y in others)


def test_only_a_layer_that_draws_misses_the_key(case, key, x64):
    params, state, x = made(case, key)
    missing = pytest.raises(ValueError, match="`key`")
    with missing if case.needs_key else contextlib.nullcontext():
        jax.eval_shape(functools.partial(apply, case=case), params, state, x)


def test_evaluation_needs_no_key_and_ignores_one(case, key, x64):
    params, state, x = made(case, key)
    without, _ = run(params, state, x, case=case, training=False)
    given, _ = run(params, state, x, key, case=case, training=False)
    chex.assert_trees_all_equal(without, given)


def test_evaluation_treats_rows_alone(case, key, x64):
    params, state, x = made(case, key)
    other = jnp.concatenate([x[:1], other_rows(case, x[1:], 5)])
    first, _ = run(params, state, x, case=case, training=False)
    second, _ = run(params, state, other, case=case, training=False)
    np.testing.assert_array_equal(first[0], second[0])


@pytest.mark.parametrize("training", [True, False])
def test_padded_rows_change_neither_the_state_nor_the_real_rows(case, key, training, x64):
    params, state, rows = made(case, key, rows=5)

    def fill(value):
        padding = np.full((59, *case.spec), value).astype(rows.dtype)
        x = np.concatenate([other_rows(case, rows), padding])
        mask = np.arange(64) < 5
        y, after = run(params, state, x, key, mask, case=case, training=training)
        return y[:5], after

    chex.assert_trees_all_equal(fill(0.0), fill(1e3))


def test_the_mask_makes_a_padded_batch_equal_the_real_rows_alone(case, key, x64):
    params, state, rows = made(case, key, rows=5)
    rows = other_rows(case, rows)
    padded = np.concatenate([rows, np.zeros((59, *case.spec), rows.dtype)])
    y, masked = run(params, state, padded, key, np.arange(64) < 5, case=case)
    alone, unmasked = run(params, state, rows, key, case=case)
    chex.assert_trees_all_close(masked, unmasked, rtol=1e-12)
    if not case.needs_key:  # what is drawn for 64 rows need not begin as what is drawn for 5
        np.testing.assert_allclose(y[:5], alone, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("dtype", DTYPES)
def test_gradients_are_finite(case, key, dtype):
    with scope(dtype):
        params, state, x = made(case, key, DTYPES[dtype])

        def loss(params, x):
            return jnp.sum(jnp.square(apply(params, state, x, key, case=case)[0]))

        wanted = (0,) if case.indices else (0, 1)
        grads = jax.jit(jax.grad(loss, argnums=wanted))(params, x)
        chex.assert_tree_all_finite(grads)
        assert any(np.any(np.asarray(leaf) != 0) for leaf in jax.tree.leaves(grads))


def test_training_has_no_default(case, key, x64):
    params, state, x = made(case, key)
    with pytest.raises(TypeError, match="training"):
        case.factory().apply(params, state, x)


def test_params_and_state_are_plain_dicts(case, key):
    init = functools.partial(init_of, case=case, dtype=np.dtype(np.float32))
    for tree in jax.eval_shape(init, key):
        assert type(tree) is dict
