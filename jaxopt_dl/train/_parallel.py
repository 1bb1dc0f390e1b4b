"""Data parallelism: each device has a copy of everything and computes its share of a batch.

The program stays that of one device; the compiler splits it where batches are split. So sums over
a batch, batch-norm statistics among them, are those of the whole batch.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from jaxopt_dl._core.errors import fail
from jaxopt_dl._core.types import Array, PyTree

AXIS = "data"


def data_mesh(who: str, mesh: Any, batch_size: int) -> Mesh | None:
    """Return a mesh whose axis `data` divides a batch.

    Its axes are made automatic, so that the compiler places what no constraint places.
    """
    if mesh is None:
        return None
    if not isinstance(mesh, Mesh):
        advice = "Pass `jax.make_mesh((jax.device_count(),), ('data',))`."
        came = f"got {type(mesh).__name__}"
        fail(who, "`mesh` must be a jax.sharding.Mesh", came, advice, kind=TypeError)
    if AXIS not in mesh.axis_names:
        advice = f"Name the axis that batches are split over {AXIS!r}."
        fail(who, f"`mesh` must have an axis {AXIS!r}", f"got {mesh.axis_names}", advice)
    parts = mesh.shape[AXIS]
    if batch_size % parts:
        rule = f"`batch_size` must be a multiple of the {parts} devices along {AXIS!r}"
        near = max(parts, round(batch_size / parts) * parts)
        fail(who, rule, f"got {batch_size}", f"Pass for example {near}.")
    automatic = (AxisType.Auto,) * len(mesh.axis_names)
    return Mesh(mesh.devices, mesh.axis_names, axis_types=automatic)


def replicate(mesh: Mesh | None, tree: PyTree) -> PyTree:
    """Put a copy of every array on every device."""
    if mesh is None:
        return tree
    everywhere = NamedSharding(mesh, PartitionSpec())
    if jax.process_count() == 1:
        return jax.device_put(tree, everywhere)
    return jax.tree.map(lambda leaf: _to_all_processes(everywhere, leaf), tree)


def _to_all_processes(everywhere: NamedSharding, leaf: Array) -> Array:
    """Make one array of the equal copies that the processes hold."""
    if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        words = _to_all_processes(everywhere, jax.random.key_data(leaf))
        return jax.random.wrap_key_data(words, impl=jax.random.key_impl(leaf))
    return jax.make_array_from_process_local_data(everywhere, np.asarray(leaf))


def keep_replicated(mesh: Mesh | None, tree: PyTree) -> PyTree:
    """Inside a program: have every device keep a copy of these arrays."""
    return _constrain(mesh, tree, PartitionSpec())


def split_rows(mesh: Mesh | None, batch: PyTree) -> PyTree:
    """Inside a program: let each device hold its share of the rows of a batch."""
    return _constrain(mesh, batch, PartitionSpec(AXIS))


def rows_per_batch(mesh: Mesh | None, rows: int) -> int:
    """Return the least number of rows, at least `rows`, that the devices share evenly."""
    parts = 1 if mesh is None else mesh.shape[AXIS]
    return -(-rows // parts) * parts


def is_first_process() -> bool:
    """Whether this process speaks for all."""
    return jax.process_index() == 0


def anyone(flag: bool) -> bool:
    """Whether the flag is set in any process; all of them must ask, and hear the same."""
    if jax.process_count() == 1:
        return flag
    from jax.experimental import multihost_utils

    return bool(np.any(multihost_utils.process_allgather(jnp.asarray(flag))))


def slowest(seconds: float) -> float:
    """Return the longest time any process took; all of them must ask, and hear the same."""
    if jax.process_count() == 1:
        return seconds
    from jax.experimental import multihost_utils

    return float(np.max(multihost_utils.process_allgather(jnp.float32(seconds))))


def _constrain(mesh: Mesh | None, tree: PyTree, spec: PartitionSpec) -> PyTree:
    if mesh is None:
        return tree
    return jax.lax.with_sharding_constraint(tree, NamedSharding(mesh, spec))
