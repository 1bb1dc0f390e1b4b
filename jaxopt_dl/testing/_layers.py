"""What every layer promises."""

import functools
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np

from jaxopt_dl._core.errors import fail
from jaxopt_dl._core.numerics import as_spec
from jaxopt_dl._core.trees import leaves_with_paths
from jaxopt_dl._core.types import Key, Layer, PyTree, Spec

from ._promise import given, hold_all, precision, traced_once

BATCH = 6
DTYPES = (jnp.bfloat16, jnp.float32, jnp.float64)


def check_layer(layer: Layer, spec: Spec, *, indices: int | None = None) -> None:
    """Check that a layer keeps the promises of the library's own.

    Shapes and dtypes are those of tracing; state stays in at least float32, unchanged in
    evaluation and of one form in training; rows are treated alone in evaluation, and padded rows
    change nothing; the same key gives the same result, and a layer that draws says when a key is
    missing; it works compiled and under `vmap` over seeds; gradients are finite; and all that
    under strict dtype promotion. Whether gradients are *right* is for `gradcheck`.

    Args:
      layer: what `nn.dense(3)` would return.
      spec: one example without the batch axis, a tuple of sizes or a `ShapeDtypeStruct`.
      indices: for a layer on integers, how many there are; inputs are then 0 to `indices - 1`.

    Raises:
      AssertionError: at the first broken promise, saying which, for which input, and what came.
      TypeError: if `layer` is not a `Layer`.

    Examples:
      >>> from jaxopt_dl import nn
      >>> check_layer(nn.dense(3), (4,))
    """
    if not isinstance(layer, Layer):
        came, advice = f"got {type(layer).__name__}", "Pass what `nn.dense(3)` would return."
        fail("check_layer", "`layer` must be a Layer", came, advice, kind=TypeError)
    hold_all("check_layer", PROMISES, Subject(layer, tuple(as_spec(spec).shape), indices))


class Subject:
    """A layer under test, with its compiled programs, shared by all promises."""

    def __init__(self, layer: Layer, shape: tuple[int, ...], indices: int | None = None):
        self.layer, self.shape, self.indices = layer, shape, indices
        self.init = jax.jit(self._init, static_argnames="dtype")
        self.run = jax.jit(self.apply, static_argnames="training")

    def _init(self, key: Key, *, dtype: Any) -> tuple[PyTree, PyTree]:
        return self.layer.init(key, jax.ShapeDtypeStruct(self.shape, self.input_dtype(dtype)))

    def apply(self, params, state, x, key=None, mask=None, *, training=True):
        """Apply the layer, not compiled."""
        return self.layer.apply(params, state, x, training=training, key=key, mask=mask)

    def input_dtype(self, dtype: Any) -> np.dtype:
        """Return the dtype of inputs where parameters have this dtype."""
        return np.dtype(jnp.int32) if self.indices else np.dtype(dtype)

    def output_dtype(self, dtype: Any) -> np.dtype:
        """Return the dtype expected of outputs: indices have none to keep."""
        return np.dtype(jnp.float32) if self.indices else np.dtype(dtype)

    def made(self, dtype: Any = jnp.float64, rows: int = BATCH) -> tuple[PyTree, PyTree, Any]:
        """Return parameters, state and a batch."""
        params, state = self.init(some_key(), dtype=np.dtype(dtype))
        random, shape = np.random.default_rng(7), (rows, *self.shape)
        x = random.integers(0, self.indices, shape) if self.indices else random.normal(size=shape)
        return params, state, jnp.asarray(x, self.input_dtype(dtype))

    def others(self, x: Any, by: float = 2.31) -> Any:
        """Return another batch of the same form, all of its values valid."""
        return (x + 3) % self.indices if self.indices else x + by

    @functools.cached_property
    def needs_key(self) -> bool:
        """Whether training without a key raises an error that names the key."""
        abstract = self.abstract(jnp.float32)
        try:
            jax.eval_shape(self.apply, *abstract)
        except ValueError as error:
            if "`key`" not in str(error):
                raise
            return True
        return False

    def abstract(self, dtype: Any) -> tuple[PyTree, PyTree, Any]:
        """Return the shapes and dtypes of parameters, state and a batch."""
        init = functools.partial(self._init, dtype=np.dtype(dtype))
        params, state = jax.eval_shape(init, some_key())
        return params, state, jax.ShapeDtypeStruct((BATCH, *self.shape), self.input_dtype(dtype))


