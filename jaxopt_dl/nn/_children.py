"""How a layer made of layers treats its parts: their shapes, their keys, their errors."""

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import NamedTuple

import jax

from jaxopt_dl._core.errors import fail
from jaxopt_dl._core.numerics import as_spec
from jaxopt_dl._core.types import Array, Key, Layer, PyTree, Spec

from ._checks import label

# Marks a message that already says where in the network it arose.
_PLACE = "in layer "


class Call(NamedTuple):
    """One application of a part, while something watches.

    Attributes:
      path: names from the outermost layer to this one.
      layer: the part.
      params: its parameters, as traced.
      state: its state, as traced.
      x: its input, as traced.
      y: its output, as traced.
    """

    path: tuple[str, ...]
    layer: Layer
    params: PyTree
    state: PyTree
    x: Array
    y: Array


_path: ContextVar[tuple[str, ...]] = ContextVar("path", default=())
_watcher: ContextVar[Callable[[Call], None] | None] = ContextVar("watcher", default=None)


def init_part(
    name: str, index: int, layer: Layer, key: Key, spec: Spec
) -> tuple[PyTree, PyTree, jax.ShapeDtypeStruct]:
    """Initialize part number `index`; return its params, its state and what comes out of it."""
    with _inside(name):
        params, state = layer.init(jax.random.fold_in(key, index), spec)
        return params, state, _output_spec(layer, params, state, spec)


def apply_part(
    name: str,
    index: int,
    layer: Layer,
    params: PyTree,
    state: PyTree,
    x: Array,
    *,
    training: bool,
    key: Key | None,
    mask: Array | None,
) -> tuple[Array, PyTree]:
    """Apply part number `index` of a composition, given the composition's params and state."""
    own_params, own_state = params.get(name, {}), state.get(name, {})
    own_key = None if key is None else jax.random.fold_in(key, index)
    with _inside(name), jax.named_scope(name):
        y, new_state = layer.apply(
            own_params, own_state, x, training=training, key=own_key, mask=mask
        )
        if (watcher := _watcher.get()) is not None:
            watcher(Call(_path.get(), layer, own_params, own_state, x, y))
    return y, new_state


def without_empty(parts: dict[str, PyTree]) -> dict[str, PyTree]:
    """Return the parts that hold anything."""
    return {name: tree for name, tree in parts.items() if jax.tree.leaves(tree)}


@contextlib.contextmanager
def watching(watcher: Callable[[Call], None]) -> Iterator[None]:
    """Report every application of a part inside this block, inner ones before outer ones."""
    token = _watcher.set(watcher)
    try:
        yield
    finally:
        _watcher.reset(token)


def _output_spec(layer: Layer, params: PyTree, state: PyTree, spec: Spec) -> jax.ShapeDtypeStruct:
    """Return what comes out of a layer for one example, without computing it."""
    spec = as_spec(spec)
    # Two rows, so that a function that squeezes or merges the batch axis is found out.
    rows = jax.ShapeDtypeStruct((2, *spec.shape), spec.dtype)
    out = jax.eval_shape(lambda *args: layer.apply(*args, training=False)[0], params, state, rows)
    if out.shape[:1] != (2,):
        rule = "a layer must keep the batch axis in front"
        came = f"got {out.shape} out of {rows.shape}"
        fail(label(layer.kind, layer.name), rule, came, "Reshape with `x.reshape(x.shape[0], -1)`.")
    return jax.ShapeDtypeStruct(out.shape[1:], out.dtype)


@contextlib.contextmanager
def _inside(child: str) -> Iterator[None]:
    """Put the path of the layer in front of the message of an error that passes through."""
    token = _path.set((*_path.get(), child))
    try:
        yield
    except (TypeError, ValueError) as error:
        if error.args and isinstance(error.args[0], str):
            message = error.args[0]
            nested = message.startswith(_PLACE)
            path = f"{child}/{message.removeprefix(_PLACE)}" if nested else f"{child}: {message}"
            error.args = (_PLACE + path, *error.args[1:])
        raise
    finally:
        _path.reset(token)
