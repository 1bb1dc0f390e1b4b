"""The user's loss as a checked function of its parameters alone, as a tree or as one vector."""

import itertools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxopt_dl._core.errors import (
    check_callable,
    check_floating,
    check_same_shape,
    fail,
)
from jaxopt_dl._core.numerics import common_dtype
from jaxopt_dl._core.trees import leaves_with_paths, widen
from jaxopt_dl._core.types import Array, PyTree


def loss_of(who: str, function: Any, args: Any) -> Callable[[PyTree], Array]:
    """Return `function` of its first argument alone, which must give one number.

    Raises:
      TypeError: if it cannot be called, `args` is no tuple, or it returns no real number.
      ValueError: if it returns an array of several numbers.
    """
    check_callable(who, "function", function)
    if not isinstance(args, tuple | list):
        rule = "`args` must be a tuple of further arguments"
        came = f"got something of type {type(args).__name__}"
        fail(who, rule, came, "For one argument write args=(x,).", kind=TypeError)

    def loss(params: PyTree) -> Array:
        return _one_number(who, function(params, *args))

    return loss


def check_params(who: str, name: str, params: PyTree) -> None:
    """Check that every leaf is floating point, and that there is one.

    Raises:
      TypeError: naming the leaf that is not.
      ValueError: without leaves.
    """
    leaves = leaves_with_paths(params)
    if not leaves:
        fail(who, f"`{name}` must hold at least one array", "got none", "Pass a tree of arrays.")
    for path, leaf in leaves:
        if not hasattr(leaf, "dtype") and not isinstance(leaf, float):
            came = f"got something of type {type(leaf).__name__} at {path!r}"
            fail(who, f"`{name}` must hold arrays", came, "Take it out.", kind=TypeError)
        check_floating(who, path or name, leaf)


def check_like(who: str, name: str, tree: PyTree, params: PyTree) -> None:
    """Check that a tree has the structure, shapes and dtypes of the parameters.

    Raises:
      TypeError: naming the leaf whose dtype differs.
      ValueError: if the structure or a shape differs.
    """
    if jax.tree.structure(tree) != jax.tree.structure(params):
        came = f"got {jax.tree.structure(tree)} instead of {jax.tree.structure(params)}"
        advice = "Give one array per parameter, in the same containers."
        fail(who, f"`{name}` must be built like `params`", came, advice)
    pairs = zip(leaves_with_paths(tree), jax.tree.leaves(params), strict=True)
    for (path, leaf), param in pairs:
        check_same_shape(who, f"{name} {path}".strip(), leaf, f"params {path}".strip(), param)
        have, want = jnp.result_type(leaf), jnp.result_type(param)
        if have != want:
            rule = f"`{name} {path}`".replace(" `", "`") + f" must have dtype {want}"
            advice = f"Convert it with `.astype({want})`."
            fail(who, rule, f"got {have}", advice, kind=TypeError)


def flattened(params: PyTree) -> tuple[Array, Callable[[Array], PyTree]]:
    """Return all leaves as one vector `(n,)` of at least float32, and what takes it apart again."""
    leaves, treedef = jax.tree.flatten(params)
    arrays = [jnp.asarray(leaf) for leaf in leaves]
    dtype = common_dtype(*(widen(array) for array in arrays))
    ends = [0]
    for array in arrays:
        ends.append(ends[-1] + math.prod(array.shape))

    def restored(vector: Array) -> PyTree:
        pieces = [vector[start:stop] for start, stop in itertools.pairwise(ends)]
        cut = [x.reshape(a.shape).astype(a.dtype) for x, a in zip(pieces, arrays, strict=True)]
        return jax.tree.unflatten(treedef, cut)

    return jnp.concatenate([array.astype(dtype).ravel() for array in arrays]), restored


def _one_number(who: str, out: Any) -> Array:
    rule = "the function must return one floating-point number"
    if isinstance(out, tuple | list | dict) or out is None:
        came = f"but it returned a {type(out).__name__}"
        advice = "Return the loss alone, as in `lambda params: objective(params, ...)[0]`."
        fail(who, rule, came, advice, kind=TypeError)
    out = jnp.asarray(out)
    if out.shape != ():
        advice = "Reduce it to a scalar, for example with jnp.mean."
        fail(who, rule, f"but it returned shape {out.shape}", advice)
    check_floating(who, "the loss", out)
    return out
