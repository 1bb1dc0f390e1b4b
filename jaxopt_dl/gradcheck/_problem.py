"""The user's function as a scalar function of one flat float64 vector.

Everything that depends on the form of the parameters lives here; the rest of the package sees
a vector, and slices of it that carry names.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxopt_dl._core.errors import check_callable, fail
from jaxopt_dl._core.jaxpr import Program
from jaxopt_dl._core.trees import path_string
from jaxopt_dl._core.types import Array, PyTree

from ._closures import promoted, with_promoted_data

WHO = "check_gradients"
NOT_TRACEABLE = (
    jax.errors.TracerArrayConversionError,
    jax.errors.TracerBoolConversionError,
    jax.errors.TracerIntegerConversionError,
    jax.errors.ConcretizationTypeError,
)


class Slice(NamedTuple):
    """One floating-point leaf inside the flat vector.

    Attributes:
      path: the leaf's path, such as `00_dense/kernel`; empty for a bare array.
      shape: its shape.
      dtype: the dtype it had before the check promoted it.
      start: index of its first entry in the flat vector.
      stop: one past its last.
    """

    path: str
    shape: tuple[int, ...]
    dtype: np.dtype
    start: int
    stop: int

    @property
    def size(self) -> int:
        """Number of entries."""
        return self.stop - self.start

    def index(self, position: int) -> tuple[int, ...]:
        """Turn a position in the flat vector into an index of the leaf."""
        return tuple(int(i) for i in np.unravel_index(position - self.start, self.shape))

    def entry(self, position: int) -> str:
        """Write one entry as `path[i, j]`."""
        index = self.index(position)
        return f"{self.path}[{', '.join(map(str, index))}]" if index else self.path


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
      on_host: whether JAX cannot trace the function, because it is plain NumPy for example.
      unpromoted: whether the function insists on the dtypes its parameters came in.
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
    on_host: bool = False
    unpromoted: bool = False

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

    def flatten(self, who: str, tree: PyTree) -> np.ndarray:
        """Ravel a tree like the parameters; entries of other leaves are ignored.

        Raises:
          ValueError: if the structure or a shape differs from the parameters.
        """
        leaves, treedef = jax.tree.flatten(tree, is_leaf=_is_none)
        if treedef != self.treedef:
            advice = "Return one array per parameter leaf, in the same containers."
            came = f"got {treedef} instead of {self.treedef}"
            fail(who, "the tree must be built like the parameters", came, advice)
        floating = [leaf for i, leaf in enumerate(leaves) if i not in self.fixed]
        return np.concatenate(
            [_matching(who, piece, leaf) for piece, leaf in zip(self.slices, floating, strict=True)]
        )

    def loss(self, *leaves: Array) -> Array:
        """Return the loss of the floating-point leaves, a float64 scalar."""
        out = self.function(self.restore(leaves), *self.args, **self.kwargs)
        return _as_loss(out, self.has_aux)

    def value(self, flat: Array) -> Array:
        """Return the loss at `flat`, a float64 scalar."""
        return self.loss(*self.split(flat))

    def trace(self) -> Program:
        """Return the loss as a program; its inputs are the floating-point leaves."""
        # A function object of its own: JAX remembers traces, and a second one must be new.
        return jax.make_jaxpr(lambda *leaves: self.loss(*leaves))(*self.split(self.start))

    def traced(self, *, differentiable: bool) -> tuple["Problem", Program]:
        """Return problem and program, the function adapted where JAX insists on it.

        Args:
          differentiable: whether the function must be traceable. For one that is not, the
            program is a stand-in that lets every leaf reach the loss.
        """
        try:
            return self, self.trace()
        except NOT_TRACEABLE:
            if differentiable:
                raise
            leaves = self.split(self.start)
            stand_in = jax.make_jaxpr(lambda *x: sum(jnp.sum(leaf) for leaf in x))(*leaves)
            return self._replace(on_host=True), stand_in
        except TypeError as error:
            args, kwargs = self.as_given
            own = self._replace(args=args, kwargs=kwargs, unpromoted=True)
            variants = [own]
            if (function := with_promoted_data(self.function)) is not None:
                variants.insert(0, self._replace(function=function))
            return _first_traceable(variants, error)


def _first_traceable(variants: Sequence[Problem], error: TypeError) -> tuple[Problem, Program]:
    for problem in variants:
        try:
            return problem, problem.trace()
        except TypeError:
            continue
    raise error


def prepare(
    function: Callable,
    params: PyTree,
    args: Sequence[Any],
    kwargs: Mapping[str, Any] | None,
    has_aux: bool,
) -> Problem:
    """Check the user's input and promote every floating-point leaf to float64."""
    check_callable(WHO, "function", function)
    with_paths, treedef = jax.tree_util.tree_flatten_with_path(params, is_leaf=_is_none)
    slices, fixed, pieces, start = [], {}, [], 0
    for position, (path, leaf) in enumerate(with_paths):
        if not _is_floating(path_string(path), leaf):
            fixed[position] = leaf
            continue
        array = np.asarray(leaf)
        stop = start + math.prod(array.shape)
        slices.append(Slice(path_string(path), array.shape, array.dtype, start, stop))
        pieces.append(array.astype(np.float64).ravel())
        start = stop
    if start == 0:
        came = f"got {len(with_paths)} leaves, none of them floating point"
        fail(WHO, "`params` must hold floating-point numbers", came, "Check what is passed.")
    return Problem(
        function,
        np.concatenate(pieces),
        tuple(slices),
        treedef,
        fixed,
        tuple(promoted(tuple(args))),
        promoted(dict(kwargs or {})),
        has_aux,
        (tuple(args), dict(kwargs or {})),
    )


