"""Embedding: a learned vector for every index."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxopt_dl._core.errors import check_callable, check_integer, check_key, fail, is_traced
from jaxopt_dl._core.numerics import as_spec
from jaxopt_dl._core.types import Array, Key, Layer, PyTree, Spec

from ._checks import check_holds, check_parameter_dtype, check_shapes, label
from ._initializers import Initializer, normal


def embedding(
    count: int,
    features: int,
    *,
    kernel_init: Initializer | None = None,
    dtype: Any = None,
    name: str | None = None,
) -> Layer:
    """Look up one learned vector per index, as a dense layer on one-hot rows would.

    An index out of range is never clamped: on concrete input it raises; inside a compiled
    program, where nothing can be raised, its row is NaN.

    Args:
      count: number of indices, at least 1; they run from 0 to `count - 1`.
      features: length of each vector, at least 1.
      kernel_init: initializer of the table; None means `normal(stddev=1)`.
      dtype: dtype of the table; None means float32.
      name: name of the layer in paths and messages.

    Returns:
      A layer from integers `(batch, ...)` to `(batch, ..., features)`, in the dtype of the table.
      Params: `kernel` `(count, features)`. The spec given to `init` must describe integers, such
      as `jax.ShapeDtypeStruct((length,), jnp.int32)`.

    Raises:
      TypeError: if a size is not an integer, `kernel_init` not a function or `dtype` not
        floating; from `init` and `apply`, if the input does not hold integers.
      ValueError: if a size is below 1; from `apply`, if a concrete index is out of range or
        `params` are not those of `init`.

    Examples:
      >>> import jax
      >>> layer = embedding(10, 3)
      >>> params, state = layer.init(jax.random.key(0), jax.ShapeDtypeStruct((4,), jnp.int32))
      >>> y, _ = layer.apply(params, state, jnp.array([[1, 2, 3, 9]]), training=False)
      >>> y.shape
      (1, 4, 3)
    """
    who = label("embedding", name)
    check_integer(who, "count", count, low=1)
    check_integer(who, "features", features, low=1)
    kernel_init = normal(stddev=1.0) if kernel_init is None else kernel_init
    check_callable(who, "kernel_init", kernel_init)
    check_parameter_dtype(who, dtype)
    chosen = jnp.float32 if dtype is None else dtype

    def init(key: Key, spec: Spec) -> tuple[PyTree, PyTree]:
        _check_indices(who, "spec", as_spec(spec))
        check_key(who, key)
        params = {"kernel": kernel_init(key, (count, features), chosen)}
        check_shapes(who, "params", params, {"kernel": (count, features)})
        return params, {}

    def apply(
        params: PyTree,
        state: PyTree,
        x: Array,
        *,
        training: bool,
        key: Key | None = None,
        mask: Array | None = None,
    ) -> tuple[Array, PyTree]:
        del training, key, mask
        check_holds(who, "params", params, ("kernel",))
        check_shapes(who, "params", params, {"kernel": (count, features)})
        _check_indices(who, "x", x)
        table = params["kernel"]
        _check_range(who, x, len(table))
        return _look_up(table, jnp.asarray(x)), state

    return Layer("embedding", name, init, apply)


def _look_up(table: Array, x: Array) -> Array:
    # A small integer dtype may not hold the largest index; then all its values are below it.
    top = jnp.asarray(min(len(table) - 1, jnp.iinfo(x.dtype).max), x.dtype)
    valid = (x >= 0) & (x <= top)
    rows = jnp.take(table, jnp.where(valid, x, 0), axis=0)
    # A product rather than a choice, so that the gradient is poisoned as well.
    return rows * jnp.where(valid, 1.0, jnp.nan).astype(table.dtype)[..., None]


def _check_indices(who: str, name: str, x: Any) -> None:
    dtype = jnp.result_type(x)
    if not jnp.issubdtype(dtype, jnp.integer):
        advice = "Describe and pass indices, such as `jax.ShapeDtypeStruct((n,), jnp.int32)`."
        fail(who, f"`{name}` must hold integers", f"got dtype {dtype}", advice, kind=TypeError)


def _check_range(who: str, x: Array, count: int) -> None:
    if is_traced(x):
        return
    host = np.asarray(x)
    bad = np.argwhere((host < 0) | (host >= count))
    if len(bad):
        came = f"got {host[tuple(bad[0])]} at {tuple(map(int, bad[0]))}"
        advice = "Raise `count`, or give unknown entries an index of their own."
        fail(who, f"indices must lie in 0 to {count - 1}", came, advice)
