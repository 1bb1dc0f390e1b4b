"""Pooling: one value per window, or one per channel."""

from collections.abc import Callable, Sequence

import jax.numpy as jnp

from jaxopt_dl._core.errors import fail
from jaxopt_dl._core.trees import wide_dtype
from jaxopt_dl._core.types import Array, Layer

from ._checks import label
from ._lift import lift
from ._reduce_windows import averages, maxima
from ._window import Padding, Pairs, Window, check_spatial, make_window, pairs_of


def max_pool(
    window: Sequence[int],
    *,
    strides: int | Sequence[int] | None = None,
    padding: Padding = "VALID",
    name: str | None = None,
) -> Layer:
    """Keep the largest value under each window, channel by channel.

    Of equal largest values the first in row order gets the gradient, on every backend, as with
    `jax.lax.reduce_window`. Padding never wins.

    Args:
      window: `(length,)` or `(height, width)`, each at least 1.
      strides: how far the window moves at a time; None means its size, so windows do not overlap.
      padding: `"SAME"`, `"VALID"`, or one pair (before, after) per axis, below the window's size.
      name: name of the layer in paths and messages.

    Returns:
      A layer from `(batch, *spatial, channels)` to `(batch, *places, channels)`, same dtype,
      without params and state. NaN under a window comes out as NaN.

    Raises:
      TypeError: if a size is not an integer; from `init` and `apply`, if the input holds
        integers.
      ValueError: if a number is out of range or lengths do not fit; from `init` and `apply`, if
        the input has another rank or is smaller than the window.

    Examples:
      >>> x = jnp.arange(16.0).reshape(1, 4, 4, 1)
      >>> y, _ = max_pool((2, 2)).apply({}, {}, x, training=False)
      >>> y[0, :, :, 0].tolist()
      [[5.0, 7.0], [13.0, 15.0]]
    """
    return _pool("max_pool", maxima, window, strides, padding, name)


def average_pool(
    window: Sequence[int],
    *,
    strides: int | Sequence[int] | None = None,
    padding: Padding = "VALID",
    name: str | None = None,
) -> Layer:
    """Average the values under each window, channel by channel.

    Padding does not count: a window at the border averages what is really there. (Flax and
    PyTorch by default count padded zeros; Keras does as we do.)

    Args:
      window: `(length,)` or `(height, width)`, each at least 1.
      strides: how far the window moves at a time; None means its size, so windows do not overlap.
      padding: `"SAME"`, `"VALID"`, or one pair (before, after) per axis, below the window's size.
      name: name of the layer in paths and messages.

    Returns:
      A layer from `(batch, *spatial, channels)` to `(batch, *places, channels)`, same dtype,
      without params and state. Sums are accumulated in at least float32.

    Raises:
      TypeError: if a size is not an integer; from `init` and `apply`, if the input holds
        integers.
      ValueError: if a number is out of range or lengths do not fit; from `init` and `apply`, if
        the input has another rank or is smaller than the window.

    Examples:
      >>> x = jnp.arange(16.0).reshape(1, 4, 4, 1)
      >>> y, _ = average_pool((2, 2)).apply({}, {}, x, training=False)
      >>> y[0, :, :, 0].tolist()
      [[2.5, 4.5], [10.5, 12.5]]
    """
    return _pool("average_pool", averages, window, strides, padding, name)


def global_average_pool(*, name: str | None = None) -> Layer:
    """Average every channel over all spatial axes, so that images of any size give one vector.

    Args:
      name: name of the layer in paths and messages.

    Returns:
      A layer from `(batch, *spatial, channels)` to `(batch, channels)`, same dtype, without
      params and state. Sums are accumulated in at least float32.

    Raises:
      TypeError: from `init` and `apply`, if the input holds integers.
      ValueError: from `init` and `apply`, if the input has no or more than two spatial axes.

    Examples:
      >>> y, _ = global_average_pool().apply({}, {}, jnp.ones((5, 7, 7, 3)), training=False)
      >>> y.shape
      (5, 3)

    References:
      Lin et al., "Network In Network", 2013. https://arxiv.org/abs/1312.4400
    """

    def average(x: Array) -> Array:
        return jnp.mean(x.astype(wide_dtype(x)), axis=_spatial_axes(x)).astype(x.dtype)

    return _global("global_average_pool", average, name)


def global_max_pool(*, name: str | None = None) -> Layer:
    """Keep the largest value of every channel over all spatial axes.

    Equal largest values share the gradient evenly.

    Args:
      name: name of the layer in paths and messages.

    Returns:
      A layer from `(batch, *spatial, channels)` to `(batch, channels)`, same dtype, without
      params and state.

    Raises:
      TypeError: from `init` and `apply`, if the input holds integers.
      ValueError: from `init` and `apply`, if the input has no or more than two spatial axes.

    Examples:
      >>> y, _ = global_max_pool().apply({}, {}, jnp.ones((5, 7, 3)), training=False)
      >>> y.shape
      (5, 3)
    """
    return _global("global_max_pool", lambda x: jnp.max(x, axis=_spatial_axes(x)), name)


def _pool(
    kind: str,
    reduce: Callable[[Array, Window, Pairs], Array],
    window: Sequence[int],
    strides: int | Sequence[int] | None,
    padding: Padding,
    name: str | None,
) -> Layer:
    who = label(kind, name)
    checked = make_window(who, "window", window, window if strides is None else strides, padding)
    _check_padding_below_size(who, checked)

    def pool(x: Array) -> Array:
        check_spatial(who, x, len(checked.sizes))
        return reduce(x, checked, pairs_of(who, checked, x.shape[1:-1]))

    return lift(pool, name=name)._replace(kind=kind)


def _check_padding_below_size(who: str, window: Window) -> None:
    """Check that no window lies in the padding alone, where there is nothing to pool."""
    if isinstance(window.padding, str):
        return
    pairs = zip(window.padding, window.sizes, strict=True)
    if any(max(pair) >= size for pair, size in pairs):
        rule = f"`padding` must be smaller than the window {window.sizes}"
        fail(who, rule, f"got {window.padding}", "Windows of padding alone have no value.")


def _global(kind: str, reduce: Callable[[Array], Array], name: str | None) -> Layer:
    who = label(kind, name)

    def pool(x: Array) -> Array:
        check_spatial(who, x, 1 if x.ndim == 3 else 2)
        return reduce(x)

    return lift(pool, name=name)._replace(kind=kind)


def _spatial_axes(x: Array) -> tuple[int, ...]:
    return tuple(range(1, x.ndim - 1))
