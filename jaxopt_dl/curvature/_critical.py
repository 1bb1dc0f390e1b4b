"""Points of zero gradient: what kind they are, and a step that lands on the nearest of any kind."""

import enum
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxopt_dl._core.errors import check_number, fail, is_traced
from jaxopt_dl._core.types import Array, Number, PyTree

from ._function import check_params, flattened, loss_of
from ._products import hessian

TOLERANCE = 1e-6


class CriticalPoint(enum.StrEnum):
    """What the eigenvalues of the Hessian say about a point where the gradient is zero.

    Attributes:
      MINIMUM: all positive: every small step raises the loss.
      MAXIMUM: all negative: every small step lowers it.
      SADDLE: some of both signs: a minimum along one line, a maximum along another.
      DEGENERATE: some zero, the others of one sign: higher derivatives decide, as in a valley
        with a flat floor.
      PLATEAU: all zero: flat to second order.

    Examples:
      >>> classify_critical_point([2.0, -2.0]) is CriticalPoint.SADDLE
      True
    """

    MINIMUM = "minimum"
    MAXIMUM = "maximum"
    SADDLE = "saddle"
    DEGENERATE = "degenerate"
    PLATEAU = "plateau"


def classify_critical_point(eigenvalues: Any, *, tolerance: Number = TOLERANCE) -> CriticalPoint:
    """Say what kind of critical point has these eigenvalues.

    The two ends of the spectrum, as `extreme_eigenvalues` finds them, say the same as all.

    Args:
      eigenvalues: `(n,)`, of the Hessian at a point where the gradient is zero; concrete.
      tolerance: share of the largest size, from 0 to 1, below which an eigenvalue counts as
        zero.

    Returns:
      A `CriticalPoint`.

    Raises:
      TypeError: if the eigenvalues are traced.
      ValueError: if they are not one or more finite numbers, or `tolerance` is out of range.

    Examples:
      >>> [str(classify_critical_point(e)) for e in ([2, 2], [-2, -2], [2, -2], [2, 0])]
      ['minimum', 'maximum', 'saddle', 'degenerate']
    """
    who = "classify_critical_point"
    check_number(who, "tolerance", tolerance, low=0, high=1)
    if is_traced(eigenvalues):
        advice = "Call it outside of compiled programs."
        fail(who, "`eigenvalues` must be numbers", "got a tracer", advice, kind=TypeError)
    values = np.asarray(eigenvalues, np.float64)
    if values.ndim != 1 or not values.size or not np.all(np.isfinite(values)):
        came = f"got shape {values.shape}" if values.ndim != 1 or not values.size else "got others"
        fail(who, "`eigenvalues` must be finite numbers in a row", came, "Pass a vector.")
    zero = float(tolerance) * np.max(np.abs(values))
    signs = set(np.where(np.abs(values) <= zero, 0, np.sign(values)).astype(int).tolist())
    if {1, -1} <= signs:
        return CriticalPoint.SADDLE
    if 0 in signs:
        return CriticalPoint.PLATEAU if signs == {0} else CriticalPoint.DEGENERATE
    return CriticalPoint.MINIMUM if signs == {1} else CriticalPoint.MAXIMUM


def hessian_index(
    function: Callable,
    params: PyTree,
    *,
    args: Sequence[Any] = (),
    tolerance: Number = TOLERANCE,
) -> Array:
    """Count the directions in which a loss curves downward: negative eigenvalues of its Hessian.

    0 at a minimum, n at a maximum, between them at a saddle. The dense Hessian is formed, so it
    is for small networks. Pure: works inside compiled programs and under vmap.

    Args:
      function: `function(params, *args)` returns a scalar.
      params: any tree of floating-point arrays, n numbers in all.
      args: further arguments of `function`.
      tolerance: share of the largest size, from 0 to 1, below which an eigenvalue counts as
        zero.

    Returns:
      A scalar integer array, 0 to n.

    Raises:
      TypeError: if `params` holds other leaves, or `function` returns no real number.
      ValueError: if `function` returns several numbers, or `tolerance` is out of range.

    Examples:
      >>> import jax.numpy as jnp
      >>> int(hessian_index(lambda p: p[0] ** 2 - p[1] ** 2, jnp.zeros(2)))
      1
    """
    check_number("hessian_index", "tolerance", tolerance, low=0, high=1)
    values = jnp.linalg.eigvalsh(hessian(function, params, args=args))
    zero = jnp.asarray(tolerance, values.dtype) * jnp.max(jnp.abs(values))
    return jnp.sum(values < -zero)


def newton_step(function: Callable, params: PyTree, *, args: Sequence[Any] = ()) -> PyTree:
    """Move to where the quadratic model of a loss has zero gradient: minimum, maximum or saddle.

        params <- params - H^-1 grad

    A demonstration of why plain Newton steps do not train networks: a saddle attracts them just
    as a minimum does. The dense Hessian is formed and solved with.

    Args:
      function: `function(params, *args)` returns a scalar.
      params: any tree of floating-point arrays.
      args: further arguments of `function`.

    Returns:
      New parameters, a tree like `params`; NaN or infinite where the Hessian is singular.

    Raises:
      TypeError: if `params` holds other leaves, or `function` returns no real number.
      ValueError: if `function` returns several numbers.

    Examples:
      >>> import jax.numpy as jnp
      >>> print(newton_step(lambda p: p[0] ** 2 - p[1] ** 2, jnp.array([1.0, 0.5])))
      [0. 0.]
    """
    who = "newton_step"
    loss = loss_of(who, function, args)
    check_params(who, "params", params)
    flat, restored = flattened(params)
    slope = jax.grad(lambda x: loss(restored(x)))(flat)
    matrix = hessian(lambda x: loss(restored(x)), flat)
    return restored(flat - jnp.linalg.solve(matrix, slope))