def some_key() -> Key:
    """Return the key of all checks."""
    return jax.random.key(3)


def predicts_shapes(it: Subject) -> None:
    """The shape predicted by tracing is the shape computed, and the batch stays the first axis."""
    with precision(jnp.float64):
        made = it.made()
        evaluate = functools.partial(it.apply, training=False)
        predicted, _ = jax.eval_shape(evaluate, *made)
        y, _ = it.run(*made, training=False)
        assert (y.shape, y.dtype) == (predicted.shape, predicted.dtype), f"{y.shape}, {predicted}"
        assert y.shape[0] == BATCH, f"got shape {y.shape} for a batch of {BATCH}"


def keeps_dtypes(it: Subject) -> None:
    """The dtype that goes in comes out, and is that of the parameters."""
    for dtype in DTYPES:
        for training in (True, False):
            with precision(dtype), given(f"training={training}"):
                params, state, x = it.abstract(dtype)
                forward = functools.partial(it.apply, key=some_key(), training=training)
                y, _ = jax.eval_shape(forward, params, state, x)
                assert y.dtype == it.output_dtype(dtype), f"got {y.dtype}"
                assert {leaf.dtype for leaf in jax.tree.leaves(params)} <= {y.dtype}, "parameters"


def keeps_wide_state(it: Subject) -> None:
    """The state of a half-precision layer is in at least float32."""
    _, state, _ = it.abstract(jnp.bfloat16)
    narrow = [path for path, leaf in leaves_with_paths(state) if leaf.dtype.itemsize < 4]
    assert not narrow, f"narrower: {narrow}"


def meets_wider_inputs(it: Subject) -> None:
    """Inputs in float64 meet float32 parameters in float64, and the state keeps its dtypes."""
    with precision(jnp.float64):
        params, state, _ = it.abstract(jnp.float32)
        x = jax.ShapeDtypeStruct((BATCH, *it.shape), it.input_dtype(jnp.float64))
        y, after = jax.eval_shape(functools.partial(it.apply, key=some_key()), params, state, x)
        assert y.dtype == it.output_dtype(jnp.float64), f"got {y.dtype}"
        chex.assert_trees_all_equal_dtypes(state, after)


def compiles(it: Subject) -> None:
    """Compiled and interpreted results agree."""
    with precision(jnp.float64):
        made = it.made()
        interpreted, compiled = it.apply(*made, some_key()), it.run(*made, some_key())
        chex.assert_trees_all_close(interpreted, compiled, rtol=1e-12, atol=1e-13)


def runs_side_by_side(it: Subject) -> None:
    """Several seeds under vmap equal the seeds one after another."""
    with precision(jnp.float64):
        _, _, x = it.made()

        def from_seed(key):
            params, state = it.init(key, dtype=np.dtype(np.float64))
            return it.run(params, state, x, key)

        keys = jax.random.split(some_key(), 3)
        stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *map(from_seed, keys))
        together = jax.jit(jax.vmap(from_seed))(keys)
        chex.assert_trees_all_close(together, stacked, rtol=1e-10, atol=1e-12)


def evaluates_without_change(it: Subject) -> None:
    """Evaluation returns the state unchanged."""
    with precision(jnp.float64):
        params, state, x = it.made()
        _, state = it.run(params, state, x, some_key())
        chex.assert_trees_all_equal(state, it.run(params, state, x, training=False)[1])


def keeps_the_form_of_its_state(it: Subject) -> None:
    """Training keeps structure, shapes and dtypes of the state, so that it is traced once."""
    with precision(jnp.float64):
        params, state, x = it.made()
        step = traced_once(lambda *made: it.apply(*made)[1])
        for index in range(3):
            after = step(params, state, x, jax.random.fold_in(some_key(), index))
            chex.assert_trees_all_equal_shapes_and_dtypes(state, after)
            state, x = after, it.others(x)


def repeats_itself(it: Subject) -> None:
    """The same key gives the same result."""
    with precision(jnp.float64):
        made = it.made()
        chex.assert_trees_all_equal(it.run(*made, some_key()), it.run(*made, some_key()))


