"""Convolution in two forms that give the same numbers, and the rule that chooses.

On CPU, XLA's convolution takes a slow path inside compiled loops (measured, in
`experiments/benchmarks/conv.py`), while a matrix product does not. So on CPU small windows are
written as shifted slices, put side by side along the channels, times the kernel as one matrix.
The price is memory: the patches hold each value once per place of the window.
"""

import itertools

import jax
import jax.numpy as jnp

from jaxopt_dl._core.numerics import matmul_last
from jaxopt_dl._core.types import Array

from ._window import Pairs, Window, slices_along

LARGEST_WINDOW = 32
"""Places of a window up to which the patches pay off on CPU; 5 x 5 is in, 7 x 7 is out.

Inside a scan patches win at every size. Beyond this one, XLA's convolution in a loop of single
steps takes less than half of the time and memory of patches in a scan.
"""


def convolve(x: Array, kernel: Array, window: Window, pairs: Pairs) -> Array:
    """Correlate `(batch, *spatial, in)` with a kernel `(*window, in, out)`, in the faster form.

    The choice is made while tracing, from the backend and the shapes alone.
    """
    on_cpu = jax.default_backend() == "cpu"
    form = by_patches if on_cpu and window.area <= LARGEST_WINDOW else by_xla
    return form(x, kernel, window, pairs)


def by_patches(x: Array, kernel: Array, window: Window, pairs: Pairs) -> Array:
    """Convolve by one matrix product over shifted slices."""
    x = jnp.pad(x, ((0, 0), *pairs, (0, 0)))
    patches = _patches(x, window)
    return matmul_last(patches, kernel.reshape(patches.shape[-1], kernel.shape[-1]))


def by_xla(x: Array, kernel: Array, window: Window, pairs: Pairs) -> Array:
    """Convolve by XLA's own operation."""
    spatial = "HW"[-len(window.sizes) :]
    layout = (f"N{spatial}C", f"{spatial}IO", f"N{spatial}C")
    return jax.lax.conv_general_dilated(
        x,
        kernel,
        window.strides,
        pairs,
        rhs_dilation=window.dilation,
        dimension_numbers=layout,
    )


def _patches(x: Array, window: Window) -> Array:
    """Return what lies under the window at each place, along the last axis, in row order."""
    parts = [x]
    for axis, size in enumerate(window.sizes):
        stride, dilation = window.strides[axis], window.dilation[axis]
        shifted = (
            slices_along(part, axis + 1, size, stride=stride, dilation=dilation) for part in parts
        )
        parts = list(itertools.chain.from_iterable(shifted))
    return parts[0] if len(parts) == 1 else jnp.concatenate(parts, axis=-1)
