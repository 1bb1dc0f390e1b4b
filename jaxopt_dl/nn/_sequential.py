"""Composition: one layer after another."""

from typing import Any

from jaxopt_dl._core.errors import check_key, check_known_keys, fail
from jaxopt_dl._core.types import Array, Key, Layer, PyTree, Spec

from ._checks import check_training, label
from ._children import apply_part, init_part, without_empty


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
      >>> import jax, jax.numpy as jnp
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
            params[child], state[child], spec = init_part(child, index, layer, key, spec)
        return without_empty(params), without_empty(state)

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
            x, own_state = apply_part(
                child, index, layer, params, state, x, training=training, key=key, mask=mask
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
