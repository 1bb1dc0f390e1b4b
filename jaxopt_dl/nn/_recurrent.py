"""What all recurrent layers share: one step, repeated over time by `lax.scan`."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxopt_dl._core.errors import check_callable, check_integer, check_key, fail
from jaxopt_dl._core.numerics import along_last, common_dtype, matmul_last
from jaxopt_dl._core.types import Array, Key, Layer, PyTree, Spec

from ._checks import (
    check_features,
    check_holds,
    check_parameter_dtype,
    check_shapes,
    feature_spec,
    label,
)
from ._initializers import Initializer, lecun_normal
from ._orthogonal import orthogonal


class Cell(NamedTuple):
    """What one kind of recurrent layer does at one time.

    Attributes:
      kind: its name.
      gates: number of blocks of `features` columns in its kernels.
      memories: number of arrays `(batch, features)` it carries; the first one is its output.
      step: `(inputs, recurrent, memories) -> memories`. The first two are what each gate gets
        from the input and from the output before, tuples of `(batch, features)`.
    """

    kind: str
    gates: int
    memories: int
    step: Callable[..., tuple[Array, ...]]


def recurrent(
    cell: Cell,
    features: int,
    *,
    sequences: bool,
    kernel_init: Initializer | None,
    recurrent_init: Initializer | None,
    bias_init: Initializer,
    dtype: Any,
    name: str | None,
) -> Layer:
    """Make the layer of a cell; the arguments are those of `rnn`."""
    who = label(cell.kind, name)
    kernel_init = lecun_normal() if kernel_init is None else kernel_init
    recurrent_init = orthogonal() if recurrent_init is None else recurrent_init
    check_integer(who, "features", features, low=1)
    for argument, function in (
        ("kernel_init", kernel_init),
        ("recurrent_init", recurrent_init),
        ("bias_init", bias_init),
    ):
        check_callable(who, argument, function)
    check_parameter_dtype(who, dtype)
    width = cell.gates * features
    shapes = {"kernel": (None, width), "recurrent_kernel": (features, width), "bias": (width,)}

    def init(key: Key, spec: Spec) -> tuple[PyTree, PyTree]:
        spec = feature_spec(who, spec)
        _check_sequence(who, (1, *spec.shape))
        check_key(who, key)
        chosen = spec.dtype if dtype is None else dtype
        keys = jax.random.split(key, 3)
        own, past = (spec.shape[-1], features), (features, features)
        params = {
            "kernel": _per_gate(kernel_init, keys[0], cell.gates, own, chosen),
            "recurrent_kernel": _per_gate(recurrent_init, keys[1], cell.gates, past, chosen),
            "bias": bias_init(keys[2], (width,), chosen),
        }
        check_shapes(who, "params", params, shapes | {"kernel": (spec.shape[-1], width)})
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
        check_holds(who, "params", params, tuple(shapes))
        check_shapes(who, "params", params, shapes)
        check_features(who, x, params["kernel"].shape[0])
        _check_sequence(who, x.shape)
        common = common_dtype(x, *params.values())
        own = {leaf: values.astype(common) for leaf, values in params.items()}
        return _run(cell, own, x.astype(common), sequences), state

    return Layer(cell.kind, name, init, apply)


def _run(cell: Cell, params: dict[str, Array], x: Array, sequences: bool) -> Array:
    # All inputs at once in one large product; only what depends on the past is left to the scan.
    inputs = matmul_last(x, params["kernel"]) + along_last(params["bias"], 3)
    kernel = params["recurrent_kernel"]

    def step(memories: tuple[Array, ...], at: Array) -> tuple[tuple[Array, ...], Array | None]:
        past = jnp.dot(memories[0], kernel)
        memories = cell.step(
            jnp.split(at, cell.gates, axis=-1), jnp.split(past, cell.gates, axis=-1), memories
        )
        return memories, memories[0] if sequences else None

    start = (jnp.zeros((x.shape[0], kernel.shape[0]), x.dtype),) * cell.memories
    last, outputs = jax.lax.scan(step, start, jnp.swapaxes(inputs, 0, 1))
    return last[0] if outputs is None else jnp.swapaxes(outputs, 0, 1)


def _per_gate(init: Initializer, key: Key, gates: int, shape: tuple[int, int], dtype: Any) -> Array:
    """Draw each gate's block alone, so that its scale follows from its own fan."""
    blocks = [init(own, shape, dtype) for own in jax.random.split(key, gates)]
    return jnp.concatenate(blocks, axis=-1)


def _check_sequence(who: str, shape: tuple[int, ...]) -> None:
    if len(shape) != 3 or shape[1] < 1:
        rule = "sequences must have shape (batch, time, features) with at least one time"
        advice = "In `init` leave out the batch axis: (time, features)."
        fail(who, rule, f"got {shape}", advice)
