"""Data that a function closes over, brought to the precision of its parameters.

Only needed where JAX itself refuses to mix dtypes, as in `lax` operations and loop carries;
elsewhere the mixture is promoted on its own.
"""

import types
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxopt_dl._core.errors import is_traced
from jaxopt_dl._core.numerics import is_narrow, to_float64

Change = Callable[[Any], tuple[Any, bool]]
"""`data -> (changed data, whether it changed)`."""


def with_promoted_data(function: Callable) -> Callable | None:
    """Return a copy of a plain function whose enclosed and global data is float64.

    Functions it encloses are copied likewise, one inside the other; classes and modules stay.
    None if there is nothing to promote.
    """
    copied, changed = _copy(function, _promoted, depth=4)
    return copied if changed else None


def with_narrow_data(function: Callable) -> Callable:
    """Return the function with float64 data as float32, as JAX reads it outside of a check."""
    return _copy(function, narrowed, depth=4)[0]


def with_wide_integers(function: Callable) -> Callable:
    """Return the function with its enclosed floats and integers in 64 bits."""
    return _copy(with_promoted_data(function) or function, widened, depth=4)[0]


def widened(data: Any) -> tuple[Any, bool]:
    """Return a tree with its integer arrays in 64 bits, and whether there were narrower ones."""
    leaves, structure = jax.tree.flatten(data)
    narrow = [_is_narrow_integer(leaf) for leaf in leaves]
    pairs = zip(leaves, narrow, strict=True)
    changed = [np.asarray(leaf, np.int64) if is_narrow else leaf for leaf, is_narrow in pairs]
    return (structure.unflatten(changed), True) if any(narrow) else (data, False)


def _is_narrow_integer(leaf: Any) -> bool:
    if not isinstance(leaf, np.ndarray | jax.Array) or is_traced(leaf):
        return False
    integer = not jnp.issubdtype(leaf.dtype, jax.dtypes.extended)
    return integer and leaf.dtype in (np.int32, np.int16)


def narrowed(data: Any) -> tuple[Any, bool]:
    """Return a tree with its float64 NumPy arrays as float32, and whether there were any."""
    leaves, structure = jax.tree.flatten(data)
    wide = [isinstance(leaf, np.ndarray) and leaf.dtype == np.float64 for leaf in leaves]
    pairs = zip(leaves, wide, strict=True)
    changed = [leaf.astype(np.float32) if is_wide else leaf for leaf, is_wide in pairs]
    return (structure.unflatten(changed), True) if any(wide) else (data, False)


def _promoted(data: Any) -> tuple[Any, bool]:
    narrow = any(is_narrow(leaf) for leaf in jax.tree.leaves(data))
    return (to_float64(data), True) if narrow else (data, False)


def _copy(function: Any, change: Change, depth: int) -> tuple[Any, bool]:
    if not isinstance(function, types.FunctionType) or depth == 0:
        return function, False
    cells = [_replaced(cell.cell_contents, change, depth) for cell in function.__closure__ or ()]
    names = [name for name in function.__code__.co_names if name in function.__globals__]
    used = {name: _replaced(function.__globals__[name], change, depth) for name in names}
    defaults = [_replaced(value, change, depth) for value in function.__defaults__ or ()]
    if not any(changed for _, changed in (*cells, *used.values(), *defaults)):
        return function, False
    copied = types.FunctionType(
        function.__code__,
        {**function.__globals__, **{name: value for name, (value, _) in used.items()}},
        function.__name__,
        tuple(value for value, _ in defaults) or None,
        tuple(types.CellType(value) for value, _ in cells),
    )
    copied.__kwdefaults__ = function.__kwdefaults__
    return copied, True


def _replaced(value: Any, change: Change, depth: int) -> tuple[Any, bool]:
    if isinstance(value, types.FunctionType):
        return _copy(value, change, depth - 1)
    if isinstance(value, types.ModuleType | type):
        return value, False
    return change(value)
