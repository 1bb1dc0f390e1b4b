"""Composition: one layer after another."""

import contextlib
from collections.abc import Iterator
from typing import Any

import jax

from jaxopt_dl._core.errors import check_key, check_known_keys, fail
from jaxopt_dl._core.numerics import as_spec
from jaxopt_dl._core.types import Array, Key, Layer, PyTree, Spec

from ._checks import check_training, label

# Marks a message that already says where in the network it arose.
_PLACE = "in layer "


def sequential(*layers: Layer, name: str | None = None) -> Layer:
    """Apply layers one after another, as one layer.

    Shapes are found by tracing each layer in evaluation mode, so no layer states them. Each
    layer works under a named scope, and errors inside it begin with its path.

    Args:
      *layers: at least one layer. A plain function is wrapped in `lift` first.
      name: name of the whole in paths and messages.

    Returns:
      A layer. Params and state are dicts from the names of the layers to theirs, without the
      layers that have none. A layer is named by its own name, or by place and kind, such as
      `00_dense`; leaves then have paths such as `00_dense/kernel`. Layer number i draws from
      `fold_in(key, i)`, in `init` as in `apply`.

    Raises:
      TypeError: if something is not a layer; from `apply`, if `training` is not a bool or `key`
        not a key.
      ValueError: without layers, or if a name is empty, contains a slash or occurs twice; from
        `init`, if a layer does not keep the batch axis; from `apply`, if `params` or `state`
        hold unknown names. Errors of the layers, with their path in front.

    Examples:
      >>> import jax.numpy as jnp
      >>> from jaxopt_dl import nn
      >>> model = sequential(nn.dense(8), nn.lift(nn.relu), nn.dense(3, name="head"))
      >>> params, state = model.init(jax.random.key(0), (4,))
      >>> list(params)
      ['00_dense', 'head']
      >>> y, state = model.apply(params, state, jnp.ones((5, 4)), training=False)
      >>> y.shape
      (5, 3)
    """
    who = label("sequential", name)
    children = _named(who, layers)

    def init(key: Key, spec: Spec) -> tuple[PyTree, PyTree]:
        check_key(who, key)
        params, state = {}, {}
        for index, (child, layer) in enumerate(children.items()):
            with _inside(child):
                own_params, own_state = layer.init(jax.random.fold_in(key, index), spec)
                spec = _output_spec(layer, own_params, own_state, spec)
            if jax.tree.leaves(own_params):
                params[child] = own_params
            if jax.tree.leaves(own_state):
                state[child] = own_state
        return params, state

    def apply(
        params: PyTree,
        state: PyTree,
        x: Array,
        *,
        training: bool,
        key: Key | None = None,
        mask: Array | None = None,
    ) -> tuple[Array, PyTree]:
        check_training(who, training)
        check_known_keys(who, "params", params, children)
        check_known_keys(who, "state", state, children)
        if key is not None:
            check_key(who, key)
        new_state = dict(state)
        for index, (child, layer) in enumerate(children.items()):
            own_key = None if key is None else jax.random.fold_in(key, index)
            with _inside(child), jax.named_scope(child):
                x, own_state = layer.apply(
                    params.get(child, {}),
                    state.get(child, {}),
                    x,
                    training=training,
                    key=own_key,
                    mask=mask,
                )
            if child in state:
                new_state[child] = own_state
        return x, new_state

    return Layer("sequential", name, init, apply)


def _named(who: str, layers: tuple[Any, ...]) -> dict[str, Layer]:
    """Return the layers by name, in order, once all are layers with distinct, usable names."""
    if not layers:
        fail(who, "there must be at least one layer", "got none", "Pass layers in order.")
    children: dict[str, Layer] = {}
    for index, layer in enumerate(layers):
        _check_layer(who, index, layer)
        child = f"{index:02d}_{layer.kind}" if layer.name is None else layer.name
        if not isinstance(child, str) or not child or "/" in child:
            rule = "names of layers must be non-empty text without slashes"
            fail(who, rule, f"got {child!r} at place {index}", "Rename it.")
        if child in children:
            rule = "names of layers must be distinct"
            fail(who, rule, f"got {child!r} twice", "Rename one of them.")
        children[child] = layer
    return children


def _check_layer(who: str, index: int, layer: Any) -> None:
    if isinstance(layer, Layer):
        return
    if isinstance(layer, list | tuple):
        advice = "Unpack it: `sequential(*layers)`."
    elif callable(layer):
        advice = "Wrap a plain function in `nn.lift`; call a factory, such as `nn.dense(64)`."
    else:
        advice = "Make layers with factories such as `nn.dense(64)`."
    came = f"got {getattr(layer, '__name__', repr(layer))} ({type(layer).__name__})"
    fail(who, "every argument must be a layer", f"{came} at place {index}", advice, kind=TypeError)


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
    try:
        yield
    except (TypeError, ValueError) as error:
        if error.args and isinstance(error.args[0], str):
            message = error.args[0]
            nested = message.startswith(_PLACE)
            path = f"{child}/{message.removeprefix(_PLACE)}" if nested else f"{child}: {message}"
            error.args = (_PLACE + path, *error.args[1:])
        raise