def draws_only_with_a_key(it: Subject) -> None:
    """A layer that depends on the key misses it in training by an error that names `key`."""
    with precision(jnp.float64):
        made = it.made()
        first, _ = it.run(*made, some_key())
        # Several keys, since one may draw the same mask by chance.
        keys = jax.random.split(some_key(), 4)
        same = all(np.array_equal(first, it.run(*made, key)[0]) for key in keys)
        said = "raises without one" if it.needs_key else "does not ask for one"
        used = "does not depend on it" if same else "depends on it"
        assert it.needs_key != same, f"it {said}, and the result {used}"


def evaluates_without_a_key(it: Subject) -> None:
    """Evaluation needs no key and ignores one."""
    with precision(jnp.float64):
        made = it.made()
        with_key = it.run(*made, some_key(), training=False)
        chex.assert_trees_all_equal(it.run(*made, training=False), with_key)


def evaluates_rows_alone(it: Subject) -> None:
    """In evaluation a row does not depend on the others."""
    with precision(jnp.float64):
        params, state, x = it.made()
        changed = jnp.concatenate([x[:1], it.others(x[1:], 5.0)])
        first, second = (it.run(params, state, rows, training=False)[0] for rows in (x, changed))
        np.testing.assert_array_equal(first[0], second[0])


def ignores_padding(it: Subject) -> None:
    """Padded rows change neither the state nor the real rows."""
    with precision(jnp.float64):
        params, state, rows = it.made(rows=5)

        def padded_with(value, training):
            padding = np.full((59, *it.shape), value).astype(rows.dtype)
            x = np.concatenate([it.others(rows), padding])
            mask = np.arange(64) < 5
            y, after = it.run(params, state, x, some_key(), mask, training=training)
            return y[:5], after

        for training in (True, False):
            with given(f"training={training}"):
                zeros, large = padded_with(0.0, training), padded_with(1e3, training)
                chex.assert_trees_all_equal(zeros, large)


def masks_exactly(it: Subject) -> None:
    """With its mask a padded batch equals the real rows alone."""
    with precision(jnp.float64):
        params, state, rows = it.made(rows=5)
        rows = it.others(rows)
        padded = np.concatenate([rows, np.zeros((59, *it.shape), rows.dtype)])
        y, masked = it.run(params, state, padded, some_key(), np.arange(64) < 5)
        alone, unmasked = it.run(params, state, rows, some_key())
        chex.assert_trees_all_close(masked, unmasked, rtol=1e-12)
        if not it.needs_key:  # what is drawn for 64 rows need not begin as what is drawn for 5
            np.testing.assert_allclose(y[:5], alone, rtol=1e-12, atol=1e-14)


def has_finite_gradients(it: Subject) -> None:
    """Gradients by parameters and inputs are finite, and not all zero."""
    for dtype in DTYPES:
        with precision(dtype):
            params, state, x = it.made(dtype)

            def loss(params, x, state=state):
                return jnp.sum(jnp.square(it.apply(params, state, x, some_key())[0]))

            wanted = (0,) if it.indices else (0, 1)
            gradients = jax.jit(jax.grad(loss, argnums=wanted))(params, x)
            chex.assert_tree_all_finite(gradients)
            some = any(np.any(np.asarray(leaf) != 0) for leaf in jax.tree.leaves(gradients))
            assert some, "all gradients are zero"


def asks_for_the_mode(it: Subject) -> None:
    """The argument `training` has no default."""
    params, state, x = it.made(jnp.float32)
    try:
        it.layer.apply(params, state, x)
    except TypeError as error:
        assert "training" in str(error), f"the error does not name it: {error}"
    else:
        raise AssertionError("it can be left out")


def has_plain_dicts(it: Subject) -> None:
    """Parameters and state are plain dicts."""
    params, state, _ = it.abstract(jnp.float32)
    assert (type(params), type(state)) == (dict, dict), f"got {type(params)} and {type(state)}"


PROMISES = (
    predicts_shapes,
    keeps_dtypes,
    keeps_wide_state,
    meets_wider_inputs,
    compiles,
    runs_side_by_side,
    evaluates_without_change,
    keeps_the_form_of_its_state,
    repeats_itself,
    draws_only_with_a_key,
    evaluates_without_a_key,
    evaluates_rows_alone,
    ignores_padding,
    masks_exactly,
    has_finite_gradients,
    asks_for_the_mode,
    has_plain_dicts,
)
