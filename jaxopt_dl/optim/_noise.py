"""How far the gradient of a batch is from that of the whole set."""

import jax
import jax.numpy as jnp

from jaxopt_dl._core.errors import check_integer, fail
from jaxopt_dl._core.trees import squared_norm, widen
from jaxopt_dl._core.types import Array, PyTree


def gradient_noise(gradients: PyTree, *, population: int | None = None) -> Array:
    """Return the standard error of a batch gradient, from the gradients of its examples.

        sqrt(sum of variances / n)                                       drawn with replacement
        sqrt(sum of variances / n) * sqrt((N - n) / (N - 1))             without, of N examples

    It is the root mean square distance between the mean over such a batch and the mean over all
    examples. Four times the batch halves it: the returns of larger batches diminish.

    Args:
      gradients: a pytree of per-example gradients, each leaf `(n, ...)` with the same n of at
        least 2, as `jax.vmap(jax.grad(loss), (None, 0))(params, examples)` returns them.
      population: N, the examples the batch is drawn from without replacement, at least n; None
        for draws with replacement.

    Returns:
      A scalar in units of the gradient, at least float32.

    Raises:
      TypeError: if `population` is not an integer.
      ValueError: if leaves do not share their first axis, there are fewer than 2 examples, or
        `population` is smaller.

    Examples:
      >>> gradients = {"w": jnp.array([[1.0, 0.0], [3.0, 0.0], [1.0, 4.0], [3.0, 4.0]])}
      >>> round(float(gradient_noise(gradients)), 4)
      1.291

    References:
      Goodfellow, Bengio and Courville, "Deep Learning", 2016, section 8.1.3.
    """
    who = "gradient_noise"
    counts = {leaf.shape[0] if leaf.ndim else 0 for leaf in jax.tree.leaves(gradients)}
    if len(counts) != 1 or (count := counts.pop()) < 2:
        rule = "every leaf must have one row per example, at least 2"
        came = f"got {sorted(leaf.shape for leaf in jax.tree.leaves(gradients))}"
        fail(who, rule, came, "Pass what `jax.vmap(jax.grad(loss), (None, 0))` returns.")
    share = 1.0
    if population is not None:
        check_integer(who, "population", population, low=max(count, 2))
        share = (population - count) / (population - 1)
    deviations = jax.tree.map(_deviations, gradients)
    return jnp.sqrt(squared_norm(deviations) * (share / (count * (count - 1))))


def _deviations(leaf: Array) -> Array:
    wide = widen(leaf)
    return wide - jnp.mean(wide, axis=0, keepdims=True)
