"""Slices of a loss: its values on a line and on a plane through given parameters."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxopt_dl._core.errors import check_floating, check_key, check_shape, fail
from jaxopt_dl._core.types import Array, Key, PyTree

from ._function import check_like, check_params, loss_of


def loss_along(
    function: Callable,
    params: PyTree,
    direction: PyTree,
    steps: Array,
    *,
    args: Sequence[Any] = (),
) -> Array:
    """Return the loss at points of a line through the parameters.

        f(params + t * direction)   for every t in steps

    With `direction` the difference of two trained networks it shows what lies between them.
    Pure: works inside compiled programs; one value at a time, so it needs little memory.

    Args:
      function: `function(params, *args)` returns a scalar.
      params: any tree of floating-point arrays.
      direction: a tree of the same structure, shapes and dtypes.
      steps: `(n,)` floating-point multiples of the direction.
      args: further arguments of `function`.

    Returns:
      `(n,)` losses, in the dtype of the loss.

    Raises:
      TypeError: if dtypes differ, or `function` returns no real number.
      ValueError: if structures or shapes differ, or `function` returns several numbers.

    Examples:
      >>> import jax.numpy as jnp
      >>> loss = lambda p: p[0] ** 2 - p[1] ** 2
      >>> print(loss_along(loss, jnp.zeros(2), jnp.array([0.0, 1.0]), jnp.array([-1.0, 0.0, 2.0])))
      [-1.  0. -4.]
    """
    who = "loss_along"
    loss = loss_of(who, function, args)
    steps = _steps(who, "steps", steps)
    params, direction = _with_directions(who, params, direction=direction)
    return jax.lax.map(lambda t: loss(_moved(params, direction, t)), steps)


def loss_plane(
    function: Callable,
    params: PyTree,
    directions: tuple[PyTree, PyTree],
    steps: tuple[Array, Array],
    *,
    args: Sequence[Any] = (),
) -> Array:
    """Return the loss on a grid of the plane that two directions span.

        f(params + s * first + t * second)   for every s and t

    Pure: works inside compiled programs; one value at a time, so it needs little memory.

    Args:
      function: `function(params, *args)` returns a scalar.
      params: any tree of floating-point arrays, the middle of the plane.
      directions: two trees of the same structure, shapes and dtypes, such as two results of
        `random_direction`.
      steps: `(n,)` floating-point multiples of the first direction, and `(m,)` of the second.
      args: further arguments of `function`.

    Returns:
      `(n, m)` losses; from row to row the first direction is followed.

    Raises:
      TypeError: if dtypes differ, or `function` returns no real number.
      ValueError: if structures or shapes differ, `function` returns several numbers, or there
        are not two directions and two arrays of steps.

    Examples:
      >>> import jax.numpy as jnp
      >>> x, y, t = jnp.array([1.0, 0.0]), jnp.array([0.0, 1.0]), jnp.array([0.0, 2.0])
      >>> print(loss_plane(lambda p: p[0] ** 2 - p[1] ** 2, jnp.zeros(2), (x, y), (t, t)))
      [[ 0. -4.]
       [ 4.  0.]]
    """
    who = "loss_plane"
    loss = loss_of(who, function, args)
    first, second = _pair(who, "directions", directions)
    rows, columns = (_steps(who, "steps", part) for part in _pair(who, "steps", steps))
    params, first, second = _with_directions(who, params, first=first, second=second)

    def row(s: Array) -> Array:
        start = _moved(params, first, s)
        return jax.lax.map(lambda t: loss(_moved(start, second, t)), columns)

    return jax.lax.map(row, rows)


def random_direction(key: Key, params: PyTree, *, normalized: bool = True) -> PyTree:
    """Draw a direction in the space of the parameters, entries N(0, 1).

    Args:
      key: a PRNG key.
      params: any tree of floating-point arrays.
      normalized: make it `filter_normalized`.

    Returns:
      A tree like `params`.

    Raises:
      TypeError: if `key` is no key, or a leaf is not floating point.

    Examples:
      >>> import jax, jax.numpy as jnp
      >>> direction = random_direction(jax.random.key(0), {"kernel": jnp.full((4, 1), 0.5)})
      >>> round(float(jnp.linalg.norm(direction["kernel"])), 4)
      1.0
    """
    who = "random_direction"
    check_key(who, key)
    check_params(who, "params", params)
    leaves, treedef = jax.tree.flatten(jax.tree.map(jnp.asarray, params))
    keys = jax.random.split(key, len(leaves))
    drawn = [
        jax.random.normal(one, leaf.shape, leaf.dtype)
        for one, leaf in zip(keys, leaves, strict=True)
    ]
    direction = jax.tree.unflatten(treedef, drawn)
    return filter_normalized(direction, params) if normalized else direction


def filter_normalized(direction: PyTree, params: PyTree) -> PyTree:
    """Give every filter of a direction the norm that the same filter has in the parameters.

    Rescaling a layer and undoing it in the next changes nothing a ReLU network computes, but
    everything a plain direction shows; so slices of different networks only compare along
    directions that scale with their weights. A filter is what makes one output feature: all
    axes but the last. Leaves with fewer than 2 axes (biases, scales) get 0, as in the source.

    Args:
      direction: a tree like `params`.
      params: any tree of floating-point arrays, kernels `(..., in, out)`.

    Returns:
      A tree like `params`.

    Raises:
      TypeError: if dtypes differ, or a leaf is not floating point.
      ValueError: if structures or shapes differ.

    Examples:
      >>> import jax.numpy as jnp
      >>> print(filter_normalized(jnp.array([[3.0, 1.0], [4.0, 0.0]]), 5 * jnp.eye(2)))
      [[3. 5.]
       [4. 0.]]

    References:
      Li et al., "Visualizing the loss landscape of neural nets", NeurIPS 2018.
    """
    who = "filter_normalized"
    params, direction = _with_directions(who, params, direction=direction)
    return jax.tree.map(_like_filters, direction, params)


def _like_filters(direction: Array, param: Array) -> Array:
    if param.ndim < 2:
        return jnp.zeros_like(param)
    axes = tuple(range(param.ndim - 1))
    have = jnp.sqrt(jnp.sum(jnp.square(direction), axis=axes, keepdims=True))
    want = jnp.sqrt(jnp.sum(jnp.square(param), axis=axes, keepdims=True))
    factor = jnp.where(have > 0, want / jnp.where(have > 0, have, jnp.ones_like(have)), want * 0)
    return direction * factor


def _with_directions(who: str, params: PyTree, **directions: PyTree) -> tuple[PyTree, ...]:
    check_params(who, "params", params)
    for name, direction in directions.items():
        check_like(who, name, direction, params)
    return jax.tree.map(jnp.asarray, (params, *directions.values()))


def _steps(who: str, name: str, steps: Any) -> Array:
    steps = jnp.asarray(steps)
    check_shape(who, name, steps, (None,))
    check_floating(who, name, steps)
    return steps


def _pair(who: str, name: str, value: Any) -> tuple[Any, Any]:
    if not (isinstance(value, tuple | list) and len(value) == 2):
        came = f"got something of type {type(value).__name__}"
        fail(who, f"`{name}` must be two in a tuple", came, "Write (first, second).")
    return value[0], value[1]


def _moved(params: PyTree, direction: PyTree, step: Array) -> PyTree:
    return jax.tree.map(lambda p, d: p + step.astype(p.dtype) * d, params, direction)
