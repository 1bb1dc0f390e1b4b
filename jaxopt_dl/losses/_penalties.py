"""Penalties on the size of parameters, added to the mean loss."""

from collections.abc import Callable

import jax.numpy as jnp

from jaxopt_dl._core.errors import check_callable, check_floating, check_integer, fail
from jaxopt_dl._core.numerics import common_dtype, read_number, shrink
from jaxopt_dl._core.trees import is_selected, leaves_with_paths, widen
from jaxopt_dl._core.types import Array, Number, PyTree


def l1_penalty(
    params: PyTree,
    lambd: Number,
    *,
    examples: int = 1,
    select: Callable[[str], bool] | None = None,
) -> Array:
    """Return `lambd / examples * sum(|w|)`, which draws weights toward exactly 0.

    The gradient at 0 is 0. Some texts divide by `2 * examples`; that only rescales `lambd`.

    Args:
      params: any pytree of floating-point arrays.
      lambd: strength, finite, at least 0.
      examples: size of the training set (not of the batch), at least 1, so that a strength means
        the same for every batch size.
      select: which leaves count, by path such as `"00_dense/kernel"`; by default the kernels,
        see `optim.is_kernel`.

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
    select: Callable[[str], bool] | None = None,
) -> Array:
    """Return `lambd / (2 * examples) * sum(w**2)`, which keeps weights small.

    Its gradient is `lambd / examples * w`. Under plain gradient descent this is weight decay;
    under Adam it is not, since the adaptive scale undoes it.

    Args:
      params: any pytree of floating-point arrays.
      lambd: strength, finite, at least 0.
      examples: size of the training set (not of the batch), at least 1, so that a strength means
        the same for every batch size.
      select: which leaves count, by path such as `"00_dense/kernel"`; by default the kernels,
        see `optim.is_kernel`.

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


def elastic_net_penalty(
    params: PyTree,
    lambd: Number,
    *,
    l1_share: Number,
    examples: int = 1,
    select: Callable[[str], bool] | None = None,
) -> Array:
    """Return a mixture of the L1 and the L2 penalty: zeros where they cost little, else shrinkage.

        l1_share * l1_penalty + (1 - l1_share) * l2_penalty

    Args:
      params: any pytree of floating-point arrays.
      lambd: strength, finite, at least 0.
      l1_share: share of L1, in [0, 1].
      examples: size of the training set (not of the batch), at least 1.
      select: which leaves count, by path such as `"00_dense/kernel"`; by default the kernels,
        see `optim.is_kernel`.

    Returns:
      A scalar, accumulated in at least float32.

    Raises:
      TypeError: if an argument has the wrong type or a selected leaf holds integers.
      ValueError: if a number is out of range or no leaf is selected.

    Examples:
      >>> params = {"kernel": jnp.array([[1.0, -2.0], [3.0, 0.5]])}
      >>> round(float(elastic_net_penalty(params, 1.0, l1_share=0.5)), 4)
      6.8125

    References:
      Zou and Hastie, "Regularization and variable selection via the elastic net", 2005.
    """
    who = "elastic_net_penalty"

    def measure(w: Array) -> Array:
        share = read_number(who, "l1_share", l1_share, w.dtype, low=0, high=1)
        return share * w * jnp.sign(w) + (1 - share) * jnp.square(w) / 2

    total = _total(who, params, measure, select)
    return _strength(who, lambd, examples, total) * total


def soft_threshold(x: Array, threshold: Number) -> Array:
    """Move every value toward 0 by `threshold`, and stop at exactly 0.

    The proximal step of the L1 penalty: after a gradient step of rate `r`, a threshold of
    `r * lambd / examples` sets small weights to exact zeros, which steps along the subgradient
    almost never reach.

        soft_threshold(x, t) = sign(x) * max(|x| - t, 0)

    Args:
      x: floating-point array of any shape.
      threshold: t, finite, at least 0, in units of `x`.

    Returns:
      An array of the same shape and dtype.

    Raises:
      TypeError: if `x` holds integers or `threshold` is not a number.
      ValueError: if `threshold` is out of range.

    Examples:
      >>> soft_threshold(jnp.array([0.5, -0.25, 1.0]), 0.25).tolist()
      [0.25, 0.0, 0.75]

    References:
      Tibshirani, "Regression Shrinkage and Selection via the Lasso", 1996; Daubechies et al.,
      "An iterative thresholding algorithm", 2004.
    """
    who = "soft_threshold"
    check_floating(who, "x", x)
    x = jnp.asarray(x)
    return shrink(x, read_number(who, "threshold", threshold, x.dtype, low=0))


def _total(
    who: str,
    params: PyTree,
    measure: Callable[[Array], Array],
    select: Callable[[str], bool] | None,
) -> Array:
    """Return the sum of `measure` over the entries of all selected leaves."""
    if select is not None:
        check_callable(who, "select", select)
    leaves = leaves_with_paths(params)
    chosen = [(path, leaf) for path, leaf in leaves if is_selected(select, path, leaf)]
    if not chosen:
        shown = ", ".join(path for path, _ in leaves[:5]) or "no leaves at all"
        rule = "`select` must choose at least one leaf (by default the kernels)"
        advice = "Pass `select=lambda path: ...`, True for the paths to penalize."
        fail(who, rule, f"got none of: {shown}", advice)
    for path, leaf in chosen:
        check_floating(who, path, leaf)
    sums = [jnp.sum(measure(widen(leaf))) for _, leaf in chosen]
    common = common_dtype(*sums)
    return sum((part.astype(common) for part in sums), jnp.zeros((), common))


def _strength(who: str, lambd: Number, examples: int, total: Array) -> Array:
    check_integer(who, "examples", examples, low=1)
    return read_number(who, "lambd", lambd, total.dtype, low=0) / examples
