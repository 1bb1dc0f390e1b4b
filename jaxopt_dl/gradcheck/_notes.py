"""The textbook algorithm, as it is taught: one step size, one number, four grades.

Good for learning and for comparison; `check_gradients` itself measures instead of assuming.
"""

import enum
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxopt_dl._core.errors import check_callable, check_choice, check_number, fail
from jaxopt_dl._core.numerics import float64
from jaxopt_dl._core.types import PyTree

from ._refusals import is_untraceable
from ._returned import as_loss

DEFAULT_STEP = 1e-7


class Grade(enum.StrEnum):
    """What a relative difference between gradient and finite differences means.

    Examples:
      >>> grade(0.4) is Grade.BUG, Grade("check") is Grade.CHECK
      (True, True)
    """

    PASS = "pass"
    CHECK = "check"
    SUSPICIOUS = "suspicious"
    BUG = "bug"


def finite_difference(
    function: Callable[[PyTree], Any],
    x: PyTree,
    *,
    eps: float | None = None,
    mode: str = "central",
    dtype: Any = np.float64,
) -> PyTree:
    """Approximate the gradient of a scalar function, one entry at a time.

    All other entries stay at their current values while one moves:

        central:  (f(x + eps e_i) - f(x - eps e_i)) / (2 eps), error of order eps^2
        forward:  (f(x + eps e_i) - f(x)) / eps,               error of order eps

    Costs two (one) evaluations per entry: for finding bugs, never for training.

    Args:
      function: takes a tree like `x`, returns a scalar.
      x: tree of floating-point arrays of any shapes.
      eps: the step, positive, in units of `x`; 1e-7 if not given.
      mode: "central" (two-sided) or "forward" (one-sided).
      dtype: the precision to compute in. Float32 resolves no step of 1e-7, so it needs `eps`.

    Returns:
      A tree like `x` of NumPy arrays of `dtype`.

    Raises:
      TypeError: if `function` cannot be called or does not return a real floating-point
        number, or a leaf is not floating point.
      ValueError: if `eps` is not positive, `mode` is unknown, or `dtype` is narrower than
        float64 and no `eps` is given.

    Examples:
      >>> import numpy as np
      >>> print(np.round(finite_difference(lambda x: x**3, 1.0, eps=0.01, mode="forward"), 4))
      3.0301
      >>> print(np.round(finite_difference(lambda x: x**3, 1.0, eps=0.01), 4))
      3.0001
    """
    who = "finite_difference"
    check_callable(who, "function", function)
    check_choice(who, "mode", mode, ["central", "forward"])
    dtype = np.dtype(dtype)
    if eps is None and dtype.itemsize < 8:
        advice = "Pass an `eps` of about 5e-3 (central) or 3e-4 (forward), or use float64."
        fail(who, "`eps` must be given below float64", f"got dtype {dtype}", advice)
    step = DEFAULT_STEP if eps is None else eps
    check_number(who, "eps", step, low=0.0, low_open=True)
    leaves, treedef = jax.tree.flatten(x)
    for leaf in leaves:
        if not jnp.issubdtype(np.asarray(leaf).dtype, np.floating):
            came = f"got dtype {np.asarray(leaf).dtype}"
            fail(who, "`x` must hold floating-point leaves", came, "Convert it.", kind=TypeError)
    with float64(), jax.numpy_dtype_promotion("standard"):
        arrays = [np.array(leaf, dtype) for leaf in leaves]
        value = _compiled(who, lambda parts: function(jax.tree.unflatten(treedef, parts)), arrays)
        found = [_entrywise(value, arrays, i, dtype.type(step), mode) for i in range(len(arrays))]
    return jax.tree.unflatten(treedef, found)


def relative_difference(first: PyTree, second: PyTree) -> float:
    """Compare two gradients by one number, over all leaves together.

        |a - b| / (|a| + |b|)   in Euclidean norms; 0 when both are zero

    It hides entries that are small beside the largest one; look at each leaf as well.

    Args:
      first: tree of real arrays.
      second: tree of the same structure and shapes.

    Returns:
      A float between 0 (equal) and 1 (opposite, or one of them zero).

    Raises:
      ValueError: if structures or shapes differ.

    Examples:
      >>> print(round(relative_difference({"w": 1.0}, {"w": 2.0}), 4))
      0.3333
    """
    who = "relative_difference"
    a, b = jax.tree.leaves(first), jax.tree.leaves(second)
    if jax.tree.structure(first) != jax.tree.structure(second):
        came = f"got {jax.tree.structure(first)} and {jax.tree.structure(second)}"
        fail(who, "both trees must have the same structure", came, "Compare like with like.")
    for one, other in zip(a, b, strict=True):
        if np.shape(one) != np.shape(other):
            came = f"got {np.shape(one)} and {np.shape(other)}"
            fail(who, "leaves must have the same shapes", came, "Nothing is broadcast silently.")
    return norm_ratio(_joined(a), _joined(b))


def grade(relative: float) -> Grade:
    """Name what a relative difference means for float64 differences with a step of 1e-7.

    Up to 1e-7 it is as good as it gets; up to 1e-5 have a look; up to 1e-3 it is suspicious;
    above, expect a bug. A single wrong entry can sit in the middle bands.

    Args:
      relative: a relative difference, from 0 to 1; NaN counts as a bug.

    Returns:
      A `Grade`.

    Examples:
      >>> [str(grade(value)) for value in (1e-8, 5e-6, 5e-4, 0.1)]
      ['pass', 'check', 'suspicious', 'bug']
    """
    for limit, name in ((1e-7, Grade.PASS), (1e-5, Grade.CHECK), (1e-3, Grade.SUSPICIOUS)):
        if relative <= limit:
            return name
    return Grade.BUG


@np.errstate(all="ignore")
def norm_ratio(a: np.ndarray, b: np.ndarray) -> float:
    """Return `|a - b| / (|a| + |b|)` for two vectors, 0 when both are zero, NaN if one has any."""
    scale = max(np.max(np.abs(a), initial=0.0), np.max(np.abs(b), initial=0.0))
    if scale == 0:
        return 0.0
    a, b = a / scale, b / scale
    return float(np.linalg.norm(a - b) / (np.linalg.norm(a) + np.linalg.norm(b)))


def _joined(leaves: list) -> np.ndarray:
    parts = [np.asarray(leaf, np.float64).ravel() for leaf in leaves]
    return np.concatenate([np.zeros(0), *parts])


def _compiled(who: str, function: Callable, arrays: list[np.ndarray]) -> Callable:
    """Return the function compiled, or as it is where JAX cannot trace it."""

    def value(parts: list) -> Any:
        return as_loss(who, function(parts))

    compiled = jax.jit(value)
    try:
        compiled(arrays)
    except Exception as error:
        if is_untraceable(error):
            return value
        raise
    return compiled


def _entrywise(
    value: Callable, arrays: list[np.ndarray], which: int, step: np.floating, mode: str
) -> np.ndarray:
    """Difference every entry of one leaf, in the dtype of the leaf."""

    def at(position: tuple[int, ...], move: np.floating) -> np.ndarray:
        moved = arrays[which].copy()
        moved[position] += move
        return np.asarray(value([*arrays[:which], moved, *arrays[which + 1 :]]))

    slope = np.empty_like(arrays[which])
    base = np.asarray(value(arrays))
    for position in np.ndindex(slope.shape):
        above = at(position, step)
        below = at(position, -step) if mode == "central" else base
        slope[position] = (above - below) / (step * slope.dtype.type(2 if mode == "central" else 1))
    return slope
