"""Plain functions as layers."""

import functools
from collections.abc import Callable

import jax

from jaxopt_dl._core.errors import check_callable, fail
from jaxopt_dl._core.numerics import as_spec
from jaxopt_dl._core.types import Array, Key, Layer, PyTree, Spec

from ._checks import label


def lift(function: Callable[[Array], Array], *, name: str | None = None) -> Layer:
    """Make a layer of a function on arrays, such as an activation or a reshape.

    Args:
      function: maps `(batch, ...)` to `(batch, ...)`, row by row, in training as in evaluation.
      name: name of the layer in paths and messages; None uses the function's own name.

    Returns:
      A layer without params and state, whose kind is the name of the function.

    Raises:
      TypeError: if `function` cannot be called or is a layer already. From `init` and `apply`,
        whatever the function raises.

    Examples:
      >>> import jax.numpy as jnp
      >>> flatten = lift(lambda x: x.reshape(x.shape[0], -1), name="flatten")
      >>> y, state = flatten.apply({}, {}, jnp.ones((5, 2, 3)), training=False)
      >>> y.shape
      (5, 6)
    """
    who = label("lift", name)
    if isinstance(function, Layer):
        rule = "`function` must be a plain function"
        came = f"got the layer {label(function.kind, function.name)}"
        fail(who, rule, came, "Use the layer as it is.", kind=TypeError)
    check_callable(who, "function", function)

    def init(key: Key, spec: Spec) -> tuple[PyTree, PyTree]:
        del key
        spec = as_spec(spec)
        # Traced once, so that what does not fit shows here and not in the first step.
        jax.eval_shape(function, jax.ShapeDtypeStruct((2, *spec.shape), spec.dtype))
        return {}, {}

    def apply(
        params: PyTree,
        state: PyTree,
        x: Array,
        *,
        training: bool,
        key: Key | None = None,
        mask: Array | None = None,
    ) -> tuple[Array, PyTree]:
        del params, training, key, mask
        return function(x), state

    return Layer(_kind(function), name, init, apply)


def _kind(function: Callable) -> str:
    while isinstance(function, functools.partial):
        function = function.func
    return getattr(function, "__name__", type(function).__name__).strip("<>")
