"""What layers promise of arguments, shapes, dtypes and the form of their state."""

import functools
import itertools

import chex
import jax
import jax.numpy as jnp
import numpy as np

from jaxopt_dl._core.trees import leaves_with_paths

from ._layer_subject import BATCH, DTYPES, Subject, some_key
from ._promise import given, precision, traced_once


def takes_the_arguments(it: Subject) -> None:
    """`init(key, spec)` and `apply(params, state, x, *, training, key, mask)` return pairs.

    Write `def apply(params, state, x, *, training, key=None, mask=None)`, return `(y, state)`,
    and read the error that was raised.
    """
    made = it.made(jnp.float32)
    for training in (True, False):
        with given(f"training={training}"):
            result = it.apply(*made, some_key(), np.ones(BATCH, bool), training=training)
            assert isinstance(result, tuple) and len(result) == 2, f"got {type(result).__name__}"


def asks_for_the_mode(it: Subject) -> None:
    """The argument `training` has no default.

    Write `*, training`: a mode that is forgotten would go unnoticed.
    """
    params, state, x = it.made(jnp.float32)
    try:
        it.layer.apply(params, state, x)
    except TypeError as error:
        assert "training" in str(error), f"the error does not name it: {error}"
    else:
        raise AssertionError("it can be left out")


def has_plain_dicts(it: Subject) -> None:
    """Parameters and state are plain dicts.

    Return `{}` where there are none: paths such as `00_dense/kernel` are made of their names.
    """
    params, state, _ = it.abstract(jnp.float32)
    kinds = type(params), type(state)
    assert kinds == (dict, dict), f"got a {kinds[0].__name__} and a {kinds[1].__name__}"


def predicts_shapes(it: Subject) -> None:
    """The shape predicted by tracing is the shape computed, and the batch stays the first axis.

    Take shapes from `x.shape` alone, and keep the first axis in its place.
    """
    with precision(jnp.float64):
        made = it.made()
        evaluate = functools.partial(it.apply, training=False)
        predicted, _ = jax.eval_shape(evaluate, *made)
        y, _ = evaluate(*made)
        assert (y.shape, y.dtype) == (predicted.shape, predicted.dtype), f"{y.shape}, {predicted}"
        assert y.shape[:1] == (BATCH,), f"got shape {y.shape} for a batch of {BATCH}"


def takes_any_batch(it: Subject) -> None:
    """The batch may have any size, also one.

    Take the size from `x.shape[0]`, and say which axis goes: `jnp.squeeze(x, -1)`.
    """
    params, state, x = it.abstract(jnp.float32)
    evaluate = functools.partial(it.apply, training=False)
    usual, _ = jax.eval_shape(evaluate, params, state, x)
    for rows in (1, 2):
        with given(f"a batch of {rows}"):
            batch = jax.ShapeDtypeStruct((rows, *x.shape[1:]), x.dtype)
            y, _ = jax.eval_shape(evaluate, params, state, batch)
            expected = (rows, *usual.shape[1:])
            assert y.shape == expected, f"got shape {y.shape} instead of {expected}"


def keeps_dtypes(it: Subject) -> None:
    """The output has the dtype that holds both the input and the parameters.

    Compute in `jnp.result_type(x, *params.values())`, and return to it after wider sums.
    """
    for dtype, training in itertools.product(DTYPES, (True, False)):
        with precision(dtype), given(f"training={training}"):
            params, state, x = it.abstract(dtype)
            forward = functools.partial(it.apply, key=some_key(), training=training)
            y, _ = jax.eval_shape(forward, params, state, x)
            expected = it.output_dtype(params, x)
            assert y.dtype == expected, f"got {y.dtype} instead of {expected}"


def keeps_wide_state(it: Subject) -> None:
    """The state of a half-precision layer is in at least float32.

    Make it with `jnp.promote_types(spec.dtype, jnp.float32)`: a running average in half
    precision stands still.
    """
    _, state, _ = it.abstract(jnp.bfloat16)
    narrow = [path for path, leaf in leaves_with_paths(state) if leaf.dtype.itemsize < 4]
    assert not narrow, f"narrower: {narrow}"


def meets_wider_inputs(it: Subject) -> None:
    """Inputs in float64 meet float32 parameters in float64, and the state keeps its dtypes.

    Convert what goes into the state back with `astype`.
    """
    with precision(jnp.float64):
        params, state, _ = it.abstract(jnp.float32)
        x = jax.ShapeDtypeStruct((BATCH, *it.shape), it.input_dtype(jnp.float64))
        y, after = jax.eval_shape(functools.partial(it.apply, key=some_key()), params, state, x)
        expected = it.output_dtype(params, x)
        assert y.dtype == expected, f"got {y.dtype} instead of {expected}"
        chex.assert_trees_all_equal_dtypes(state, after)


def keeps_the_form_of_its_state(it: Subject) -> None:
    """Training keeps structure, shapes and dtypes of the state, so that it is traced once.

    Return a state like the one that came; no Python numbers in it.
    """
    with precision(jnp.float64):
        params, state, x = it.made()
        step = traced_once(lambda *made: it.apply(*made)[1])
        for index in range(3):
            after = step(params, state, x, jax.random.fold_in(some_key(), index))
            chex.assert_trees_all_equal_shapes_and_dtypes(state, after)
            state, x = after, it.others(x)
