"""Largest and mean values under sliding windows, in two forms that give the same numbers.

On CPU the gradient of `reduce_window` costs more than the rest of a small convolutional network
(measured, in `experiments/benchmarks/conv.py`). There a window is folded axis by axis over
shifted slices, which takes `height + width` slices instead of `height * width`.
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from jaxopt_dl._core.trees import wide_dtype
from jaxopt_dl._core.types import Array

from ._window import Pairs, Window, slices_along

LONGEST_SIDE = 8
"""Side of a window up to which slices are faster on CPU, or as fast."""


def maxima(x: Array, window: Window, pairs: Pairs) -> Array:
    """Return the largest value under each window; of equal ones the first gets the gradient."""
    return _form(window)(x, window, pairs, _later_if_larger, jax.lax.max, -np.inf)


def averages(x: Array, window: Window, pairs: Pairs) -> Array:
    """Return the mean of the real values under each window, padding left out."""
    wide = x.astype(wide_dtype(x))
    sums = _form(window)(wide, window, pairs, jnp.add, jax.lax.add, 0.0)
    counts = jnp.asarray(_counts(x.shape[1:-1], window, pairs)[None, ..., None], wide.dtype)
    return (sums / counts).astype(x.dtype)


def by_slices(
    x: Array, window: Window, pairs: Pairs, combine: Callable, reducer: Callable, start: float
) -> Array:
    """Fold the values under each window, one axis after another."""
    del reducer
    x = jnp.pad(x, ((0, 0), *pairs, (0, 0)), constant_values=start)
    # The last axis first: then the first of equal values in row order comes first.
    for axis in reversed(range(len(window.sizes))):
        stride = window.strides[axis]
        x = functools.reduce(combine, slices_along(x, axis + 1, window.sizes[axis], stride=stride))
    return x


def by_xla(
    x: Array, window: Window, pairs: Pairs, combine: Callable, reducer: Callable, start: float
) -> Array:
    """Reduce the values under each window by XLA's own operation."""
    del combine
    sizes, strides = (1, *window.sizes, 1), (1, *window.strides, 1)
    padding = ((0, 0), *pairs, (0, 0))
    return jax.lax.reduce_window(x, np.asarray(start, x.dtype), reducer, sizes, strides, padding)


def _form(window: Window) -> Callable[..., Array]:
    on_cpu = jax.default_backend() == "cpu"
    return by_slices if on_cpu and max(window.sizes) <= LONGEST_SIDE else by_xla


def _later_if_larger(earlier: Array, later: Array) -> Array:
    # Not `jnp.maximum`, which splits the gradient between equal values. NaN wins, as in `max`.
    return jnp.where((later > earlier) | (later != later), later, earlier)


def _counts(spatial: tuple[int, ...], window: Window, pairs: Pairs) -> np.ndarray:
    """Return how many real values lie under each window."""
    per_axis = []
    for size, width, stride, pair in zip(spatial, window.sizes, window.strides, pairs, strict=True):
        real = np.pad(np.ones(size, int), pair)
        per_axis.append(np.lib.stride_tricks.sliding_window_view(real, width)[::stride].sum(-1))
    return functools.reduce(np.multiply.outer, per_axis)
