"""Second derivatives: applied to a vector without ever being formed, or as a dense matrix."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxopt_dl._core.types import Array, PyTree

from ._function import check_like, check_params, flattened, loss_of


def hessian_vector_product(
    function: Callable, params: PyTree, vector: PyTree, *, args: Sequence[Any] = ()
) -> PyTree:
    """Multiply the Hessian of a loss by a vector, at about twice the cost of a gradient.

        H v = d/dt grad f(params + t v)   at t = 0, forward mode over reverse mode

    The matrix is never formed, so it works for any number of parameters. Pure: works inside
    compiled programs, and vmap over `vector` multiplies several.

    Args:
      function: `function(params, *args)` returns a scalar.
      params: any tree of floating-point arrays.
      vector: a tree of the same structure, shapes and dtypes.
      args: further arguments of `function`, such as a batch.

    Returns:
      A tree like `params`.

    Raises:
      TypeError: if dtypes differ, or `function` returns no real number.
      ValueError: if structures or shapes differ, or `function` returns several numbers.

    Examples:
      >>> import jax.numpy as jnp
      >>> saddle = lambda p: p["x"] ** 2 - p["y"] ** 2
      >>> here, along = {"x": 0.0, "y": 0.0}, {"x": 1.0, "y": 1.0}
      >>> {k: float(v) for k, v in hessian_vector_product(saddle, here, along).items()}
      {'x': 2.0, 'y': -2.0}

    References:
      Pearlmutter, "Fast exact multiplication by the Hessian", Neural Computation 6, 1994.
    """
    who = "hessian_vector_product"
    loss = loss_of(who, function, args)
    check_params(who, "params", params)
    check_like(who, "vector", vector, params)
    params, vector = jax.tree.map(jnp.asarray, (params, vector))
    return product(loss, params, vector)


def hessian(function: Callable, params: PyTree, *, args: Sequence[Any] = ()) -> Array:
    """Return the dense Hessian of a loss: for small networks, teaching and tests.

    It costs one Hessian-vector product per parameter and n^2 numbers of memory.

    Args:
      function: `function(params, *args)` returns a scalar.
      params: any tree of floating-point arrays, n numbers in all.
      args: further arguments of `function`.

    Returns:
      `(n, n)` of at least float32, symmetric, rows in the order of `jax.tree.leaves(params)`,
      each leaf raveled.

    Raises:
      TypeError: if `params` holds other leaves, or `function` returns no real number.
      ValueError: if `function` returns several numbers.

    Examples:
      >>> import jax.numpy as jnp
      >>> print(hessian(lambda p: p[0] ** 2 - 3 * p[0] * p[1], jnp.zeros(2)))
      [[ 2. -3.]
       [-3.  0.]]
    """
    who = "hessian"
    loss = loss_of(who, function, args)
    check_params(who, "params", params)
    flat, restored = flattened(params)
    matrix = jax.vmap(lambda row: product(lambda x: loss(restored(x)), flat, row))(
        jnp.eye(flat.size, dtype=flat.dtype)
    )
    return (matrix + matrix.T) / 2


def product(loss: Callable[[PyTree], Array], params: PyTree, vector: PyTree) -> PyTree:
    """Multiply without any check."""
    return jax.jvp(jax.grad(loss), (params,), (vector,))[1]
