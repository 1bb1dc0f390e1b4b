"""The check from beginning to end: prepare, ask each opinion, decide, report."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from jaxopt_dl._core.numerics import float64
from jaxopt_dl._core.types import PyTree
from jaxopt_dl.gradcheck import _differences, _noise, _rounding, _verdict
from jaxopt_dl.gradcheck._evaluate import Evaluator
from jaxopt_dl.gradcheck._notes import norm_ratio
from jaxopt_dl.gradcheck._problem import Problem, Slice, describe_promotion, prepare
from jaxopt_dl.gradcheck._report import ComponentReport, Coverage, GradientReport, LeafReport
from jaxopt_dl.gradcheck._subject import subject
from jaxopt_dl.gradcheck._units import units
from jaxopt_dl.gradcheck._verdict import FAIL, KINK, STATUS, UNRESOLVED, Opinions

ALL_BELOW = 4096
MEMORY = 2**28


def check_gradients(
    function: Callable,
    params: PyTree,
    *,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    gradient: Any = None,
    has_aux: bool = False,
    allow: Sequence[str] = (),
) -> GradientReport:
    """Check the gradient of a scalar function against finite differences in float64.

    Args:
      function: `function(params, *args, **kwargs)` returns a scalar, or `(scalar, aux)`.
      params: tree whose floating-point leaves are checked; other leaves stay as they are.
      args: further positional arguments; floating-point arrays are promoted to float64.
      kwargs: further keyword arguments, likewise.
      gradient: the gradient under test: None for `jax.grad(function)`, a function of the same
        arguments returning a tree like `params`, or such a tree.
      has_aux: whether `function` returns `(loss, aux)`.
      allow: names of functions whose deliberate surrogate gradients are accepted.

    Returns:
      A `GradientReport`.

    Raises:
      TypeError: if `function` cannot be called or does not return a real scalar.
      ValueError: if `params` holds no floating-point numbers, or shapes do not fit.

    Examples:
      >>> import jax.numpy as jnp
      >>> report = check_gradients(lambda p: jnp.sum(p["w"] ** 3), {"w": jnp.arange(3.0)})
      >>> report.verdict
      'pass'
    """
    with float64(), jax.numpy_dtype_promotion("standard"):
        problem = prepare(function, params, args, kwargs, has_aux)
        return _full(problem, gradient)


def assert_gradients(function: Callable, params: PyTree, **options: Any) -> GradientReport:
    """Raise unless `check_gradients` passes; for tests.

    Args:
      function: as in `check_gradients`.
      params: as in `check_gradients`.
      **options: every other argument of `check_gradients`.

    Returns:
      The report, when it passes.

    Raises:
      AssertionError: with the report as text, when the verdict is not "pass".

    Examples:
      >>> import jax.numpy as jnp
      >>> assert_gradients(lambda x: jnp.sum(jnp.sin(x)), jnp.arange(3.0)).coverage.components
      3
    """
    report = check_gradients(function, params, **options)
    if not report:
        raise AssertionError(f"assert_gradients: the gradient is not right.\n{report}")
    return report


def _full(problem: Problem, gradient: Any) -> GradientReport:
    point = problem.start
    unit = units(point, problem.slices)
    under_test = subject(problem, gradient)
    evaluator = Evaluator(problem.value, 4 * point.size, MEMORY)
    random = np.random.default_rng(0)
    directions = unit * random.choice([-1.0, 1.0], (2, point.size))
    value, noise = _noise.measure(
        evaluator, point, directions, roundoff=_noise.UNIT_ROUNDOFF, iterative=False
    )
    g = under_test(point)
    known = _verdict.opinions(g, _rounding.of_gradient(under_test, point, g, random), unit, value)
    positions = _sample(problem, random)
    _differentiate(evaluator, known, point, unit, positions, value, noise)
    return _report(problem, known, evaluator, positions)


def _sample(problem: Problem, random: np.random.Generator) -> np.ndarray:
    if problem.start.size <= ALL_BELOW:
        return np.arange(problem.start.size)
    share = max(ALL_BELOW // len(problem.slices), 1)
    chosen = [
        piece.start + random.choice(piece.size, min(share, piece.size), replace=False)
        for piece in problem.slices
    ]
    return np.sort(np.concatenate(chosen))


def _differentiate(
    evaluator: Evaluator,
    known: Opinions,
    point: np.ndarray,
    unit: np.ndarray,
    positions: np.ndarray,
    value: float,
    noise: float,
) -> None:
    """Take differences at some positions, with more rungs where the first leave doubt."""
    ladder = _differences.climb(
        evaluator, point, unit, positions, positions + 1, _differences.FIRST
    )
    for exponents in (*_differences.FURTHER, None):
        found = _differences.slopes(ladder, value, noise)
        _verdict.record(known, positions, found)
        left = _verdict.unsettled(known, positions)
        if exponents is None or left.size == 0:
            return
        ladder = ladder.of(np.isin(positions, left)).merged(
            _differences.climb(evaluator, point, unit, left, left + 1, exponents)
        )
        positions = left


def _report(
    problem: Problem, known: Opinions, evaluator: Evaluator, positions: np.ndarray
) -> GradientReport:
    status = _verdict.judge(known)
    taken = np.zeros(status.shape, bool)
    taken[positions] = True
    leaves = tuple(_leaf(piece, known, status, taken) for piece in problem.slices)
    verdicts = {leaf.verdict for leaf in leaves}
    verdict = next((v for v in ("fail", "inconclusive") if v in verdicts), "pass")
    promoted = describe_promotion(problem)
    coverage = Coverage(positions.size, 0, problem.start.size, evaluator.calls, 0, ("given",))
    return GradientReport(
        verdict,
        norm_ratio(known.gradient[taken], known.slope[taken]),
        leaves,
        (),
        coverage,
        (promoted,) if promoted else (),
        "given",
        "full",
    )


def _leaf(piece: Slice, known: Opinions, status: np.ndarray, taken: np.ndarray) -> LeafReport:
    here = np.arange(piece.start, piece.stop)
    here = here[taken[here]]
    gap = np.abs(known.gradient[here] - known.slope[here]) / (
        known.bar[here] + known.rounding[here]
    )
    worst = here[np.lexsort((-gap, -status[here]))][:8]
    wrong = here[status[here] == FAIL]
    unresolved = np.any(status[here] == UNRESOLVED)
    return LeafReport(
        piece.path,
        piece.shape,
        "fail" if wrong.size else "inconclusive" if unresolved else "pass",
        norm_ratio(known.gradient[here], known.slope[here]),
        int(here.size),
        tuple(piece.index(i) for i in wrong),
        tuple(_component(piece, known, status, i) for i in worst),
        tuple(piece.index(i) for i in here[status[here] == KINK]),
    )


def _component(piece: Slice, known: Opinions, status: np.ndarray, i: int) -> ComponentReport:
    return ComponentReport(
        piece.index(i),
        float(known.gradient[i]),
        float(known.slope[i]),
        float(known.bar[i]),
        float(known.stripped[i]),
        STATUS[status[i]],
    )
