"""Functions that JAX cannot trace, such as plain NumPy: called from inside a program.

They have no automatic gradient, but differences can check one that was written by hand.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from jaxopt_dl._core.errors import is_traced
from jaxopt_dl._core.numerics import float64
from jaxopt_dl._core.types import Array

NOT_TRACEABLE = (
    jax.errors.TracerArrayConversionError,
    jax.errors.TracerBoolConversionError,
    jax.errors.TracerIntegerConversionError,
    jax.errors.ConcretizationTypeError,
)


def on_host(function: Callable, has_aux: bool) -> Callable[..., Array]:
    """Return a traceable function of the same arguments that calls `function` as it is.

    Args:
      function: returns a scalar, or `(scalar, aux)`.
      has_aux: which of the two.
    """

    @functools.wraps(function)
    def called(*args: Any, **kwargs: Any) -> Array:
        leaves, treedef = jax.tree.flatten((args, kwargs))
        moving = [i for i, leaf in enumerate(leaves) if is_traced(leaf)]

        def run(*values: Any) -> np.ndarray:
            filled = dict(zip(moving, map(np.asarray, values), strict=True))
            given = [filled.get(i, leaf) for i, leaf in enumerate(leaves)]
            inner_args, inner_kwargs = jax.tree.unflatten(treedef, given)
            with float64():  # callbacks run in a thread of their own
                out = function(*inner_args, **inner_kwargs)
            return np.asarray(out[0] if has_aux else out, np.float64)

        result = jax.ShapeDtypeStruct((), np.float64)
        moved = [leaves[i] for i in moving]
        return jax.pure_callback(run, result, *moved, vmap_method="sequential")

    return called
