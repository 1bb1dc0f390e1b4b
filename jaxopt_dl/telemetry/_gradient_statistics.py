"""How the gradients of single examples scatter around their mean."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxopt_dl._core.errors import (
    check_callable,
    check_floating,
    check_integer,
    fail,
    is_traced,
)
from jaxopt_dl._core.trees import global_norm, leaves_with_paths, wide_dtype, widen
from jaxopt_dl._core.types import Array, PyTree

from ._rounding import rounding_of

WHO = "gradient_statistics"


class GradientStatistics(NamedTuple):
    """Signal and noise in the gradient of a batch of n examples.

    Attributes:
      mean: mean of the n gradients G, a pytree like the parameters.
      variance: unbiased variance of every entry from example to example, likewise.
      norm: Euclidean norm of the mean, a scalar.
      total_variance: sum of all variances, `tr(S)`, a scalar.
      standard_error: `sqrt(tr(S) / n)`, how far the mean of this batch is off, root mean
        square, a scalar. A batch of another size B has `sqrt(tr(S) / B)`.
      noise_scale: `tr(S) / |G|^2`, a scalar: the batch size at which noise and signal are
        equal. Much smaller batches waste steps and much larger ones waste examples.
        `|G|^2` is taken without its bias, `norm^2 - tr(S) / n`; infinite if that is not positive:
        then the batch is too small to tell.

    Examples:
      >>> loss = lambda w, x: jnp.mean((w - x) ** 2) / 2
      >>> found = gradient_statistics(loss, jnp.array(3.0), jnp.array([1.0, -1.0]))
      >>> float(found.norm), float(found.total_variance), float(found.noise_scale)
      (3.0, 2.0, 0.25)
    """

    mean: PyTree
    variance: PyTree
    norm: Array
    total_variance: Array
    standard_error: Array
    noise_scale: Array


def gradient_statistics(
    function: Callable[[PyTree, Any], Array], params: PyTree, batch: Any, *, chunk: int = 32
) -> GradientStatistics:
    """Measure how much the gradients of single examples differ.

    Gradients per example are taken by `vmap`, one chunk after the other, and merged so that
    nothing cancels; memory is needed for one chunk of them. Works inside compiled programs.
    Outside of them it is checked that their mean is the gradient of the whole batch: it is not
    where examples influence each other, as in batch normalization, nor for sums.

    Args:
      function: `function(params, batch)` returns the mean loss of a batch, a scalar.
      params: any pytree of floating-point arrays.
      batch: a pytree of arrays that share their first axis, at least 2 examples.
      chunk: number of examples whose gradients are held at once, at least 1.

    Returns:
      A `GradientStatistics`, each at least float32.

    Raises:
      TypeError: if `function` cannot be called, `params` holds other leaves, or `chunk` is not
        an integer.
      ValueError: if there are fewer than 2 examples, the arrays of the batch do not share their
        first axis, `chunk` is below 1, or the mean is not the gradient of the batch.

    Examples:
      >>> loss = lambda w, x: jnp.mean(x @ w)
      >>> x = jnp.array([[1.0, 0.0], [3.0, 0.0], [1.0, 4.0], [3.0, 4.0]])
      >>> found = gradient_statistics(loss, jnp.zeros(2), x)
      >>> found.mean.tolist(), round(float(found.standard_error), 4)
      ([2.0, 2.0], 1.291)

    References:
      McCandlish, Kaplan, Amodei et al., "An Empirical Model of Large-Batch Training", 2018,
      arXiv:1812.06162, section 2.2 and appendix A.1; there the two unbiased estimates come from
      batches of two sizes, here from single examples and the whole batch.
    """
    check_callable(WHO, "function", function)
    check_integer(WHO, "chunk", chunk, low=1)
    for path, leaf in leaves_with_paths(params):
        check_floating(WHO, path or "params", leaf)
    count = _count(batch)
    mean, squares = _moments(function, params, batch, count, chunk)
    variance = jax.tree.map(lambda square: square / (count - 1), squares)
    found = _summarize(mean, variance, count)
    _check_mean(found, jax.grad(function)(params, batch))
    return found


class _Moments(NamedTuple):
    mean: PyTree
    squares: PyTree
    """Sum of squared deviations from the mean, entry by entry."""


def _moments(function: Callable, params: PyTree, batch: Any, count: int, chunk: int) -> _Moments:
    """Merge the chunks one after the other; what does not fill a chunk comes last."""

    def of_chunk(rows: Any) -> _Moments:
        one = lambda row: jax.grad(function)(params, jax.tree.map(lambda x: x[None], row))  # noqa: E731
        gradients = jax.tree.map(widen, jax.vmap(one)(rows))
        mean = jax.tree.map(lambda g: jnp.mean(g, axis=0), gradients)
        off = jax.tree.map(lambda g, m: g - m[None], gradients, mean)
        return _Moments(mean, jax.tree.map(lambda d: jnp.sum(jnp.square(d), axis=0), off))

    def step(state: tuple[_Moments, Array], rows: Any) -> tuple[tuple[_Moments, Array], None]:
        moments, before = state
        return (_merge(moments, before, of_chunk(rows), chunk), before + chunk), None

    batch = jax.tree.map(jnp.asarray, batch)
    full = count // chunk
    whole = jax.tree.map(lambda x: x[: full * chunk].reshape(full, chunk, *x.shape[1:]), batch)
    nothing = jax.tree.map(lambda p: jnp.zeros(jnp.shape(p), wide_dtype(p)), params)
    start = _Moments(nothing, nothing), jnp.zeros((), jnp.int32)
    (moments, before), _ = jax.lax.scan(step, start, whole)
    if count == full * chunk:
        return moments
    rest = jax.tree.map(lambda x: x[full * chunk :], batch)
    return _merge(moments, before, of_chunk(rest), count - full * chunk)


def _merge(old: _Moments, before: Array, new: _Moments, count: int) -> _Moments:
    """Moments of two groups from those of each: `before` and `count` examples."""
    share = lambda x: jnp.asarray(count, x.dtype) / (before + count).astype(x.dtype)  # noqa: E731

    def squares(a: Array, b: Array, mean_a: Array, mean_b: Array) -> Array:
        return a + b + jnp.square(mean_b - mean_a) * before.astype(a.dtype) * share(a)

    mean = jax.tree.map(lambda a, b: a + (b - a) * share(a), old.mean, new.mean)
    return _Moments(mean, jax.tree.map(squares, old.squares, new.squares, old.mean, new.mean))


def _summarize(mean: PyTree, variance: PyTree, count: int) -> GradientStatistics:
    norm = global_norm(mean)
    sums = [jnp.sum(leaf).astype(norm.dtype) for leaf in jax.tree.leaves(variance)]
    total = jnp.sum(jnp.stack(sums))
    signal = jnp.square(norm) - total / count
    scale = total / jnp.where(signal > 0, signal, jnp.ones_like(signal))
    scale = jnp.where(signal > 0, scale, jnp.inf)
    return GradientStatistics(mean, variance, norm, total, jnp.sqrt(total / count), scale)


def _count(batch: Any) -> int:
    sizes = {np.shape(leaf)[0] if np.ndim(leaf) else 0 for leaf in jax.tree.leaves(batch)}
    if len(sizes) != 1 or (count := sizes.pop()) < 2:
        rule = "all arrays of the batch must share their first axis, of at least 2 examples"
        shapes = [np.shape(leaf) for leaf in jax.tree.leaves(batch)]
        fail(WHO, rule, f"got shapes {shapes[:4]}", "Close over what is no example.")
    return count


def _check_mean(found: GradientStatistics, whole: PyTree) -> None:
    """Compare the mean with the gradient of the batch, where both are numbers."""
    leaves = [*jax.tree.leaves(found.mean), *jax.tree.leaves(whole)]
    if any(is_traced(leaf) for leaf in leaves):
        return
    off = jax.tree.map(lambda mine, other: mine - widen(other), found.mean, whole)
    share = max(rounding_of(leaf) for leaf in jax.tree.leaves(whole))
    allowed = share * float(found.norm + found.standard_error)
    if float(global_norm(off)) > allowed:
        rule = "the mean over examples must be the gradient of the batch"
        came = f"got a distance of {float(global_norm(off)):.2g} at norm {float(found.norm):.2g}"
        advice = "Return a mean, and run normalization over the batch with fixed statistics."
        fail(WHO, rule, came, advice)
