"""float32 data that a function closes over, promoted like its parameters.

Only needed where JAX itself refuses to mix dtypes, as in `lax` operations and loop carries;
elsewhere the mixture is promoted on its own.
"""

import types
from collections.abc import Callable
from typing import Any

import jax

from jaxopt_dl._core.numerics import is_narrow, to_float64


def with_promoted_data(function: Callable) -> Callable | None:
    """Return a copy of a plain function whose enclosed and global data is float64.

    Functions it encloses are copied likewise, one inside the other; classes and modules stay.
    None if there is nothing to promote.
    """
    copied, changed = _copy(function, depth=4)
    return copied if changed else None


def _copy(function: Any, depth: int) -> tuple[Any, bool]:
    if not isinstance(function, types.FunctionType) or depth == 0:
        return function, False
    cells = [_replaced(cell.cell_contents, depth) for cell in function.__closure__ or ()]
    names = [name for name in function.__code__.co_names if name in function.__globals__]
    used = {name: _replaced(function.__globals__[name], depth) for name in names}
    defaults = [_replaced(value, depth) for value in function.__defaults__ or ()]
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


def _replaced(value: Any, depth: int) -> tuple[Any, bool]:
    if isinstance(value, types.FunctionType):
        return _copy(value, depth - 1)
    if isinstance(value, types.ModuleType | type):
        return value, False
    narrow = any(is_narrow(leaf) for leaf in jax.tree.leaves(value))
    return (to_float64(value), True) if narrow else (value, False)
