"""Penalties on the size of parameters, added to the mean loss."""

from collections.abc import Callable

import jax.numpy as jnp

from jaxopt_dl._core.errors import check_callable, check_floating, check_integer, check_number, fail
from jaxopt_dl._core.numerics import common_dtype
from jaxopt_dl._core.trees import leaves_with_paths, widen
from jaxopt_dl._core.types import Array, Number, PyTree


def is_kernel(path: str) -> bool:
    """Whether the leaf of this path is a kernel: biases and scales are not penalized.

    Args:
      path: the path of a leaf, such as `"00_dense/kernel"`.

    Returns:
      Whether its last part is `kernel`.

    Examples:
      >>> is_kernel("00_dense/kernel"), is_kernel("00_dense/bias")
      (True, False)
    """
    return path.rpartition("/")[2] == "kernel"


def l1_penalty(
    params: PyTree,
    lambd: Number,
    *,
    examples: int = 1,
    select: Callable[[str], bool] = is_kernel,
) -> Array:
    """Return `lambd / examples * sum(|w|)`, which draws weights toward exactly 0.

    The gradient at 0 is 0. Some texts divide by `2 * examples`; that only rescales `lambd`.

    Args:
      params: any pytree of floating-point arrays.
      lambd: strength, finite, at least 0.
      examples: size of the training set (not of the batch), at least 1, so that a strength means
        the same for every batch size.
      select: which leaves count, by path such as `"00_dense/kernel"`.

    Returns:
      A scalar, accumulated in at least float32.

    Raises:
      TypeError: if an argument has the wrong type or a selected leaf holds integers.
      ValueError: if a number is out of range or no leaf is selected.

    Examples:
      >>> params = {"kernel": jnp.array([[1.0, -2.0], [3.0, 0.5]]), "bias": jnp.ones(2)}
      >>> round(float(l1_penalty(params, 0.7, examples=10)), 4)
      0.455
    """
    who = "l1_penalty"
    # The slope of `jnp.abs` at 0 is 1; that of `w * sign(w)` is 0.
    total = _total(who, params, lambda w: w * jnp.sign(w), select)
    return _strength(who, lambd, examples, total) * total


def l2_penalty(
    params: PyTree,
    lambd: Number,
    *,
    examples: int = 1,
    select: Callable[[str], bool] = is_kernel,
) -> Array:
    """Return `lambd / (2 * examples) * sum(w**2)`, which keeps weights small.

    Its gradient is `lambd / examples * w`. Under plain gradient descent this is weight decay;
    under Adam it is not, since the adaptive scale undoes it.

    Args:
      params: any pytree of floating-point arrays.
      lambd: strength, finite, at least 0.
      examples: size of the training set (not of the batch), at least 1, so that a strength means
        the same for every batch size.
      select: which leaves count, by path such as `"00_dense/kernel"`.

    Returns:
      A scalar, accumulated in at least float32.

    Raises:
      TypeError: if an argument has the wrong type or a selected leaf holds integers.
      ValueError: if a number is out of range or no leaf is selected.

    Examples:
      >>> params = {"kernel": jnp.array([[1.0, -2.0], [3.0, 0.5]]), "bias": jnp.ones(2)}
      >>> round(float(l2_penalty(params, 0.7, examples=10)), 5)
      0.49875
    """
    who = "l2_penalty"
    total = _total(who, params, jnp.square, select)
    return _strength(who, lambd, examples, total) * total / 2


def _total(
    who: str,
    params: PyTree,
    measure: Callable[[Array], Array],
    select: Callable[[str], bool],
) -> Array:
    """Return the sum of `measure` over the entries of all selected leaves."""
    check_callable(who, "select", select)
    leaves = leaves_with_paths(params)
    chosen = [(path, leaf) for path, leaf in leaves if select(path)]
    if not chosen:
        shown = ", ".join(path for path, _ in leaves[:5]) or "no leaves at all"
        rule = "`select` must choose at least one leaf (by default those named `kernel`)"
        advice = "Pass `select=lambda path: ...`, True for the paths to penalize."
        fail(who, rule, f"got none of: {shown}", advice)
    for path, leaf in chosen:
        check_floating(who, path, leaf)
    sums = [jnp.sum(measure(widen(leaf))) for _, leaf in chosen]
    common = common_dtype(*sums)
    return sum((part.astype(common) for part in sums), jnp.zeros((), common))


def _strength(who: str, lambd: Number, examples: int, total: Array) -> Array:
    check_number(who, "lambd", lambd, low=0)
    check_integer(who, "examples", examples, low=1)
    return jnp.asarray(lambd).astype(total.dtype) / examples
