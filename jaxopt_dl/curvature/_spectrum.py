"""Eigenvalues of a Hessian that is never formed: Lanczos with full reorthogonalization."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxopt_dl._core import numerics
from jaxopt_dl._core.errors import (
    check_callable,
    check_floating,
    check_integer,
    check_key,
    fail,
    is_traced,
)
from jaxopt_dl._core.types import Array, Key, PyTree

from ._function import check_params, flattened, loss_of
from ._products import product

STEPS = 64
EXHAUSTED = 64.0
"""Times the unit roundoff of everything seen so far: what is left below this is rounding."""


class Tridiagonal(NamedTuple):
    """What Lanczos makes of a symmetric matrix A: `basis @ A @ basis.T` is tridiagonal.

    Attributes:
      diagonal: `(k,)`.
      off_diagonal: `(k - 1,)`; 0 where a new start was needed.
      basis: `(k, n)`, orthonormal rows.
      remainder: how far the basis is from being invariant, a scalar; 0 for k = n.

    Examples:
      >>> import jax.numpy as jnp
      >>> found = lanczos(lambda v: 2.0 * v, jnp.ones(4), 1)
      >>> print(found.diagonal, found.remainder)
      [2.] 0.0
    """

    diagonal: Array
    off_diagonal: Array
    basis: Array
    remainder: Array

    def eigenvalues(self) -> tuple[Array, Array]:
        """Return approximate eigenvalues, ascending, and how far off each may be, both `(k,)`."""
        below = jnp.diag(self.off_diagonal, -1)
        values, vectors = jnp.linalg.eigh(jnp.diag(self.diagonal) + below + below.T)
        return values, jnp.abs(self.remainder * vectors[-1])


class ExtremeEigenvalues(NamedTuple):
    """The ends of a spectrum; the fields are numbers.

    Attributes:
      low: the smallest eigenvalue.
      high: the largest.
      low_error: an eigenvalue lies at most so far from `low`.
      high_error: the same for `high`.

    Examples:
      >>> import jax.numpy as jnp
      >>> ends = extreme_eigenvalues(lambda p: p[0] ** 2 - p[1] ** 2, jnp.zeros(2))
      >>> round(float(ends.low), 8), round(float(ends.high), 8)
      (-2.0, 2.0)
    """

    low: Any
    high: Any
    low_error: Any
    high_error: Any


def lanczos(matvec: Callable[[Array], Array], start: Array, steps: int) -> Tridiagonal:
    """Reduce a symmetric matrix, known by its products alone, to a small tridiagonal one.

    Every new direction is made orthogonal to all earlier ones, twice, so no false copies of
    eigenvalues appear. Where the directions reachable from `start` are exhausted, it goes on
    with the coordinate that they cover least; after n steps all n eigenvalues are found,
    multiple ones included. Pure: works inside compiled programs.

    Args:
      matvec: returns A v for `(n,)` v, in the same dtype.
      start: `(n,)`, floating point and not zero; best drawn at random.
      steps: k, from 1 to n; the basis takes k times n numbers of memory.

    Returns:
      A `Tridiagonal`.

    Raises:
      TypeError: if `matvec` cannot be called or `start` is not floating point.
      ValueError: if `start` is no vector, or is zero, or `steps` is out of range.

    Examples:
      >>> import jax.numpy as jnp
      >>> matrix = jnp.diag(jnp.array([1.0, 2.0, 5.0]))
      >>> values, errors = lanczos(lambda v: matrix @ v, jnp.ones(3), 3).eigenvalues()
      >>> print(jnp.round(values, 4))
      [1. 2. 5.]

    References:
      Lanczos, J. Res. Nat. Bur. Standards 45, 1950; Paige, "Computational variants of the
      Lanczos method for the eigenproblem", 1972.
    """
    who = "lanczos"
    check_callable(who, "matvec", matvec)
    start = jnp.asarray(start)
    check_floating(who, "start", start)
    if start.ndim != 1 or start.size == 0:
        fail(who, "`start` must be a vector", f"got shape {start.shape}", "Ravel it first.")
    if not is_traced(start) and not np.any(start):
        fail(who, "`start` must not be zero", "got zeros", "Draw it with `jax.random.normal`.")
    check_integer(who, "steps", steps, low=1)
    if steps > start.size:
        advice = "More steps find nothing more."
        fail(who, f"`steps` must be at most {start.size}", f"got {steps}", advice)
    return _run(matvec, start, steps)


def extreme_eigenvalues(
    function: Callable,
    params: PyTree,
    *,
    args: Sequence[Any] = (),
    steps: int = STEPS,
    key: Key | None = None,
    float64: bool = True,
) -> ExtremeEigenvalues:
    """Find the smallest and the largest eigenvalue of the Hessian of a loss.

    The largest bounds the learning rate: gradient descent diverges above 2 / high. A negative
    smallest one means that the loss still falls along some direction, as at a saddle.

    Args:
      function: `function(params, *args)` returns a scalar.
      params: any tree of floating-point arrays, n numbers in all.
      args: further arguments of `function`; floating-point arrays among them are promoted too.
      steps: of Lanczos, at least 1, each a Hessian-vector product; cut off at n, where the
        result is exact. Raise it if the errors are too large; memory is steps * n numbers.
      key: of the start vector; a fixed one if None.
      float64: compute in float64, whatever the dtype of `params`. Pass False inside compiled
        programs, and where there is no float64.

    Returns:
      `ExtremeEigenvalues`; Python numbers with `float64`, else arrays.

    Raises:
      TypeError: if `params` holds other leaves, `function` returns no real number, or the
        arguments are traced although `float64` is on.
      ValueError: if `function` returns several numbers, or `steps` is out of range.

    Examples:
      >>> import jax.numpy as jnp
      >>> loss = lambda p, x: jnp.sum((x @ p["w"]) ** 2)
      >>> x = jnp.diag(jnp.array([1.0, 2.0]))
      >>> ends = extreme_eigenvalues(loss, {"w": jnp.ones(2)}, args=(x,))
      >>> round(ends.low, 8), round(ends.high, 8)
      (2.0, 8.0)
    """
    who = "extreme_eigenvalues"
    loss_of(who, function, args)
    check_params(who, "params", params)
    check_integer(who, "steps", steps, low=1)
    key = jax.random.key(0) if key is None else key
    check_key(who, key)
    if not float64:
        return _ends(who, function, params, args, key, steps)
    if any(is_traced(leaf) for leaf in jax.tree.leaves((params, args))):
        rule = "arguments must hold numbers, because float64 is switched on around a program"
        advice = "Pass float64=False, or call it outside."
        fail(who, rule, "got tracers", advice, kind=TypeError)
    with numerics.float64(), jax.numpy_dtype_promotion("standard"):
        params, given = numerics.to_float64((params, tuple(args)))
        found = _compiled(lambda p, a: _ends(who, function, p, a, key, steps), params, given)
        return ExtremeEigenvalues(*(float(number) for number in found))


def condition_number(matrix: Array) -> float:
    """Return the largest over the smallest eigenvalue of a symmetric matrix.

    Gradient descent at its best rate reduces the error of a quadratic loss by
    (kappa - 1) / (kappa + 1) per step: inputs of unequal range make kappa huge and descent slow.

    Args:
      matrix: `(n, n)`, symmetric and positive semidefinite, such as a Hessian at a minimum.

    Returns:
      A float of at least 1; infinity where the smallest eigenvalue is zero up to rounding.

    Raises:
      ValueError: if it is not square, not finite, not symmetric, or has a negative eigenvalue.

    Examples:
      >>> import jax.numpy as jnp
      >>> round(condition_number(jnp.diag(jnp.array([1.0, 100.0]))), 3)
      100.0
    """
    who = "condition_number"
    array = np.asarray(matrix, np.float64)
    if array.ndim != 2 or array.shape[0] != array.shape[1] or not array.size:
        fail(who, "`matrix` must be square", f"got shape {array.shape}", "Pass a Hessian.")
    if not np.all(np.isfinite(array)):
        fail(who, "`matrix` must be finite", "got NaN or infinity", "Check the loss.")
    roundoff = _roundoff(matrix) * array.shape[0]
    if np.max(np.abs(array - array.T)) > 8 * roundoff * np.max(np.abs(array)):
        fail(who, "`matrix` must be symmetric", "got one that is not", "Average it with its `.T`.")
    values = np.linalg.eigvalsh((array + array.T) / 2)
    zero = roundoff * np.max(np.abs(values))
    if values[0] < -zero:
        advice = "At a saddle, descent along that direction does not converge at all."
        fail(who, "no eigenvalue may be negative", f"got {values[0]:.6g}", advice)
    return float(values[-1] / values[0]) if values[0] > zero else float("inf")


def _compiled(run: Callable, params: PyTree, args: tuple) -> Any:
    """Compile and run, with arrays as data of the program and everything else as part of it."""
    leaves, treedef = jax.tree.flatten(args)
    places = [i for i, leaf in enumerate(leaves) if isinstance(leaf, np.ndarray | jax.Array)]

    def with_arrays(params: PyTree, arrays: list) -> Any:
        filled = dict(zip(places, arrays, strict=True))
        merged = [filled.get(i, leaf) for i, leaf in enumerate(leaves)]
        return run(params, jax.tree.unflatten(treedef, merged))

    return jax.jit(with_arrays)(params, [leaves[i] for i in places])


def _roundoff(matrix: Any) -> float:
    dtype = np.asarray(matrix).dtype
    return float(jnp.finfo(dtype if jnp.issubdtype(dtype, np.floating) else np.float64).eps)


def _ends(
    who: str, function: Callable, params: PyTree, args: Sequence[Any], key: Key, steps: int
) -> ExtremeEigenvalues:
    loss = loss_of(who, function, args)
    flat, restored = flattened(params)
    start = jax.random.normal(key, flat.shape, flat.dtype)

    def matvec(vector: Array) -> Array:
        return product(lambda x: loss(restored(x)), flat, vector)

    values, errors = _run(matvec, start, min(steps, flat.size)).eigenvalues()
    return ExtremeEigenvalues(values[0], values[-1], errors[0], errors[-1])


def _run(matvec: Callable[[Array], Array], start: Array, steps: int) -> Tridiagonal:
    tiny = EXHAUSTED * float(jnp.finfo(start.dtype).eps)

    def step(carry: tuple[Array, Array], k: Array) -> tuple[tuple[Array, Array], tuple]:
        basis, scale = carry
        image = matvec(basis[k])
        along = basis[k] @ image
        rest = _orthogonal(image, basis)
        length = jnp.linalg.norm(rest)
        scale = jnp.maximum(scale, jnp.linalg.norm(image))
        exhausted = length <= tiny * scale
        following = jnp.where(exhausted, _uncovered(basis), rest)
        basis = basis.at[k + 1].set(following / jnp.linalg.norm(following), mode="drop")
        return (basis, scale), (along, jnp.where(exhausted, jnp.zeros_like(length), length))

    basis = jnp.zeros((steps, start.size), start.dtype)
    basis = basis.at[0].set(start / jnp.linalg.norm(start))
    carry = (basis, jnp.zeros((), start.dtype))
    (basis, _), (diagonal, off) = jax.lax.scan(step, carry, jnp.arange(steps))
    complete = steps == start.size
    remainder = jnp.zeros_like(off[-1]) if complete else off[-1]
    return Tridiagonal(diagonal, off[:-1], basis, remainder)


def _orthogonal(vector: Array, basis: Array) -> Array:
    """Take away what lies in the basis; the second time removes the rounding of the first."""
    for _ in range(2):
        vector = vector - basis.T @ (basis @ vector)
    return vector


def _uncovered(basis: Array) -> Array:
    """Return the coordinate direction that the basis covers least, made orthogonal to it."""
    worst = jnp.argmin(jnp.sum(jnp.square(basis), axis=0))
    return _orthogonal(jnp.zeros_like(basis[0]).at[worst].set(1), basis)
