"""The user's function as a scalar function of one flat float64 vector.

Everything that depends on the form of the parameters lives here; the rest of the package sees
a vector, and slices of it that carry names.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, NoReturn

import jax
import jax.numpy as jnp
import numpy as np

from jaxopt_dl._core.errors import fail, is_traced
from jaxopt_dl._core.jaxpr import Program
from jaxopt_dl._core.numerics import to_float64
from jaxopt_dl._core.trees import path_string
from jaxopt_dl._core.types import Array, PyTree

from . import _refusals
from ._arguments import check_call
from ._closures import (
    narrowed,
    widened,
    with_narrow_data,
    with_promoted_data,
    with_wide_integers,
)
from ._likeness import check_finite, is_none, leaves_like
from ._returned import as_loss
from ._slices import Slice
from ._words import counted, kind_of, leaf_name, listed

WHO = "check_gradients"


class Problem(NamedTuple):
    """A scalar function of a flat vector, and how the vector maps to the user's parameters.

    Attributes:
      function: the user's function.
      start: the parameters as a `(size,)` float64 NumPy vector.
      slices: the floating-point leaves, in the order of the vector.
      treedef: structure of the user's parameters, None counted as a leaf.
      fixed: the other leaves by position (integers, booleans, keys, None, functions).
      args: further positional arguments, floating-point arrays promoted.
      kwargs: further keyword arguments, likewise.
      has_aux: whether the function returns `(loss, aux)`.
      as_given: `args` and `kwargs` before promotion.
      who: the public function that was called, for messages.
      on_host: whether JAX cannot trace the function, because it is plain NumPy for example.
      unpromoted: whether the function insists on the dtypes its parameters came in.
      along: None to examine the loss; a `(size,)` direction to examine its slope along it, whose
        gradient is the Hessian times the direction.
    """

    function: Callable
    start: np.ndarray
    slices: tuple[Slice, ...]
    treedef: Any
    fixed: Mapping[int, Any]
    args: tuple
    kwargs: Mapping[str, Any]
    has_aux: bool
    as_given: tuple[tuple, Mapping[str, Any]]
    who: str = WHO
    on_host: bool = False
    unpromoted: bool = False
    along: np.ndarray | None = None

    def split(self, flat: Any) -> list[Any]:
        """Cut the flat vector, of JAX or NumPy, into the floating-point leaves."""
        pieces = [flat[piece.start : piece.stop].reshape(piece.shape) for piece in self.slices]
        if not self.unpromoted:
            return pieces
        return [leaf.astype(piece.dtype) for leaf, piece in zip(pieces, self.slices, strict=True)]

    def restore(self, leaves: Sequence[Array]) -> PyTree:
        """Rebuild the user's parameters from their floating-point leaves."""
        floating = iter(leaves)
        positions = range(self.treedef.num_leaves)
        merged = [self.fixed[i] if i in self.fixed else next(floating) for i in positions]
        return jax.tree.unflatten(self.treedef, merged)

    def leaves_like(self, name: str, tree: PyTree) -> list[np.ndarray]:
        """Return the floating-point leaves of a tree like the parameters, as they came.

        Raises:
          ValueError: if the structure or a shape differs from the parameters.
          TypeError: if a leaf does not hold real numbers.
        """
        return leaves_like(self.who, name, tree, self.treedef, self.slices, self.fixed)

    def point(self, name: str, tree: PyTree) -> np.ndarray:
        """Ravel further parameters.

        Raises:
          ValueError: if structure or shapes are not those of the parameters, or a number is
            not finite.
          TypeError: if a leaf does not hold real numbers.
        """
        leaves = self.leaves_like(name, tree)
        for piece, leaf in zip(self.slices, leaves, strict=True):
            check_finite(self.who, name, piece.path, leaf)
        return ravel(leaves)

    def ravel(self, tree: PyTree) -> Array:
        """Flatten a tree that may hold tracers, shapes unchecked."""
        leaves = jax.tree.leaves(tree, is_leaf=is_none)
        floating = [leaf for i, leaf in enumerate(leaves) if i not in self.fixed]
        return jnp.concatenate([jnp.ravel(leaf).astype(np.float64) for leaf in floating])

    def loss(self, *leaves: Array) -> Array:
        """Return the loss of the floating-point leaves, a float64 scalar."""
        out = self.function(self.restore(leaves), *self.args, **self.kwargs)
        return as_loss(self.who, out, self.has_aux).astype(np.float64)

    def examined(self, loss: Callable) -> Callable:
        """Return what is examined of a loss of the flat vector: itself or its slope."""
        along = self.along
        return loss if along is None else lambda flat: jnp.vdot(jax.grad(loss)(flat), along)

    def value(self, flat: Array | np.ndarray) -> Array:
        """Return what is examined at `flat`, a float64 scalar."""
        return self.examined(lambda flat: self.loss(*self.split(flat)))(flat)

    def trace(self) -> Program:
        """Return the loss as a program; its inputs are the floating-point leaves."""
        # A function object of its own: JAX remembers traces, and a second one must be new.
        return jax.make_jaxpr(lambda *leaves: self.loss(*leaves))(*self.split(self.start))

    def trace_examined(self) -> Program:
        """Return the loss or its slope, whichever is examined, as a program likewise."""
        return jax.make_jaxpr(lambda *leaves: self.value(self.ravel(self.restore(leaves))))(
            *self.split(self.start)
        )

    def traced(self, *, differentiable: bool) -> tuple["Problem", Program]:
        """Return problem and program, the function adapted where JAX insists on it.

        Args:
          differentiable: whether the function must be traceable. For one that is not, the
            program is a stand-in that lets every leaf reach the loss.
        """
        try:
            return self, self.trace()
        except Exception as error:
            untraceable = _refusals.is_untraceable(error)
            if isinstance(error, TypeError | ValueError) and not untraceable:
                found = self._traced_with_other_dtypes()
                if found is not None:
                    return found
            if not differentiable and (untraceable or self._runs_on_host()):
                return self._replace(on_host=True), self._stand_in()
            if untraceable:
                _refusals.refuse_untraceable(self.who, error)
            raise

    def _traced_with_other_dtypes(self) -> tuple["Problem", Program] | None:
        args, kwargs = self.as_given
        as_given = self._replace(args=args, kwargs=kwargs, unpromoted=True)
        (args, kwargs), _ = narrowed((args, kwargs))
        narrow = as_given._replace(
            function=with_narrow_data(self.function), args=args, kwargs=kwargs
        )
        variants = [as_given, narrow, self._with_wide_integers()]
        if (function := with_promoted_data(self.function)) is not None:
            variants.insert(0, self._replace(function=function))
        for problem in variants:
            try:
                return problem, problem.trace()
            except (TypeError, ValueError):
                continue
        return None

    def _with_wide_integers(self) -> "Problem":
        """Return the problem for functions that count in numbers of no fixed size.

        In the 64 bits of a check these are wider than the integers made outside of it.
        """
        (args, kwargs, fixed), _ = widened((self.args, self.kwargs, self.fixed))
        function = with_wide_integers(self.function)
        return self._replace(function=function, args=args, kwargs=kwargs, fixed=fixed)

    def _runs_on_host(self) -> bool:
        try:
            self.value(self.start)
        except Exception:  # whatever it is, the first complaint is the one to pass on
            return False
        return True

    def _stand_in(self) -> Program:
        leaves = self.split(self.start)
        return jax.make_jaxpr(lambda *x: sum(jnp.sum(leaf) for leaf in x))(*leaves)


