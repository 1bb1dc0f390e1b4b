"""The textbook check: everything concatenated, one step size, one relative difference."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from jaxopt_dl._core.errors import check_choice, check_number
from jaxopt_dl._core.numerics import float64
from jaxopt_dl._core.types import PyTree

from ._evaluate import Evaluator, Moves, evaluator_of
from ._notes import DEFAULT_STEP, Grade, grade, norm_ratio
from ._problem import describe_promotion, prepare
from ._refusals import explained
from ._report import ComponentReport, Coverage, GradientReport, LeafReport
from ._slices import Slice
from ._subject import study

VERDICTS = {
    Grade.PASS: ("pass", "as good as it gets"),
    Grade.CHECK: ("pass", "have another look at the largest differences"),
    Grade.SUSPICIOUS: ("inconclusive", "suspicious: look at single entries"),
    Grade.BUG: ("fail", "expect a bug"),
}
WHO = "textbook_check"
WORST = 8


def textbook_check(
    function: Callable,
    params: PyTree,
    *,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    gradient: Any = None,
    has_aux: bool = False,
    eps: float = DEFAULT_STEP,
    mode: str = "central",
) -> GradientReport:
    """Check a gradient the way it is taught: one step, one relative difference, four grades.

    All parameters form one vector; every entry moves by `eps` while the others stay; the
    verdict is the grade of `|g - n| / (|g| + |n|)`. Prefer `check_gradients`: this one cries
    wolf at kinks and noise, and overlooks entries that are small beside the largest.

    Args:
      function: as in `check_gradients`.
      params: as in `check_gradients`.
      args: as in `check_gradients`.
      kwargs: as in `check_gradients`.
      gradient: as in `check_gradients`.
      has_aux: as in `check_gradients`.
      eps: the step, positive, in units of the parameters.
      mode: "central" (two-sided) or "forward" (one-sided).

    Returns:
      A `GradientReport` with `method` "textbook". Its bars are infinite: nothing is measured.

    Raises:
      TypeError: as `check_gradients`.
      ValueError: as `check_gradients`, or if `eps` is not positive or `mode` unknown.

    Examples:
      >>> import jax.numpy as jnp
      >>> report = textbook_check(lambda x: jnp.sum(jnp.sin(x)), jnp.arange(3.0))
      >>> report.verdict, report.relative_error < 1e-7
      ('pass', True)
    """
    check_number(WHO, "eps", eps, low=0.0, low_open=True)
    check_choice(WHO, "mode", mode, ["central", "forward"])
    with float64(), jax.numpy_dtype_promotion("standard"), np.errstate(all="ignore"):
        problem, program = prepare(function, params, args, kwargs, has_aux, WHO).traced(
            differentiable=gradient is None
        )
        with explained(WHO, program):
            g = study(problem, program, gradient, ()).gradient(problem.start)
            evaluator = evaluator_of(problem, 4 * g.size)
            n = _differences(evaluator, problem.start, eps, mode)
    error = norm_ratio(g, n)
    verdict, words = VERDICTS[grade(error)]
    leaves = tuple(_leaf(piece, g, n) for piece in problem.slices)
    promoted = describe_promotion(problem)
    coverage = Coverage(g.size, 0, g.size, evaluator.calls, 0, ("given",))
    notes = (words, *([promoted] if promoted else []))
    return GradientReport(verdict, error, leaves, (), coverage, notes, "given", "textbook")


def _differences(evaluator: Evaluator, point: np.ndarray, eps: float, mode: str) -> np.ndarray:
    low = np.arange(point.size)
    unit = np.ones_like(point)
    above = evaluator.values(point, unit, Moves(low, low + 1, np.full(point.size, eps)))
    if mode == "forward":
        return (above - evaluator.value(point)) / eps
    below = evaluator.values(point, unit, Moves(low, low + 1, np.full(point.size, -eps)))
    return (above - below) / (2 * eps)


def _leaf(piece: Slice, g: np.ndarray, n: np.ndarray) -> LeafReport:
    here = slice(piece.start, piece.stop)
    error = norm_ratio(g[here], n[here])
    worst = piece.start + np.argsort(-np.abs(g[here] - n[here]))[:WORST]
    verdict = VERDICTS[grade(error)][0]
    status = {"pass": "pass", "inconclusive": "unresolved", "fail": "fail"}[verdict]
    parts = tuple(
        ComponentReport(piece.index(i), float(g[i]), float(n[i]), np.inf, np.nan, status)
        for i in worst
    )
    return LeafReport(piece.path, piece.shape, verdict, error, piece.size, (), parts, ())
