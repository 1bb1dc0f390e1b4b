"""Error of a difference quotient against its step size: the V that explains every checker."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxopt_dl._core.errors import fail, require
from jaxopt_dl._core.numerics import float64
from jaxopt_dl._core.types import PyTree

from . import _differences
from ._evaluate import Evaluator, Moves, evaluator_of
from ._noise import UNIT_ROUNDOFF
from ._problem import Problem, prepare
from ._units import units

WHO = "step_size_curve"


class StepSizeCurve(NamedTuple):
    """How wrong a difference quotient is at each step; all arrays are `(n,)`.

    Attributes:
      steps: the steps, in units of the parameter, smallest first.
      forward: relative error of the one-sided quotient.
      central: relative error of the two-sided quotient.
      slope: the derivative that errors are relative to.
      entry: which parameter, as `path[index]`.

    Examples:
      >>> import jax.numpy as jnp
      >>> loss = lambda p: jnp.sum(jnp.sin(p["w"]))
      >>> curve = step_size_curve(loss, {"w": jnp.ones(3)}, "w", (1,), steps=[1e-4, 1e-2])
      >>> curve.entry, round(curve.slope, 4), bool(curve.central[0] < curve.forward[0])
      ('w[1]', 0.5403, True)
    """

    steps: np.ndarray
    forward: np.ndarray
    central: np.ndarray
    slope: float
    entry: str

    def figure(self) -> Any:
        """Return a `matplotlib.figure.Figure` with both curves on logarithmic axes.

        Raises:
          ModuleNotFoundError: if matplotlib is not installed.
        """
        require(WHO, "matplotlib", "app")
        from matplotlib.figure import Figure

        picture = Figure(figsize=(6, 4), layout="constrained")
        axes = picture.add_subplot()
        axes.loglog(self.steps, self.forward, label="one-sided", marker=".")
        axes.loglog(self.steps, self.central, label="two-sided", marker=".")
        axes.set(xlabel="step", ylabel="relative error", title=f"d loss / d {self.entry}")
        axes.legend()
        axes.grid(alpha=0.3)
        return picture


def step_size_curve(
    function: Callable,
    params: PyTree,
    path: str = "",
    index: tuple[int, ...] = (),
    *,
    steps: Sequence[float] | None = None,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    has_aux: bool = False,
) -> StepSizeCurve:
    """Measure how the error of difference quotients depends on the step, for one parameter.

    Large steps err by the curvature of the function (slope 1 or 2 on logarithmic axes), small
    ones by rounding (slope -1); between them lies the best step.

    Args:
      function: as in `check_gradients`.
      params: as in `check_gradients`.
      path: of the leaf, such as "00_dense/kernel"; empty for a bare array.
      index: of the entry in the leaf; `()` for a scalar.
      steps: positive steps; 49 from 1e-12 to 1 times the size of the entry if not given.
      args: as in `check_gradients`.
      kwargs: as in `check_gradients`.
      has_aux: as in `check_gradients`.

    Returns:
      A `StepSizeCurve`; errors of exactly 0 are shown as the unit roundoff 1.1e-16.

    Raises:
      ValueError: if there is no such leaf or entry, or its derivative is zero.

    Examples:
      >>> import jax.numpy as jnp
      >>> curve = step_size_curve(jnp.exp, 1.0, steps=[1e-8, 1e-5, 1e-2])
      >>> bool(curve.central[1] < min(curve.central[0], curve.central[2]))
      True
    """
    with float64(), jax.numpy_dtype_promotion("standard"), np.errstate(all="ignore"):
        problem = prepare(function, params, args, kwargs, has_aux, WHO)
        problem, _ = problem.traced(differentiable=False)
        position = _position(problem, path, index)
        unit = units(problem.start, problem.slices)
        wanted = np.logspace(-12, 0, 49) * unit[position] if steps is None else np.sort(steps)
        evaluator = evaluator_of(problem, 4 * problem.start.size)
        slope = _slope(evaluator, problem.start, unit, position)
        if slope == 0:
            fail(WHO, "the derivative must not be zero", "it is 0", "Choose another entry.")
        forward, central = _quotients(evaluator, problem.start, position, wanted)
    piece = next(s for s in problem.slices if s.path == path)
    return StepSizeCurve(
        wanted, _error(forward, slope), _error(central, slope), slope, piece.entry(position)
    )


def _error(quotient: np.ndarray, slope: float) -> np.ndarray:
    return np.maximum(np.abs(quotient / slope - 1), UNIT_ROUNDOFF)


def _position(problem: Problem, path: str, index: tuple[int, ...]) -> int:
    piece = next((s for s in problem.slices if s.path == path), None)
    if piece is None:
        paths = ", ".join(repr(s.path) for s in problem.slices[:12])
        fail(WHO, "`path` must name a floating-point leaf", f"got {path!r}", f"There are: {paths}.")
    inside = len(index) == len(piece.shape) and all(
        0 <= i < n for i, n in zip(index, piece.shape, strict=True)
    )
    if not inside:
        advice = f"Pass {len(piece.shape)} indices within the shape."
        fail(WHO, f"`index` must lie in shape {piece.shape}", f"got {index}", advice)
    return piece.start + int(np.ravel_multi_index(index, piece.shape)) if index else piece.start


def _slope(evaluator: Evaluator, point: np.ndarray, unit: np.ndarray, position: int) -> float:
    """The derivative by the full ladder, far better than any single step."""
    low = np.array([position])
    ladder = _differences.climb(evaluator, point, unit, low, low + 1, _differences.FIRST)
    value = evaluator.value(point)
    noise = 2 * UNIT_ROUNDOFF * abs(value)
    return float(_differences.slopes(ladder, value, noise).slope[0])


def _quotients(
    evaluator: Evaluator, point: np.ndarray, position: int, steps: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    low = np.full(steps.size, position)
    unit = np.ones_like(point)
    above = evaluator.values(point, unit, Moves(low, low + 1, steps))
    below = evaluator.values(point, unit, Moves(low, low + 1, -steps))
    return (above - evaluator.value(point)) / steps, (above - below) / (2 * steps)
