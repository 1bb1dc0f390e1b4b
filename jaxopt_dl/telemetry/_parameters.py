"""What parameters say by themselves: gains of layers, equal units, zeros."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxopt_dl._core.errors import check_floating, fail
from jaxopt_dl._core.trees import leaves_with_paths, widen
from jaxopt_dl._core.types import Array, PyTree

from ._layers import by_layer, check_concrete


class UnitSymmetry(NamedTuple):
    """How many of a layer's units differ.

    Attributes:
      units: number of units, the columns of the kernel.
      distinct: number of units that differ from each other in an incoming weight or the bias.
      rank: number of independent directions among the columns of the kernel.

    Examples:
      >>> unit_symmetry({"kernel": jnp.full((3, 4), 0.1)})[""]
      UnitSymmetry(units=4, distinct=1, rank=1)
    """

    units: int
    distinct: int
    rank: int


def layer_gains(params: PyTree) -> dict[str, Array]:
    """Return the singular values of every kernel: how much a layer stretches each direction.

    Signals and gradients pass the product of all layers, so gains above 1 explode and gains below
    1 vanish exponentially with depth. Near 1 is what initializers aim at, with random weights of
    mean 0; weights that are themselves near 1 explode (a layer of n by n ones has the gain n).
    The activation's own slope comes on top. Works inside compiled programs.

    Args:
      params: any pytree of floating-point arrays; leaves with fewer than two axes are left out.

    Returns:
      Path of the leaf -> `(min(in, out),)`, largest first, at least float32. Of kernels with more
      than two axes all but the last count as inputs.

    Raises:
      TypeError: if a leaf does not hold floating-point numbers.
      ValueError: if no leaf has two axes.

    Examples:
      >>> gains = layer_gains({"dense": {"kernel": jnp.ones((4, 4)), "bias": jnp.ones(4)}})
      >>> [abs(round(float(gain), 4)) for gain in gains["dense/kernel"]]
      [4.0, 0.0, 0.0, 0.0]
    """
    kernels = {path: leaf for path, leaf in leaves_with_paths(params) if jnp.ndim(leaf) >= 2}
    if not kernels:
        rule = "`params` must hold at least one array of two axes"
        fail("layer_gains", rule, "got none", "Pass the parameters of a network.")
    for path, leaf in kernels.items():
        check_floating("layer_gains", path, leaf)
    return {
        path: jnp.linalg.svd(widen(leaf).reshape(-1, leaf.shape[-1]), compute_uv=False)
        for path, leaf in kernels.items()
    }


def unit_symmetry(params: PyTree) -> dict[str, UnitSymmetry]:
    """Count the units of each layer that are not copies of another one.

    Two units with the same incoming weights compute the same, and if what follows treats them
    alike they get equal updates for ever: a layer of copies is as good as one unit. Random
    weights break the symmetry, constant ones never do.

    Args:
      params: any pytree of floating-point arrays, outside of compiled programs. Leaves with at
        least two axes are kernels, units last; one leaf `bias` beside them is theirs.

    Returns:
      Path of the layer -> `UnitSymmetry`, for layers with exactly one kernel.

    Raises:
      TypeError: if a leaf does not hold floating-point numbers, or is traced.
      ValueError: if there are no leaves.

    Examples:
      >>> weights = jnp.array([[1.0, 1.0, 2.0], [3.0, 3.0, 5.0]])
      >>> unit_symmetry({"head": {"kernel": weights}})
      {'head': UnitSymmetry(units=3, distinct=2, rank=2)}
    """
    advice = "Call it on the parameters outside of `jit`."
    check_concrete("unit_symmetry", "params", params, advice)
    found = {}
    for layer, leaves in by_layer("unit_symmetry", "params", params).items():
        kernels = [leaf for leaf in leaves.values() if np.ndim(leaf) >= 2]
        if len(kernels) == 1:
            found[layer] = symmetry(np.asarray(widen(kernels[0])), leaves.get("bias"))
    return found


def sparsity(tree: PyTree) -> Array:
    """Return the share of entries that are exactly 0, over all leaves. Works when compiled.

    Args:
      tree: any pytree of numbers, with at least one entry.

    Returns:
      A scalar in [0, 1].

    Raises:
      ValueError: if there are no entries.

    Examples:
      >>> float(sparsity({"kernel": jnp.array([0.45, 0.0, 0.05, 0.0])}))
      0.5
    """
    leaves = jax.tree.leaves(tree)
    entries = sum(jnp.size(leaf) for leaf in leaves)
    if entries == 0:
        fail("sparsity", "`tree` must hold at least one number", "got none", "Pass parameters.")
    zeros = [jnp.sum(jnp.asarray(leaf) == 0, dtype=jnp.int32) for leaf in leaves]
    return jnp.sum(jnp.stack(zeros)).astype(float) / entries


def symmetry(kernel: np.ndarray, bias: Array | None) -> UnitSymmetry:
    """Compare the columns of a matrix, the bias with them."""
    columns = kernel.reshape(-1, kernel.shape[-1])
    rank = int(np.linalg.matrix_rank(columns))
    if bias is not None and np.shape(bias) == columns.shape[1:]:
        columns = np.concatenate([columns, np.asarray(widen(bias), columns.dtype)[None]])
    distinct = len(np.unique(columns, axis=1).T)
    return UnitSymmetry(columns.shape[1], distinct, rank)
