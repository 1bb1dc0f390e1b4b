"""The residual connection: a layer beside a way around it."""

from typing import Any

from jaxopt_dl._core.errors import check_key, check_known_keys, fail
from jaxopt_dl._core.numerics import as_spec, common_dtype
from jaxopt_dl._core.types import Array, Key, Layer, PyTree, Spec

from ._checks import check_training, label
from ._children import apply_part, init_part, without_empty


def residual(layer: Layer, *, shortcut: Layer | None = None, name: str | None = None) -> Layer:
    """Add a layer's output to its input, so that depth adds to a signal instead of replacing it.

        y = layer(x) + x, or layer(x) + shortcut(x)

    Args:
      layer: the way through, often a `sequential`.
      shortcut: the way around; None is the input itself, which needs a layer that keeps shapes.
        Where it does not, `nn.dense(n)` or `nn.conv(n, (1, 1), strides=2)` fits one to the other.
      name: name of the whole in paths and messages.

    Returns:
      A layer on what both ways accept. Params and state are dicts of `layer` and `shortcut`,
      without those that have none. They draw from `fold_in(key, 0)` and `fold_in(key, 1)`.

    Raises:
      TypeError: if something is not a layer; from `apply`, if `training` is not a bool or `key`
        not a key.
      ValueError: from `init` and `apply`, if the two ways end in different shapes; from `apply`,
        if `params` or `state` hold unknown names. Errors of the parts, with their path in front.

    Examples:
      >>> import jax, jax.numpy as jnp
      >>> from jaxopt_dl import nn
      >>> block = residual(nn.dense(4, kernel_init=nn.constant(0.5)))
      >>> params, state = block.init(jax.random.key(0), (4,))
      >>> y, _ = block.apply(params, state, jnp.ones((1, 4)), training=False)
      >>> y.tolist()
      [[3.0, 3.0, 3.0, 3.0]]

    References:
      He et al., "Deep Residual Learning for Image Recognition", 2015.
      https://arxiv.org/abs/1512.03385
    """
    who = label("residual", name)
    parts = {"layer": layer} if shortcut is None else {"layer": layer, "shortcut": shortcut}
    for part, given in parts.items():
        _check_part(who, part, given)

    def init(key: Key, spec: Spec) -> tuple[PyTree, PyTree]:
        check_key(who, key)
        params, state, ends = {}, {}, {}
        for index, (part, inner) in enumerate(parts.items()):
            params[part], state[part], ends[part] = init_part(part, index, inner, key, spec)
        _check_ends(who, ends["layer"], ends.get("shortcut", as_spec(spec)))
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
        check_known_keys(who, "params", params, parts)
        check_known_keys(who, "state", state, parts)
        ends, new_state = {}, dict(state)
        for index, (part, inner) in enumerate(parts.items()):
            ends[part], own_state = apply_part(
                part, index, inner, params, state, x, training=training, key=key, mask=mask
            )
            if part in state:
                new_state[part] = own_state
        return _add(who, ends["layer"], ends.get("shortcut", x)), new_state

    return Layer("residual", name, init, apply)


def _add(who: str, through: Array, around: Array) -> Array:
    _check_ends(who, through, around)
    common = common_dtype(through, around)
    return through.astype(common) + around.astype(common)


def _check_ends(who: str, through: Any, around: Any) -> None:
    if through.shape != around.shape:
        rule = "the layer and its shortcut must end in one shape"
        advice = "Pass `shortcut=nn.dense(...)` or `nn.conv(..., (1, 1))` to fit the input."
        fail(who, rule, f"got {through.shape} and {around.shape}", advice)


def _check_part(who: str, part: str, given: Any) -> None:
    if not isinstance(given, Layer):
        advice = "Make layers with factories such as `nn.dense(64)`; wrap functions in `nn.lift`."
        came = f"got {type(given).__name__}"
        fail(who, f"`{part}` must be a layer", came, advice, kind=TypeError)
