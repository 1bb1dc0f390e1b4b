"""Looks at the gradient away from the given point: a bug can hide near the initialization."""

import numpy as np

from . import _nonfinite, _stuck
from ._examine import Finding, Witnesses, glance
from ._points import far_points, further_points
from ._subject import Subject
from ._words import listed


def visit(
    subject: Subject,
    witnesses: Witnesses,
    given: Finding,
    points: dict[str, np.ndarray] | None,
    random: np.random.Generator,
    *,
    bounded: bool,
) -> tuple[list[Finding], list[str]]:
    """Look at further points until the gradient fails; say which were left out.

    Args:
      subject: what is checked.
      witnesses: the other opinions.
      given: what is known at the given point.
      points: the caller's by name; None for points of our own.
      random: source of the points.
      bounded: whether loops return NaN where they do not end or do not converge.
    """
    if subject.paths.loops and not bounded and points is None:
        left_out = ["no further points: a loop of the function might not end there"]
        return [], left_out if subject.has_own_rules else []
    findings, left_out = [given], []
    near = _near(subject, given, random) if points is None else points
    for name, point in near.items():
        if not _is_defined(subject, witnesses, point, bounded):
            left_out.append(name)
        elif not findings[-1].failed and _worth_a_look(subject, point):
            findings.append(_look(subject, witnesses, given, name, point, random))
    if points is None and not findings[-1].failed:
        findings += _far(subject, witnesses, given, random)
    return findings[1:], _omissions(left_out, bounded, chosen=points is None)


def _omissions(left_out: list[str], bounded: bool, chosen: bool) -> list[str]:
    if bounded and left_out:
        reason = "a loop does not end there, or loss or gradient are not finite"
        return [f"left out: {listed(left_out)} ({reason})"]
    if chosen:
        return []
    return [f"the loss is not finite at {name}, which was left out" for name in left_out]


def _near(subject: Subject, given: Finding, random: np.random.Generator) -> dict[str, np.ndarray]:
    if subject.only_here:
        return {}
    return further_points(given.base.point, given.base.unit, given.known.gradient, random)


def _far(
    subject: Subject, witnesses: Witnesses, given: Finding, random: np.random.Generator
) -> list[Finding]:
    """Go away in every direction until loss or gradient are no longer finite.

    So far out only a user's rules are questioned, and no solver, which need not work there.
    """
    if subject.only_here or not subject.has_own_rules or given.unstripped:
        return []
    findings: list[Finding] = []
    for direction in far_points(given.base.point, given.base.unit, random):
        for name, point in direction.items():
            value = witnesses.evaluator.value(point)
            if not (np.isfinite(value) and np.all(np.isfinite(subject.gradient(point)))):
                break
            findings.append(_look(subject, witnesses, given, name, point, random))
            if findings[-1].failed:
                return findings
    return findings


def _is_defined(subject: Subject, witnesses: Witnesses, point: np.ndarray, bounded: bool) -> bool:
    """Whether the loss is finite there and loops, if there are any, come to an end."""
    if not np.isfinite(witnesses.evaluator.value(point)):
        return False
    return not bounded or bool(np.all(np.isfinite(subject.gradient(point))))


def _worth_a_look(subject: Subject, point: np.ndarray) -> bool:
    """Whether anything but JAX's own rules could go wrong, or they do."""
    if np.all(np.isfinite(subject.gradient(point))):
        return subject.has_own_rules
    return not _nonfinite.overflows(subject, point)


def _look(
    subject: Subject,
    witnesses: Witnesses,
    given: Finding,
    name: str,
    point: np.ndarray,
    random: np.random.Generator,
) -> Finding:
    finding = glance(subject, witnesses, name, point, random)
    _stuck.forgive(subject, given, finding)
    return finding if finding.failed else finding.without_numbers()
