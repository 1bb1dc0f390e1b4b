"""Pytrees: the path of each leaf, norms and sizes.

A path reads `00_dense/kernel` and is the same in every message, table, plot and file.
"""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from jaxopt_dl._core.numerics import common_dtype, safe_sqrt
from jaxopt_dl._core.types import Array, PyTree


def path_string(path: tuple) -> str:
    """Write a key path of `jax.tree_util` as `a/b/0`.

    The attribute `value` in which Flax NNX holds an array is no name of its own: `first/bias`.
    """
    held = len(path) > 1 and path[-1] == jax.tree_util.GetAttrKey("value")
    return jax.tree_util.keystr(path[:-1] if held else path, simple=True, separator="/")


def leaves_with_paths(tree: PyTree) -> list[tuple[str, Array]]:
    """Return `(path, leaf)` for every leaf, in the order of `jax.tree.leaves`."""
    return [(path_string(path), leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(tree)]


def map_with_paths(function: Callable, tree: PyTree, *rest: PyTree) -> PyTree:
    """Apply `function(path, leaf, *rest_leaves)` to every leaf."""
    return jax.tree_util.tree_map_with_path(
        lambda path, *leaves: function(path_string(path), *leaves), tree, *rest
    )


def is_kernel(path: str, ndim: int = 1) -> bool:
    """Return whether a parameter is a weight by its path, and not a bias or a scale.

    It is one if its name ends in `kernel`: `kernel`, `recurrent_kernel`. Equinox calls both kernels
    and the scales of norms `weight`: with two axes or more it is a kernel. Weight decay and
    penalties choose kernels by default.

    Args:
      path: names from the top to the leaf, joined by slashes, such as `"00_dense/kernel"`.
      ndim: how many axes the parameter has, where that is known.

    Examples:
      >>> is_kernel("00_dense/kernel"), is_kernel("00_rnn/recurrent_kernel"), is_kernel("bias")
      (True, True, False)
      >>> is_kernel("layers/0/weight", ndim=2), is_kernel("norm/weight", ndim=1)
      (True, False)
    """
    name = path.rpartition("/")[2]
    return name.endswith("kernel") or (name.partition("_")[0] == "weight" and ndim >= 2)


def is_selected(select: Callable[[str], bool] | None, path: str, leaf: Array) -> bool:
    """Return whether a parameter is chosen by its path, or for None whether it is a kernel."""
    return is_kernel(path, np.ndim(leaf)) if select is None else bool(select(path))


def size(tree: PyTree) -> int:
    """Return the number of scalars in all leaves."""
    return sum(math.prod(np.shape(leaf)) for leaf in jax.tree.leaves(tree))


def squared_norm(tree: PyTree) -> Array:
    """Return the sum of squares of all leaves, accumulated in at least float32."""
    sums = [jnp.sum(jnp.square(leaf)) for leaf in _in_one_dtype(tree)]
    return jnp.sum(jnp.stack(sums)) if sums else jnp.zeros(())


def global_norm(tree: PyTree) -> Array:
    """Return the Euclidean norm over all leaves, a scalar.

    It is computed in units of the largest component, so squares neither overflow nor vanish:
    the norm is finite for every finite tree whose norm fits the dtype. Its derivative at zero
    is zero.

    Examples:
      >>> float(global_norm({"a": jnp.array(3.0), "b": jnp.array(4.0)}))
      5.0
    """
    leaves = [leaf for leaf in _in_one_dtype(tree) if leaf.size]
    if not leaves:
        return jnp.zeros(())
    peak = jnp.max(jnp.stack([jnp.max(jnp.abs(leaf)) for leaf in leaves]))
    unit = jax.lax.stop_gradient(jnp.where(peak == 0, jnp.ones_like(peak), peak))
    return unit * safe_sqrt(squared_norm([leaf / unit for leaf in leaves]))


def all_finite(tree: PyTree) -> Array:
    """Return whether every floating-point leaf is finite, a boolean scalar."""
    leaves = [x for x in jax.tree.leaves(tree) if jnp.issubdtype(jnp.result_type(x), jnp.inexact)]
    finite = [jnp.all(jnp.isfinite(leaf)) for leaf in leaves]
    return jnp.all(jnp.stack(finite)) if finite else jnp.array(True)


def widen(leaf: Array) -> Array:
    """Return a floating-point leaf in at least float32, so that sums do not lose digits."""
    return jnp.asarray(leaf).astype(wide_dtype(leaf))


def wide_dtype(leaf: Array | np.dtype) -> np.dtype:
    """Return float32 for half precision, and the dtype of the leaf (or the dtype) otherwise."""
    dtype = jnp.result_type(leaf)
    return np.dtype(np.float32) if dtype.itemsize < 4 else dtype


def as_pytree(function: Callable) -> Callable:
    """Return a function as a pytree: itself if it is one, else without leaves.

    The function is then static data of the tree, so a new closure compiles anew.
    """
    plain = jax.tree_util.treedef_is_leaf(jax.tree.structure(function))
    return jax.tree_util.Partial(function) if plain else function


def _in_one_dtype(tree: PyTree) -> list[Array]:
    """Return all leaves in the dtype that holds each of them, at least float32."""
    leaves = [widen(leaf) for leaf in jax.tree.leaves(tree)]
    return [leaf.astype(common_dtype(*leaves)) for leaf in leaves]