def prepare(
    function: Callable,
    params: PyTree,
    args: Sequence[Any],
    kwargs: Mapping[str, Any] | None,
    has_aux: bool,
    who: str = WHO,
) -> Problem:
    """Check the user's input and promote every floating-point leaf to float64."""
    check_call(who, function, args, kwargs, has_aux)
    with_paths, treedef = jax.tree_util.tree_flatten_with_path(params, is_leaf=is_none)
    slices, fixed, pieces, start = [], {}, [], 0
    for position, (path, leaf) in enumerate(with_paths):
        if not _is_floating(who, path_string(path), leaf):
            fixed[position] = leaf
            continue
        array = np.asarray(leaf)
        check_finite(who, "`params`", path_string(path), array)
        stop = start + math.prod(array.shape)
        slices.append(Slice(path_string(path), array.shape, array.dtype, start, stop))
        pieces.append(array.astype(np.float64).ravel())
        start = stop
    if start == 0:
        _refuse_params(who, params, [leaf for _, leaf in with_paths])
    return Problem(
        function,
        np.concatenate(pieces),
        tuple(slices),
        treedef,
        fixed,
        to_float64(tuple(args)),
        to_float64(dict(kwargs or {})),
        has_aux,
        (tuple(args), dict(kwargs or {})),
        who,
    )


def ravel(leaves: Sequence[np.ndarray]) -> np.ndarray:
    """Join leaves into one float64 vector."""
    return np.concatenate([leaf.astype(np.float64).ravel() for leaf in leaves])


def describe_promotion(problem: Problem) -> str | None:
    """Say which leaves were promoted, or None when all came in float64."""
    narrow = [piece for piece in problem.slices if piece.dtype != np.float64]
    if not narrow:
        return None
    if problem.unpromoted:
        return "the function insists on the dtypes it was given, so nothing was promoted"
    dtypes = listed(sorted({str(piece.dtype) for piece in narrow}))
    number = len(narrow)
    which = "every leaf" if number == len(problem.slices) else counted(number, "leaf", "leaves")
    verb = "were" if number > 1 and number < len(problem.slices) else "was"
    return f"{which} of dtype {dtypes} {verb} promoted to float64 for the check"


def _is_floating(who: str, path: str, leaf: Any) -> bool:
    if isinstance(leaf, float):
        return True
    dtype = np.dtype(complex) if isinstance(leaf, complex) else getattr(leaf, "dtype", None)
    if dtype is None or jnp.issubdtype(dtype, jax.dtypes.extended):
        return False
    if jnp.issubdtype(dtype, np.complexfloating):
        came = f"but leaf {leaf_name(path)!r} is {dtype}"
        advice = "Pass real and imaginary parts as two leaves."
        fail(who, "`params` must be real", came, advice, kind=TypeError)
    floating = bool(jnp.issubdtype(dtype, np.floating)) and math.prod(np.shape(leaf)) > 0
    if floating and is_traced(leaf):
        came = f"but leaf {leaf_name(path)!r} is a tracer"
        advice = "Call the check outside `jax.jit`, `jax.grad` and `jax.vmap`."
        fail(who, "`params` must hold numbers", came, advice, kind=TypeError)
    return floating


def _refuse_params(who: str, params: PyTree, leaves: Sequence[Any]) -> NoReturn:
    kinds = sorted({str(getattr(leaf, "dtype", type(leaf).__name__)) for leaf in leaves})
    came = f"got {counted(len(leaves), 'leaf', 'leaves')} of type {listed(kinds)}"
    if not leaves:
        came = "got a tree without leaves"
    elif len(leaves) == 1 and leaves[0] is params:
        came = f"got {kind_of(params)}"
    advice = "Only floating-point leaves have a gradient; convert them with `astype(float)`."
    fail(who, "`params` must hold floating-point numbers", came, advice)
