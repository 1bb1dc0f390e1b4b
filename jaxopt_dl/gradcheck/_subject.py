"""The gradient under test: `jax.grad` of the user's function, or one written by hand."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxopt_dl._core.errors import fail
from jaxopt_dl._core.types import PyTree
from jaxopt_dl.gradcheck._problem import WHO, Problem

Gradient = Callable[[np.ndarray], np.ndarray]


def gradient_of(function: Callable) -> Gradient:
    """Return the compiled reverse-mode gradient of a scalar function of a flat vector."""
    compiled = jax.jit(jax.grad(function))
    return lambda flat: np.asarray(compiled(jnp.asarray(flat)))


def subject(problem: Problem, gradient: Any) -> Gradient:
    """Return the gradient under test as a function of the flat vector.

    Args:
      problem: the user's function.
      gradient: None for `jax.grad`, a function of the same arguments that returns a tree like
        the parameters, or such a tree (right at the given parameters only).
    """
    if gradient is None:
        return gradient_of(problem.value)
    if callable(gradient):
        return lambda flat: problem.flatten(
            WHO, gradient(problem.restore(jnp.asarray(flat)), *problem.args, **problem.kwargs)
        )
    if not _like(problem, gradient):
        advice = "Pass a function, or a tree like the parameters."
        fail(WHO, "`gradient` must be a function or a tree", f"got {type(gradient)}", advice)
    values = problem.flatten(WHO, gradient)
    return lambda flat: values


def _like(problem: Problem, tree: PyTree) -> bool:
    return jax.tree.structure(tree, is_leaf=lambda leaf: leaf is None) == problem.treedef
