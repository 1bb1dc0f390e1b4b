"""The one model whose loss has a minimum in closed form."""

import jax.numpy as jnp

from jaxopt_dl._core.errors import check_floating, check_shape
from jaxopt_dl._core.numerics import common_dtype, read_number
from jaxopt_dl._core.types import Array, Number


def normal_equations(x: Array, y: Array, *, lambd: Number = 0.0) -> Array:
    """Return the weights of a linear model that minimize squared error plus an L2 penalty.

    What gradient descent must converge to, where both exist: a reference for tests.

        w = (x.T @ x + lambd * I)^-1 @ x.T @ y
        minimizes mean((x @ w - y)^2) / 2 + lambd / (2 * rows) * sum(w^2)

    All weights are penalized, that of a column of ones too; there is no separate bias.

    Args:
      x: `(rows, features)`, floating point.
      y: `(rows,)` or `(rows, outputs)`, floating point.
      lambd: strength, finite, at least 0; divided by the rows as in `l2_penalty`.

    Returns:
      `(features,)` or `(features, outputs)`. Without a penalty, of several minima the smallest.

    Raises:
      TypeError: if an array does not hold floating-point numbers or `lambd` is not a number.
      ValueError: if the shapes do not fit or `lambd` is out of range.

    Examples:
      >>> x = jnp.array([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]])
      >>> [round(float(w), 4) for w in normal_equations(x, jnp.array([1.0, 3.0, 5.0]))]
      [1.0, 2.0]
    """
    who = "normal_equations"
    check_floating(who, "x", x)
    check_floating(who, "y", y)
    check_shape(who, "x", x, (None, None))
    check_shape(who, "y", y, (x.shape[0], *jnp.shape(y)[1:2]))
    common = common_dtype(x, y)
    x, y = jnp.asarray(x).astype(common), jnp.asarray(y).astype(common)
    # The penalty as further rows of the data: forming x.T @ x would square its condition number.
    features = x.shape[1]
    root = jnp.sqrt(read_number(who, "lambd", lambd, common, low=0))
    rows = jnp.concatenate([x, root * jnp.eye(features, dtype=common)])
    padding = jnp.zeros((features, *y.shape[1:]), common)
    return jnp.linalg.lstsq(rows, jnp.concatenate([y, padding]))[0]
