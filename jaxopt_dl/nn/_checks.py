"""What every layer asks of its arguments, so that all of them complain in one way."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxopt_dl._core.errors import check_floating, check_shape, fail
from jaxopt_dl._core.numerics import as_spec
from jaxopt_dl._core.types import Array, Spec


def label(kind: str, name: str | None) -> str:
    """Return how a layer calls itself in messages: `dense` or `dense 'head'`."""
    return kind if name is None else f"{kind} {name!r}"


def check_training(who: str, training: Any) -> None:
    """Check that the mode is a Python bool, since it decides which program is built.

    Raises:
      TypeError: otherwise.
    """
    if not isinstance(training, bool | np.bool_):
        rule = "`training` must be True or False, fixed when the program is built"
        advice = "Under jit, mark it static or bind it with functools.partial."
        fail(who, rule, f"got a {type(training).__name__}", advice, kind=TypeError)


def feature_spec(who: str, spec: Spec) -> jax.ShapeDtypeStruct:
    """Return the spec of one example once it has a features axis and floating numbers.

    Raises:
      TypeError: if it describes integers.
      ValueError: if it has no axis, or an empty features axis.
    """
    spec = as_spec(spec)
    check_floating(who, "spec", spec)
    if not spec.shape or spec.shape[-1] < 1:
        rule = "`spec` must be the shape of one example, features last"
        fail(who, rule, f"got shape {spec.shape}", "Leave out only the batch axis.")
    return spec


def check_features(who: str, x: Array, features: int) -> None:
    """Check an input `(batch, ..., features)` of floating-point numbers.

    Raises:
      TypeError: if it holds integers.
      ValueError: if the batch axis is missing or the last axis has another size.
    """
    check_floating(who, "x", x)
    if x.ndim < 2:
        rule = "`x` must have shape (batch, ..., features)"
        fail(who, rule, f"got shape {x.shape}", "Add the batch axis: `x[None]`.")
    if x.shape[-1] != features:
        rule = f"the last axis of `x` must have size {features}, as in `init`"
        advice = "Pass data of this width, or initialize again for it."
        fail(who, rule, f"got shape {x.shape}", advice)


def check_mask(who: str, mask: Array, x: Array) -> None:
    """Check that a mask is boolean and has one entry per row of `x`.

    Raises:
      TypeError: if it is not boolean.
      ValueError: if its shape is not `(batch,)`.
    """
    if mask.dtype != jnp.bool_:
        rule = "`mask` must be boolean, True on real rows"
        fail(who, rule, f"got dtype {mask.dtype}", "Write `mask > 0`.", kind=TypeError)
    if mask.shape != x.shape[:1]:
        rule = f"`mask` must have shape {x.shape[:1]}, one entry per row of `x`"
        fail(who, rule, f"got {mask.shape}", "Reshape it; nothing is broadcast silently.")


def check_holds(who: str, what: str, tree: Any, names: tuple[str, ...]) -> None:
    """Check that `params` or `state` is a dict with exactly these names.

    Raises:
      ValueError: naming what came.
    """
    came = sorted(map(str, tree)) if isinstance(tree, Mapping) else [type(tree).__name__]
    if came != sorted(names):
        rule = f"`{what}` must be a dict of {', '.join(names)}"
        came_text = f"got {', '.join(came)}" if came else "got an empty one"
        fail(who, rule, came_text, f"Pass the `{what}` that `init` of this layer returned.")


def check_shapes(who: str, what: str, tree: Mapping[str, Any], shapes: dict[str, tuple]) -> None:
    """Check the shapes of `params` or `state`, so that none of them is broadcast by accident.

    Raises:
      ValueError: naming the leaf and both shapes.
    """
    for name, shape in shapes.items():
        check_shape(who, f"{what}['{name}']", tree[name], shape)


def check_parameter_dtype(who: str, dtype: Any) -> None:
    """Check that `dtype=` is None or a floating-point dtype.

    Raises:
      TypeError: otherwise.
    """
    if dtype is not None and not jnp.issubdtype(dtype, np.floating):
        advice = "Pass one such as jnp.float32, or None to follow the input."
        rule = "`dtype` must be a floating-point dtype"
        fail(who, rule, f"got {dtype!r}", advice, kind=TypeError)
