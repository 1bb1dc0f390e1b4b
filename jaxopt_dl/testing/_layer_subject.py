"""A layer under test, with what its promises need of it."""

import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxopt_dl._core.numerics import common_dtype
from jaxopt_dl._core.types import Key, Layer, PyTree

BATCH = 6
DTYPES = (jnp.bfloat16, jnp.float32, jnp.float64)
"""Precisions in which shapes, dtypes and gradients are looked at."""

TRAINING = "training"
"""Among the allowed names: what is computed in training alone is meant."""


class Subject:
    """A layer with its compiled programs, shared by all promises.

    Attributes:
      layer: the layer.
      shape: of one example.
      indices: how many there are, for a layer on integers.
      allow: names of functions whose surrogate gradients are meant, and maybe `TRAINING`.
      init: `(key, dtype=)`, compiled.
      run: `(params, state, x, key, mask, training=)`, compiled.
    """

    def __init__(
        self,
        layer: Layer,
        shape: tuple[int, ...],
        indices: int | None = None,
        allow: Sequence[str] = (),
    ):
        """Compile lazily."""
        self.layer, self.shape, self.indices, self.allow = layer, shape, indices, allow
        self.init = jax.jit(self.init_plainly, static_argnames="dtype")
        self.run = jax.jit(self.apply, static_argnames="training")

    def init_plainly(self, key: Key, *, dtype: Any) -> tuple[PyTree, PyTree]:
        """Make parameters and state, not compiled."""
        return self.layer.init(key, jax.ShapeDtypeStruct(self.shape, self.input_dtype(dtype)))

    def apply(self, params, state, x, key=None, mask=None, *, training=True):
        """Apply the layer, not compiled."""
        return self.layer.apply(params, state, x, training=training, key=key, mask=mask)

    def input_dtype(self, dtype: Any) -> np.dtype:
        """Return the dtype of inputs in a precision."""
        return np.dtype(jnp.int32) if self.indices else np.dtype(dtype)

    def output_dtype(self, params: PyTree, x: Any) -> np.dtype:
        """Return the dtype expected of outputs: it holds the parameters and a floating input."""
        floating = [*jax.tree.leaves(params), *([] if self.indices else [x])]
        return common_dtype(*floating) if floating else np.dtype(x.dtype)

    def made(self, dtype: Any = jnp.float64, rows: int = BATCH) -> tuple[PyTree, PyTree, Any]:
        """Return parameters, state and a batch."""
        params, state = self.init(some_key(), dtype=np.dtype(dtype))
        random, shape = np.random.default_rng(7), (rows, *self.shape)
        x = random.integers(0, self.indices, shape) if self.indices else random.normal(size=shape)
        return params, state, jnp.asarray(x, self.input_dtype(dtype))

    def others(self, x: Any, by: float = 2.31) -> Any:
        """Return another batch of the same form, all of its values valid."""
        return (x + 3) % self.indices if self.indices else x + by

    def abstract(self, dtype: Any) -> tuple[PyTree, PyTree, Any]:
        """Return the shapes and dtypes of parameters, state and a batch."""
        init = functools.partial(self.init_plainly, dtype=np.dtype(dtype))
        params, state = jax.eval_shape(init, some_key())
        return params, state, jax.ShapeDtypeStruct((BATCH, *self.shape), self.input_dtype(dtype))

    @functools.cached_property
    def needs_key(self) -> bool:
        """Whether training without a key raises an error that names the key."""
        try:
            jax.eval_shape(self.apply, *self.abstract(jnp.float32))
        except (TypeError, ValueError) as error:
            said = f"without a key it raised {type(error).__name__}: {error}"
            assert "key" in str(error), f"{said}, which does not name `key`"
            return True
        return False


def some_key() -> Key:
    """Return the key of all checks."""
    return jax.random.key(3)


def some_keys(count: int) -> Key:
    """Return several keys, all different from that of all checks."""
    return jax.random.split(some_key(), count)
