"""What `fit` and `evaluate` check on the host, once, before anything is compiled."""

import functools
import math
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxopt_dl import data as data_tools
from jaxopt_dl._core.errors import check_callable, fail
from jaxopt_dl._core.trees import leaves_with_paths
from jaxopt_dl._core.types import Array, Aux, Batch, Key, Objective, PyTree

from ._clipping import CLIPPING

RESERVED = ("loss", "weight", "learning_rate", *CLIPPING)


def as_arrays(who: str, name: str, data: Any) -> dict[str, Array]:
    """Check a data set and put it on the device; errors are those of `check_arrays`."""
    return {key: jnp.asarray(values) for key, values in check_arrays(who, name, data).items()}


def is_on_disk(values: Any) -> bool:
    """Whether an array is mapped from a file, to be read only where it is needed."""
    return isinstance(values, np.memmap)


def check_arrays(who: str, name: str, data: Any) -> dict[str, Any]:
    """Check a data set on the host; of an array on disk, only the form.

    Arrays come back as NumPy arrays, those of JAX as they are.

    Raises:
      TypeError: if it is not a mapping of numeric arrays.
      ValueError: if it is empty, ragged, holds NaN or infinities, or bad weights.
    """
    if not isinstance(data, Mapping) or not data:
        came = f"got {type(data).__name__}" if not isinstance(data, Mapping) else "got none"
        advice = 'Pass for example `{"x": inputs, "y": targets}`.'
        fail(who, f"`{name}` must be a dict of arrays", came, advice, kind=TypeError)
    if "mask" in data:
        advice = "Rename it; give rows a `weight` of 0 to leave them out."
        fail(who, f"`{name}` may not hold `mask`", "got one", advice)
    arrays = {key: _numeric(who, f"{name}[{key!r}]", values) for key, values in data.items()}
    sizes = {key: len(values) for key, values in arrays.items()}
    if len(set(sizes.values())) > 1:
        rule = f"all arrays of `{name}` must have the same number of rows"
        fail(who, rule, f"got {sizes}", "Check how they were split or loaded.")
    if 0 in sizes.values():
        rule = f"`{name}` must hold at least one row"
        fail(who, rule, "got an empty set", "Check how it was split or loaded.")
    if "weight" in arrays and not is_on_disk(arrays["weight"]):
        _check_weight(who, name, np.asarray(arrays["weight"]), next(iter(sizes.values())))
    return arrays


def check_objective(
    who: str, objective: Objective, params: PyTree, state: PyTree, data: Batch
) -> dict[str, jax.ShapeDtypeStruct]:
    """Trace the objective once in each mode and check what it returns; return its metrics.

    Shapes that do not fit the model raise here, before the long compilation.

    Raises:
      TypeError: if it does not return `(scalar, Aux)`.
      ValueError: if metrics are not scalars, take a reserved name, or the state changes form.
    """
    check_callable(who, "objective", objective)
    try:
        hash(objective)
    except TypeError:
        rule = "`objective` must be hashable, as compiled programs are kept by it"
        came = f"got a {type(objective).__name__} that is not"
        fail(who, rule, came, "Use a function, or a frozen dataclass.", kind=TypeError)
    count = len(next(iter(data.values())))
    weight = jax.ShapeDtypeStruct((count,), jnp.result_type(float))
    mask = jax.ShapeDtypeStruct((count,), bool)
    batch = {"weight": weight, "mask": mask, **data}
    metrics: dict[str, jax.ShapeDtypeStruct] = {}
    for training in (True, False):
        result = _traced.eval_shape(objective, params, state, batch, training)
        found = _check_result(who, result, state)
        if not training and found.keys() != metrics.keys():
            rule = "the objective must return the same metrics in training and in evaluation"
            came = f"got {sorted(metrics)} and {sorted(found)}"
            fail(who, rule, came, "Return every metric in both modes.")
        metrics = found
    check = getattr(objective, "check", None)
    if check is not None:
        check(params, state, data)
    return metrics


@functools.partial(jax.jit, static_argnums=(0, 4))
def _traced(
    objective: Objective, params: PyTree, state: PyTree, batch: Batch, training: bool
) -> tuple[Array, Aux]:
    """Call the objective; `jit` remembers the trace, so the next run need not repeat it."""
    key = jax.random.key(0) if training else None
    return objective(params, state, batch, key=key, training=training)


