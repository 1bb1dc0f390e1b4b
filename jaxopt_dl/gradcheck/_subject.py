"""What is checked: the gradient under test, and the program behind it with and without rules."""

import functools
import traceback
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxopt_dl._core import jaxpr
from jaxopt_dl._core.jaxpr import Place, Program
from jaxopt_dl._core.types import Array, PyTree

from ._paths import Paths, trace_paths
from ._problem import Problem, ravel
from ._rules import Rule, find_rules, without
from ._shaken import Shaken

Gradient = Callable[[np.ndarray], np.ndarray]


class Traced:
    """A gradient that JAX computes from a flat vector.

    Attributes:
      traced: the same as a function that JAX can trace.
    """

    def __init__(self, traced: Callable[[Array], Array]):
        """Compile at the first call."""
        self.traced = traced
        self._run = jax.jit(traced)

    def __call__(self, flat: np.ndarray) -> np.ndarray:
        """Return the gradient."""
        return np.asarray(self._run(jnp.asarray(flat)))

    def shaken(self, roundoff: float) -> Shaken:
        """Return the gradient with shaken operations."""
        return Shaken(self.traced, roundoff)


class Automatic(Traced):
    """The compiled reverse-mode gradient of a scalar function of a flat vector."""

    def __init__(self, function: Callable):
        """Compile at the first call."""
        super().__init__(jax.grad(function))
        self._both = jax.jit(jax.value_and_grad(function))

    def both(self, flat: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the value that the backward pass starts from, and the gradient."""
        value, slope = self._both(jnp.asarray(flat))
        return float(value), np.asarray(slope)

    def __call__(self, flat: np.ndarray) -> np.ndarray:
        """Return the gradient."""
        return self.both(flat)[1]


class HandWritten:
    """A user's gradient: a function of the same arguments, or a tree that holds at one point.

    Attributes:
      integers: paths of the leaves that came as integers.
      traced: the gradient as a function that JAX may be able to trace; None for a tree.
    """

    def __init__(self, problem: Problem, gradient: Any):
        """Look at a tree right away.

        Raises:
          ValueError: if it is a tree unlike the parameters.
          TypeError: if it is neither, or a leaf does not hold real numbers.
        """
        self.integers: set[str] = set()
        self._problem = problem
        self._function: Any = gradient if callable(gradient) else None
        self._values = None if callable(gradient) else self._flat("`gradient`", gradient)
        self.traced = self._joined if callable(gradient) else None

    def __call__(self, flat: np.ndarray) -> np.ndarray:
        """Return the gradient of the flat vector."""
        if self._function is None:
            assert self._values is not None
            return self._values
        return self._flat("what `gradient` returns", self._at(jnp.asarray(flat)))

    def shaken(self, roundoff: float) -> Shaken:
        """Return the gradient with shaken operations; one written in NumPy cannot be traced."""
        return Shaken(self._joined, roundoff)

    def _joined(self, flat: Array) -> Array:
        return self._problem.ravel(self._at(flat))

    def _at(self, flat: Any) -> PyTree:
        problem = self._problem
        params = problem.restore(problem.split(flat))
        return self._function(params, *problem.args, **problem.kwargs)

    def _flat(self, name: str, tree: Any) -> np.ndarray:
        leaves = self._problem.leaves_like(name, tree)
        pairs = zip(self._problem.slices, leaves, strict=True)
        self.integers |= {s.path for s, leaf in pairs if np.issubdtype(leaf.dtype, np.integer)}
        return ravel(leaves)


class Subject(NamedTuple):
    """Everything there is to know about the function before looking at any number.

    Attributes:
      problem: the user's function of a flat vector.
      program: the same, traced.
      paths: how its leaves reach the loss.
      rules: the user's custom rules and `stop_gradient` lines.
      allowed: those of them that the caller accepts.
      allow: the names that the caller accepts, of rules and of operations.
      gradient: the gradient under test.
      automatic: `jax.grad` of the function, rules in force.
      written: where a hand-written gradient is defined, or handed over if it is a tree; None
        for `jax.grad`.
    """

    problem: Problem
    program: Program
    paths: Paths
    rules: tuple[Rule, ...]
    allowed: tuple[Rule, ...]
    allow: tuple[str, ...]
    gradient: Traced | HandWritten
    automatic: Automatic
    written: Place | None

    @property
    def has_own_rules(self) -> bool:
        """Whether anything but JAX's own rules could be wrong."""
        return bool(self.rules) or self.written is not None

    @property
    def examined(self) -> Program:
        """The program whose gradient is under test; its inputs are the leaves."""
        return self.program if self.problem.along is None else self.problem.trace_examined()

    @property
    def only_here(self) -> bool:
        """Whether the gradient is known at the given point alone, as one given as a tree is."""
        return isinstance(self.gradient, HandWritten) and self.gradient.traced is None

    @property
    def near(self) -> bool:
        """Whether large steps prove nothing.

        A loop might not end there. And where differences alone decide, nobody tells a function
        that is flat far away from one that is flat here.
        """
        return self.paths.loops or self.problem.on_host

    def stripped_of(self, rules: Sequence[Rule]) -> Automatic:
        """Return the gradient of the program with some rules taken out."""
        run = without(self.program, rules)
        return Automatic(self.problem.examined(lambda flat: run(self.problem.split(flat))))

    def marker(self, mark: Callable, twins: str | None = None) -> Callable[[np.ndarray], dict]:
        """Return a function of a point that asks a question at every equation on the way.

        Args:
          mark: `(equation, inputs, outputs) -> boolean scalar`.
          twins: name of an axis over which several points are taken together, `(n, size)`.
        """

        def asked(flat: Array) -> dict:
            leaves = self.problem.split(flat)
            return jaxpr.evaluate_with_marks(self.program, leaves, mark)[1]

        run = jax.jit(asked if twins is None else jax.vmap(asked, axis_name=twins))
        return lambda points: {k: bool(np.any(v)) for k, v in run(jnp.asarray(points)).items()}

    def leaves_with(self, entries: np.ndarray) -> tuple[str, ...]:
        """Return the paths of the leaves that hold any of some entries."""
        return tuple(s.path for s in self.problem.slices if np.any(entries[s.start : s.stop]))


def study(problem: Problem, program: Program, gradient: Any, allow: Sequence[str]) -> Subject:
    """Trace the function and collect its rules.

    Args:
      problem: the user's function.
      program: its trace.
      gradient: the user's `gradient` argument.
      allow: names of rules that are accepted.
    """
    rules = find_rules(program)
    automatic = Automatic(problem.value)
    return Subject(
        problem,
        program,
        trace_paths(program, len(problem.slices)),
        rules,
        tuple(rule for rule in rules if rule.name in allow),
        tuple(allow),
        automatic if gradient is None else HandWritten(problem, gradient),
        automatic,
        None if gradient is None else _written_at(gradient),
    )


def _written_at(gradient: Any) -> Place:
    """Return the definition of a function; for what has none, the line that calls the check."""
    place = place_of(gradient)
    frames = () if place.file else traceback.walk_stack(None)
    own = ((f.f_code.co_filename, line) for f, line in frames)
    return next((Place("gradient", *at) for at in own if not jaxpr.is_library(at[0])), place)


def place_of(function: Any) -> Place:
    """Return where a Python function is defined, looking through wrappers."""
    inner = function
    while True:
        if isinstance(inner, functools.partial):
            inner = inner.func
        elif hasattr(inner, "__wrapped__"):
            inner = inner.__wrapped__
        elif hasattr(inner, "__func__"):
            inner = inner.__func__
        else:
            break
    if not hasattr(inner, "__code__") and callable(inner):
        inner = type(inner).__call__
    code = getattr(inner, "__code__", None)
    if code is None:
        return Place("gradient", "", 0)
    return Place(getattr(inner, "__name__", "gradient"), code.co_filename, code.co_firstlineno)
