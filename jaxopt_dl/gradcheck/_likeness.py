"""Trees that must look like the parameters: gradients and further points, leaf by leaf."""

from collections.abc import Collection, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxopt_dl._core.errors import fail, is_traced
from jaxopt_dl._core.trees import path_string
from jaxopt_dl._core.types import PyTree

from ._slices import Slice
from ._words import counted, elided, entry_name, kind_of, leaf_name, listed

REAL = (np.floating, np.integer)
LONGEST = 200
"""Characters of a structure that a message shows."""


def is_none(leaf: Any) -> bool:
    """Whether a leaf is None, which counts as a leaf here."""
    return leaf is None


def leaves_like(
    who: str, name: str, tree: PyTree, treedef: Any, slices: Sequence[Slice], fixed: Collection[int]
) -> list[np.ndarray]:
    """Return the floating-point leaves of a tree built like the parameters, as they came.

    Args:
      who: the public function, for messages.
      name: what the tree is, for messages.
      tree: what came.
      treedef: structure of the parameters, None counted as a leaf.
      slices: their floating-point leaves.
      fixed: positions of their other leaves, which are ignored.

    Raises:
      ValueError: if the structure or a shape differs from the parameters.
      TypeError: if a leaf does not hold real numbers.
    """
    leaves, structure = jax.tree.flatten(tree, is_leaf=is_none)
    if structure != treedef:
        advice = f"Give one array per leaf of `params`, in the same containers{_hint(tree)}."
        came = _difference(tree, structure, treedef)
        fail(who, f"{name} must be built like `params`", came, advice)
    floating = [leaf for i, leaf in enumerate(leaves) if i not in fixed]
    return [_leaf_like(who, name, *pair) for pair in zip(slices, floating, strict=True)]


def check_finite(who: str, name: str, path: str, array: np.ndarray) -> None:
    """Check that a leaf holds no NaN and no infinity.

    Raises:
      ValueError: naming the first such entry, and how many there are.
    """
    bad = np.argwhere(~np.isfinite(array))
    if not len(bad):
        return
    first = tuple(int(i) for i in bad[0])
    others = f", and {counted(len(bad) - 1, 'other')} like it" if len(bad) > 1 else ""
    came = f"but {entry_name(path, first)} is {array[first]}{others}"
    advice = "Nothing can be said about a gradient there; look where it comes from."
    fail(who, f"{name} must be finite", came, advice)


def _leaf_like(who: str, name: str, piece: Slice, leaf: Any) -> np.ndarray:
    where = f"{leaf_name(piece.path)!r} of {name}" if piece.path else name
    if is_traced(leaf):
        advice = "Return plain arrays, and keep none from an earlier call."
        fail(who, f"{where} must hold numbers", "got a JAX tracer", advice, kind=TypeError)
    array = np.asarray(leaf)
    if not any(jnp.issubdtype(array.dtype, kind) for kind in REAL):
        rule = f"{where} must hold real numbers"
        fail(who, rule, f"got {kind_of(leaf)}", "Give one number per entry.", kind=TypeError)
    if array.shape != piece.shape:
        advice = "Give one number per entry; nothing is broadcast."
        fail(who, f"{where} must have shape {piece.shape}", f"got {array.shape}", advice)
    return array


def _difference(tree: PyTree, structure: Any, treedef: Any) -> str:
    if jax.tree_util.treedef_is_leaf(structure):
        return f"got {kind_of(tree)}"
    have, want = _paths(structure), _paths(treedef)
    lacking = [path for path in want if path not in have]
    surplus = [path for path in have if path not in want]
    if not have:
        return "got no leaves at all"
    parts = []
    if lacking:
        parts.append(f"found nothing for {listed([_quoted(path) for path in lacking])}")
    if surplus:
        names = listed([_quoted(path) for path in surplus])
        parts.append(f"found {names}, which `params` does not have")
    if parts:
        return ", but ".join(parts)
    return f"got {elided(str(structure), LONGEST)} instead of {elided(str(treedef), LONGEST)}"


def _hint(tree: Any) -> str:
    pair = isinstance(tree, tuple) and len(tree) == 2
    return " (without the value that `jax.value_and_grad` adds)" if pair else ""


def _quoted(path: str) -> str:
    return repr(path) if path else "a bare array"


def _paths(treedef: Any) -> list[str]:
    tree = jax.tree.unflatten(treedef, list(range(treedef.num_leaves)))
    with_paths = jax.tree_util.tree_leaves_with_path(tree)
    return [path_string(path) for path, _ in with_paths]