def describe_promotion(problem: Problem) -> str | None:
    """Say which leaves were promoted, or None when all came in float64."""
    narrow = [piece for piece in problem.slices if piece.dtype != np.float64]
    if not narrow:
        return None
    if problem.unpromoted:
        return "the function insists on the dtypes it was given, so nothing was promoted"
    dtypes = ", ".join(sorted({str(piece.dtype) for piece in narrow}))
    which = "every leaf" if len(narrow) == len(problem.slices) else f"{len(narrow)} leaves"
    return f"{which} of dtype {dtypes} was promoted to float64 for the check"


def _is_none(leaf: Any) -> bool:
    return leaf is None


def _is_floating(path: str, leaf: Any) -> bool:
    if isinstance(leaf, float):
        return True
    dtype = getattr(leaf, "dtype", None)
    if dtype is None or jnp.issubdtype(dtype, jax.dtypes.extended):
        return False
    if jnp.issubdtype(dtype, np.complexfloating):
        advice = "Pass real and imaginary parts as two leaves."
        fail(WHO, "parameters must be real", f"leaf {path!r} is {dtype}", advice, kind=TypeError)
    return bool(jnp.issubdtype(dtype, np.floating)) and math.prod(leaf.shape) > 0


def _matching(who: str, piece: Slice, leaf: Any) -> np.ndarray:
    array = np.asarray(leaf)
    if array.shape != piece.shape:
        rule = f"the gradient of {piece.path or 'the parameter'!r} must have shape {piece.shape}"
        fail(who, rule, f"got {array.shape}", "Return one entry per parameter.")
    return array.astype(np.float64).ravel()


def _as_loss(out: Any, has_aux: bool) -> Array:
    if has_aux:
        if not (isinstance(out, tuple) and len(out) == 2):
            came = f"got {type(out).__name__}"
            fail(
                WHO, "with has_aux=True the function must return (loss, aux)", came, "Return both."
            )
        out = out[0]
    if isinstance(out, tuple | list | dict) or out is None:
        advice = "Pass has_aux=True if it returns (loss, aux)."
        came = f"got a {type(out).__name__}"
        fail(WHO, "the function must return one number", came, advice, kind=TypeError)
    out = jnp.asarray(out)
    if out.shape != ():
        advice = "Reduce it to a scalar, for example with jnp.mean."
        fail(WHO, "the function must return one number", f"got shape {out.shape}", advice)
    if not jnp.issubdtype(out.dtype, np.floating):
        advice = "Return a real floating-point loss."
        rule = "the function must return a floating-point number"
        fail(WHO, rule, f"got dtype {out.dtype}", advice, kind=TypeError)
    return out.astype(np.float64)