def check_augment(
    who: str, augment: Callable[[Key, Batch], Batch] | None, data: Batch, batch_size: int
) -> data_tools.Augmentation | None:
    """Return an augmentation that keeps names, shapes and dtypes of a batch."""
    if augment is None:
        return None
    check_callable(who, "augment", augment)
    chain = augment if isinstance(augment, data_tools.Augmentation) else data_tools.augment(augment)
    stored = jax.dtypes.canonicalize_dtype
    one = {name: jax.ShapeDtypeStruct(x.shape[1:], stored(x.dtype)) for name, x in data.items()}
    one = {
        "weight": jax.ShapeDtypeStruct((), jnp.result_type(float)),
        "mask": jax.ShapeDtypeStruct((), bool),
        **one,
    }
    batch = {n: jax.ShapeDtypeStruct((batch_size, *x.shape), x.dtype) for n, x in one.items()}
    result = jax.eval_shape(chain, jax.random.key(0), batch)
    for name in [*batch, *result]:
        before, after = (_form(tree.get(name)) for tree in (batch, result))
        if before != after:
            rule = "`augment` must keep the names, shapes and dtypes of a batch"
            came = f"got {after} instead of {before} for {name!r}"
            fail(who, rule, came, "Change the values only; convert the data before.")
    return chain


def _form(spec: jax.ShapeDtypeStruct | None) -> str:
    return "nothing" if spec is None else f"{spec.dtype}{list(spec.shape)}"


def _numeric(who: str, name: str, values: Any) -> np.ndarray | Array:
    if is_on_disk(values):
        if not np.issubdtype(values.dtype, np.number) or values.ndim == 0:
            came = f"got dtype {values.dtype} of shape {values.shape}"
            fail(who, f"`{name}` must hold rows of numbers", came, "Store it as numbers.")
        return values
    data_tools.check_finite(who, name, values)
    array = np.asarray(values)
    kind = array.dtype
    if array.ndim == 0:
        fail(who, f"`{name}` must have rows", "got a single number", "Give it a first axis.")
    stored = jax.dtypes.canonicalize_dtype(kind)
    if isinstance(values, jax.Array) and stored == kind:
        return values  # a detour over NumPy would copy it back to the device
    if stored == kind or not array.size:
        return array
    if jnp.issubdtype(kind, np.floating):
        largest = float(max(array.max(), -array.min()))
        if largest > float(jnp.finfo(stored).max):
            rule = f"`{name}` must fit into {stored}"
            came = f"got magnitudes up to {largest:.3g}"
            fail(who, rule, came, "Scale it, for example with `data.normalize`.")
    if np.issubdtype(kind, np.integer):
        low, high = np.iinfo(stored).min, np.iinfo(stored).max
        if array.min() < low or array.max() > high:
            rule = f"`{name}` must fit into {stored}"
            came = f"got values from {array.min()} to {array.max()}"
            fail(who, rule, came, "Renumber the labels, or convert to floating point.")
    return array


def _check_weight(who: str, name: str, weight: np.ndarray, rows: int) -> None:
    advice = "Pass one weight per row, at least 0 and not all 0."
    if weight.shape != (rows,) or not np.issubdtype(weight.dtype, np.floating):
        rule = f"`{name}['weight']` must be floating point of shape ({rows},)"
        fail(who, rule, f"got {weight.dtype} of shape {weight.shape}", advice)
    if weight.min() < 0 or weight.max() <= 0:
        rule = f"`{name}['weight']` must be non-negative with a positive sum"
        fail(who, rule, f"got values from {weight.min()} to {weight.max()}", advice)


def _check_result(who: str, result: Any, state: PyTree) -> dict[str, jax.ShapeDtypeStruct]:
    form = "the objective must return (loss, Aux(state, metrics, weight))"
    if not (isinstance(result, tuple) and len(result) == 2 and isinstance(result[1], Aux)):
        came = f"got {type(result).__name__}"
        fail(who, form, came, "Build the second part with `train.Aux`.", kind=TypeError)
    loss, aux = result
    scalars = {"loss": loss, "weight": aux.weight, **aux.metrics}
    for name, value in scalars.items():
        if math.prod(getattr(value, "shape", (0,))) != 1 or value.shape != ():
            came = f"got shape {getattr(value, 'shape', None)} for {name!r}"
            fail(who, f"{form} with scalars", came, "Take the weighted mean over the batch.")
    for name in aux.metrics:
        if name in RESERVED:
            rule = f"metrics may not be named {', '.join(RESERVED)}"
            fail(who, rule, f"got {name!r}", "Rename it; `fit` records the loss itself.")
    _check_same_form(who, state, aux.state)
    return aux.metrics


def _check_same_form(who: str, before: PyTree, after: PyTree) -> None:
    old = {path: (np.shape(x), jnp.result_type(x)) for path, x in leaves_with_paths(before)}
    new = {path: (x.shape, x.dtype) for path, x in leaves_with_paths(after)}
    if old == new:
        return
    path = next(path for path in [*old, *new] if old.get(path) != new.get(path))
    rule = "the objective must return the model state in the form it got it"
    came = f"got {new.get(path)} instead of {old.get(path)} at {path!r}"
    fail(who, rule, came, "Keep every leaf's path, shape and dtype.")
