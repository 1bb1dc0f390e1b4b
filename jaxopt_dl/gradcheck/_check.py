"""The check from beginning to end: prepare, look at each point, explain, report."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from jaxopt_dl._core import jaxpr
from jaxopt_dl._core.jaxpr import Program
from jaxopt_dl._core.numerics import float64
from jaxopt_dl._core.types import PyTree

from . import _causes, _determinism, _nonfinite, _refusals, _second_order, _summary
from ._arguments import check_options, check_order
from ._evaluate import CACHE, LARGE_CACHE, evaluator_of
from ._examine import Finding, Witnesses, look
from ._problem import WHO, Problem, prepare
from ._progress import reporting
from ._report import Cause, GradientReport
from ._review import roundings
from ._settle import settle, settled
from ._subject import Subject, study
from ._visits import visit

WITHOUT_FLOAT64 = ("tpu", "METAL")
WIDE_KERNEL = 4096
"""Entries of a convolution's kernel. On a CPU, several narrow ones at once are up to ten times
faster than one after another; several wide ones are slower."""


def check_gradients(
    function: Callable,
    params: PyTree,
    *,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    gradient: Any = None,
    has_aux: bool = False,
    allow: Sequence[str] = (),
    components: str | int = "auto",
    points: str | Sequence[PyTree] = "auto",
    order: int = 1,
    seed: int = 0,
    progress: bool | str = "auto",
) -> GradientReport:
    """Check the gradient of a scalar function, and say what is wrong with it and where.

    Three opinions are compared in float64: the gradient under test; finite differences, each
    with an error bar of its own; and automatic differentiation of the same program without the
    user's custom rules and `stop_gradient`. A failing gradient is traced to the leaf, the
    entries, and the function, file and line that cause it.

    Args:
      function: `function(params, *args, **kwargs)` returns a scalar, or `(scalar, aux)`.
      params: tree whose floating-point leaves are checked; other leaves stay as they are.
      args: further positional arguments; floating-point arrays are promoted to float64.
      kwargs: further keyword arguments, likewise.
      gradient: the gradient under test: None for `jax.grad(function)`, a function of the same
        arguments returning a tree like `params`, or such a tree.
      has_aux: whether `function` returns `(loss, aux)`.
      allow: names of functions whose deliberate surrogate gradients are accepted, such as
        "straight_through", "stop_gradient" or "round".
      components: how many entries to difference one by one: "all", a number, or "auto" (all
        up to 4096 parameters; above, a sample of every leaf and random directions).
      points: further parameters to look at: "auto" (shifted, mirrored, saturated, far away and
        roughly trained ones), or trees like `params`; empty for none.
      order: 1, or 2 to check the second derivative, the gradient of the gradient's product with
        one random direction (a Hessian-vector product), in place of the first.
      seed: of every random choice the check makes.
      progress: whether long checks report to standard error; "auto" does on a terminal.

    Returns:
      A `GradientReport`.

    Raises:
      TypeError: if `function` cannot be called or does not return a real scalar.
      ValueError: if `params` holds no floating-point numbers, shapes do not fit, or an option
        is unknown.

    Examples:
      >>> import jax.numpy as jnp
      >>> report = check_gradients(lambda p: jnp.sum(p["w"] ** 3), {"w": jnp.arange(3.0)})
      >>> report.verdict
      'pass'
      >>> report = check_gradients(jnp.sum, jnp.ones(2), gradient=lambda x: 2 * x)
      >>> report.verdict, report.leaves[0].wrong
      ('fail', ((0,), (1,)))
    """
    check_options(
        WHO, allow=allow, components=components, points=points, seed=seed, progress=progress
    )
    check_order(WHO, order, gradient)
    with _float64_device() as remarks, reporting(progress) as on_progress:
        problem = prepare(function, params, args, kwargs, has_aux)
        if order == 2:
            problem = _second_order.slope_of(problem, seed)
            remarks.append(_second_order.REMARK)
        further = _further_given(problem, points)
        try:
            problem, program = problem.traced(differentiable=gradient is None)
            if (cause := _determinism.find_randomness(problem, program)) is not None:
                return _summary.refuse(problem.slices, cause, remarks)
            subject = study(problem, program, gradient, allow)
            remarks += _unknown_names(subject, allow)
            random = np.random.default_rng(seed)
            with _refusals.explained(WHO, program):
                return _check(subject, components, further, allow, random, on_progress, remarks)
        except jax.errors.UnexpectedTracerError as error:
            cause = _determinism.kept_value(problem, error)
            return _summary.refuse(problem.slices, cause, remarks)


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
    __tracebackhide__ = True
    report = check_gradients(function, params, **options)
    if not report:
        raise AssertionError(f"assert_gradients: the gradient is not right.\n{report}")
    return report


def _check(
    subject: Subject,
    components: str | int,
    points: dict[str, np.ndarray] | None,
    allow: Sequence[str],
    random: np.random.Generator,
    on_progress: Callable[[int], None],
    remarks: list[str],
) -> GradientReport:
    witnesses = _witnesses(subject, on_progress)
    start = subject.problem.start
    value = witnesses.evaluator.value(start)
    if not np.isfinite(value):
        cause = _nonfinite.blame_value(subject, start, value)
        return _summary.refuse(subject.problem.slices, cause, remarks)
    if (cause := _determinism.gradient_is_random(subject, start)) is not None:
        return _summary.refuse(subject.problem.slices, cause, remarks)
    given = look(subject, witnesses, "given", start, random, components)
    steady = settle(subject, witnesses, given, random, on_progress)
    anywhere = steady or (subject, witnesses)
    further, omitted = visit(*anywhere, given, points, random, bounded=steady is not None)
    if steady is None and any(finding.failed for finding in further):
        steady = settled(subject, witnesses, given, on_progress)
        if steady is not None:
            further, omitted = visit(*steady, given, points, random, bounded=True)
    findings = [given, *further]
    shown = next((finding for finding in findings if finding.failed), findings[0])
    causes = _all_causes(subject, shown, findings[0], allow)
    calls = sum(used.calls for used in {witnesses.evaluator, anywhere[1].evaluator})
    return _summary.summarize(subject, findings, shown, causes, calls, remarks + omitted)


def _all_causes(
    subject: Subject, shown: Finding, given: Finding, allow: Sequence[str]
) -> list[Cause]:
    causes = _causes.explain(subject, shown)
    if not any(cause.kind == "rule" for cause in causes):
        causes += _causes.wrong_forward(subject, given)
    return causes + _causes.starved(subject, allow) + _causes.in_force(subject, shown)


def _witnesses(subject: Subject, on_progress: Callable[[int], None]) -> Witnesses:
    problem = subject.problem
    stripped = permitted = None
    if subject.rules:
        stripped = subject.stripped_of(subject.rules)
    elif subject.written is not None:
        stripped = subject.automatic
    if subject.allowed:
        rest = [rule for rule in subject.rules if rule not in subject.allowed]
        permitted = subject.stripped_of(rest)
    width = 2 * problem.start.size + _activations(subject.program)
    cache = CACHE if _convolves_widely(subject.program) else LARGE_CACHE
    evaluator = evaluator_of(problem, width, on_progress, cache)
    return Witnesses(stripped, permitted, evaluator, width, roundings(subject, stripped))


def _activations(program: Program) -> int:
    outputs = (jaxpr.output_types(site.equation) for site in jaxpr.walk(program))
    return sum(int(np.prod(kind.shape)) for kinds in outputs for kind in kinds)


def _convolves_widely(program: Program) -> bool:
    """Whether a kernel for each value would be slower than one value after another."""
    convolutions = [
        site.equation
        for site in jaxpr.walk(program)
        if site.equation.primitive.name == "conv_general_dilated"
    ]
    kernels = [jaxpr.input_types(equation)[1] for equation in convolutions]
    return any(np.prod(kernel.shape) > WIDE_KERNEL for kernel in kernels)


def _further_given(
    problem: Problem, points: str | Sequence[PyTree]
) -> dict[str, np.ndarray] | None:
    """Return the caller's further points by name; None if the check is to choose them."""
    if isinstance(points, str):
        return None
    named = enumerate(points)
    return {f"point {i + 1}": problem.point(f"`points[{i}]`", tree) for i, tree in named}


def _unknown_names(subject: Subject, allow: Sequence[str]) -> list[str]:
    known = {rule.name for rule in subject.rules}
    known |= {site.equation.primitive.name for site in jaxpr.walk(subject.program)}
    return [
        f"`allow` names {name!r}, which the function does not use"
        for name in allow
        if name not in known
    ]


@contextlib.contextmanager
def _float64_device() -> Iterator[list[str]]:
    """Compute in float64, on the CPU where the default device has none; yields what to say.

    NumPy is silent meanwhile: a NaN or an overflow is a finding here, and the report tells it.
    """
    remarks: list[str] = []
    with contextlib.ExitStack() as stack:
        backend = jax.default_backend()
        if backend in WITHOUT_FLOAT64:
            stack.enter_context(jax.default_device(jax.devices("cpu")[0]))
            remarks.append(f"the {backend} has no float64, so the check ran on the CPU")
        stack.enter_context(np.errstate(all="ignore"))
        stack.enter_context(float64())
        stack.enter_context(jax.numpy_dtype_promotion("standard"))
        yield remarks
