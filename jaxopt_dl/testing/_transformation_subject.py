"""A transformation under test, with what its promises need of it."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxopt_dl._core import jaxpr
from jaxopt_dl._core.errors import fail
from jaxopt_dl._core.types import PyTree

from ._promise import FLOATING, floating_dtypes

LOOPS = ("cond", "scan", "while")
Extra = dict[str, Any] | Callable[[PyTree], dict[str, Any]] | None


@dataclasses.dataclass(frozen=True)
class Subject:
    """A transformation under test, with parameters for it.

    Attributes:
      tx: the transformation.
      params: parameters to try it on, None for the usual ones.
      dtypes: precisions it is meant for.
      extra: extra arguments its update needs, or a function of the parameters that returns them.
    """

    tx: optax.GradientTransformationExtraArgs
    params: PyTree | None
    dtypes: tuple[np.dtype, ...]
    extra: Extra = None

    def made(self, dtype: Any) -> PyTree:
        """Return parameters in a dtype."""
        return as_dtype(self.params, dtype)

    def extra_for(self, params: PyTree) -> dict[str, Any]:
        """Return the extra arguments of an update."""
        return extra_for(self.extra, params)

    def update(self, updates: PyTree, state: PyTree, params: PyTree, **more: Any) -> tuple:
        """Update with the extra arguments, not compiled."""
        return self.tx.update(updates, state, params, **self.extra_for(params), **more)

    @functools.cached_property
    def quick(self) -> optax.GradientTransformationExtraArgs:
        """The transformation, compiled if interpreting it would compile a loop at each update."""
        params = self.made(jnp.float32)
        state, extra = self.tx.init(params), self.extra_for(params)
        program = jax.make_jaxpr(self.update)(params, state, params)
        if not any(site.equation.primitive.name in LOOPS for site in jaxpr.walk(program)):
            return self.tx
        return compiled(self.tx, extra)


def subject_of(
    transformation: optax.GradientTransformation,
    params: PyTree | None = None,
    dtypes: Sequence[Any] = FLOATING,
    extra: Extra = None,
) -> Subject:
    """Return what the promises are about."""
    checked = floating_dtypes("check_transformation", dtypes)
    return Subject(optax.with_extra_args_support(transformation), params, checked, extra)


def check_has_leaves(who: str, params: PyTree | None) -> None:
    """Check that parameters are left to their default or are some, naming the caller."""
    if params is not None and not jax.tree.leaves(params):
        advice = "Leave it out for the usual ones."
        fail(who, "`params` must hold at least one array", "got none", advice)


def compiled(
    tx: optax.GradientTransformation, extra: dict[str, Any]
) -> optax.GradientTransformationExtraArgs:
    """Return a transformation whose update is compiled; functions in `extra` are static."""
    functions = [name for name, value in extra.items() if callable(value)]
    update = jax.jit(tx.update, static_argnames=functions)
    return optax.GradientTransformationExtraArgs(tx.init, update)


def extra_for(extra: Extra, params: PyTree) -> dict[str, Any]:
    """Return the extra arguments of an update with these parameters."""
    return extra(params) if callable(extra) else extra or {}


def as_dtype(params: PyTree | None, dtype: Any) -> PyTree:
    """Return parameters in a dtype, the usual ones for None."""
    if params is not None:
        return jax.tree.map(lambda leaf: jnp.array(leaf, dtype), params)
    vector = np.array([0.9, -0.4, 0.3, 1.1, -0.8, 0.2, -1.3, 0.5, 0.7, -0.6])
    shaped = {
        "head": {"kernel": vector[3:9].reshape(2, 3), "bias": vector[:3]},
        "scale": vector[9],
    }
    return jax.tree.map(lambda leaf: jnp.array(leaf, dtype), shaped)
