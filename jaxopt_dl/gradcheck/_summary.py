"""Turns what was found into the report that the caller gets."""

from collections.abc import Sequence

import numpy as np

from . import _verdict
from ._examine import Finding
from ._notes import norm_ratio
from ._problem import describe_promotion
from ._report import (
    Cause,
    ComponentReport,
    Coverage,
    GradientReport,
    LeafReport,
)
from ._slices import Slice
from ._subject import HandWritten, Subject
from ._verdict import FAIL, KINK, STATUS, UNRESOLVED
from ._words import counted, leaf_name, listed

WORST = 8


def summarize(
    subject: Subject,
    findings: Sequence[Finding],
    shown: Finding,
    causes: Sequence[Cause],
    evaluations: int,
    remarks: Sequence[str],
) -> GradientReport:
    """Write the report.

    Args:
      subject: what was checked.
      findings: one per point, the given point first.
      shown: the one whose entries are listed.
      causes: of everything that is wrong.
      evaluations: how many values of the function were computed.
      remarks: further notes.
    """
    guilty = {path for cause in causes if not cause.allowed for path in cause.leaves}
    known = shown.known
    best = _verdict.reference(known)
    leaves = tuple(
        _leaf(piece, shown, best, piece.path in guilty) for piece in subject.problem.slices
    )
    given = findings[0]
    compared = np.isfinite(given.known.stripped)
    coverage = Coverage(
        int(given.differenced.size),
        given.directions,
        subject.problem.start.size,
        evaluations,
        int(np.sum(compared)) if subject.rules or subject.written else 0,
        tuple(finding.name for finding in findings),
    )
    return GradientReport(
        _verdict_of(leaves, causes),
        norm_ratio(known.gradient, best),
        leaves,
        tuple(causes),
        coverage,
        (*remarks, *_notes(subject, shown)),
        shown.name,
        "full",
    )


def refuse(subject_slices: Sequence[Slice], cause: Cause, remarks: Sequence[str]) -> GradientReport:
    """Write the report of a check that could not begin."""
    leaves = tuple(
        LeafReport(piece.path, piece.shape, "inconclusive", float("nan"), 0, (), (), ())
        for piece in subject_slices
    )
    size = sum(piece.size for piece in subject_slices)
    coverage = Coverage(0, 0, size, 0, 0, ("given",))
    return GradientReport(
        "fail", float("nan"), leaves, (cause,), coverage, tuple(remarks), "given", "full"
    )


def _verdict_of(leaves: Sequence[LeafReport], causes: Sequence[Cause]) -> str:
    verdicts = {leaf.verdict for leaf in leaves}
    if "fail" in verdicts or any(not cause.allowed for cause in causes):
        return "fail"
    return "inconclusive" if "inconclusive" in verdicts else "pass"


def _leaf(piece: Slice, finding: Finding, best: np.ndarray, guilty: bool) -> LeafReport:
    known, status = finding.known, finding.status
    here = np.arange(piece.start, piece.stop)
    wrong = here[status[here] == FAIL]
    unresolved = bool(np.any(status[here] == UNRESOLVED))
    return LeafReport(
        piece.path,
        piece.shape,
        "fail" if wrong.size or guilty else "inconclusive" if unresolved else "pass",
        norm_ratio(known.gradient[here], best[here]),
        int(np.sum((finding.differenced >= piece.start) & (finding.differenced < piece.stop))),
        piece.indices(wrong),
        tuple(_component(piece, finding, i) for i in _worst(finding, best, here)),
        piece.indices(here[status[here] == KINK]),
    )


def _worst(finding: Finding, best: np.ndarray, here: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        gap = np.abs(finding.known.gradient[here] - best[here])
    gap = np.where(np.isnan(gap), np.inf, gap)
    return here[np.lexsort((-gap, -finding.status[here]))][:WORST]


def _component(piece: Slice, finding: Finding, i: int) -> ComponentReport:
    known = finding.known
    return ComponentReport(
        piece.index(i),
        float(known.gradient[i]),
        float(known.slope[i]),
        float(known.bar[i]),
        float(known.stripped[i]),
        STATUS[finding.status[i]],
    )


def _notes(subject: Subject, finding: Finding) -> list[str]:
    notes = []
    promoted = describe_promotion(subject.problem)
    if promoted:
        notes.append(promoted)
    notes += _kink_note(subject, finding) + _settled_note(subject, finding)
    notes += _unlisted_note(subject, finding)
    notes += _integer_note(subject) + _unused_note(subject)
    notes += finding.heard
    known = finding.known
    differs = (finding.status < UNRESOLVED) & np.isfinite(known.stripped)
    differs &= ~_verdict.agrees(known, known.stripped) & ~np.isfinite(known.permitted)
    differs &= ~np.isfinite(known.settled)
    if np.any(differs):
        number = counted(int(np.sum(differs)), "entry", "entries")
        notes.append(
            f"in {number} the gradient agrees with finite differences but not "
            "with differentiation without custom rules; differences decided"
        )
    if subject.problem.on_host:
        notes.append("JAX cannot trace the function, so finite differences alone decided")
    elif finding.unstripped:
        notes.append(f"no opinion without custom rules: {finding.unstripped}")
    if subject.paths.roundoff > 2.0**-53:
        notes.append(
            "the function computes in a type narrower than float64 inside, which limits what "
            "differences can resolve"
        )
    return notes


def _kink_note(subject: Subject, finding: Finding) -> list[str]:
    kinks = np.flatnonzero(finding.status == KINK)
    if kinks.size == 0:
        return []
    names = [_entry(subject, int(i)) for i in kinks]
    return [
        f"kink at {listed(names, 3)}: the slopes from both sides differ there, and the gradient is "
        "a valid subgradient"
    ]


def _settled_note(subject: Subject, finding: Finding) -> list[str]:
    known = finding.known
    found = np.flatnonzero(np.isfinite(known.settled))
    if found.size == 0:
        return []
    gap = np.where(np.isfinite(known.slope), np.abs(known.gradient - known.slope), -1.0)[found]
    worst = int(found[np.argmax(gap)])
    number = counted(found.size, "entry", "entries")
    return [
        f"inner solvers stop early, which matters to {number}. At {_entry(subject, worst)} the "
        f"loss as computed has slope {known.slope[worst]:.6g} and the gradient is "
        f"{known.gradient[worst]:.6g}; with the solvers run on both are "
        f"{known.settled[worst]:.6g}, so the gradient is right"
    ]


def _entry(subject: Subject, position: int) -> str:
    slices = subject.problem.slices
    return next(s for s in slices if s.start <= position < s.stop).entry(position)


def _integer_note(subject: Subject) -> list[str]:
    written = subject.gradient
    if not (isinstance(written, HandWritten) and written.integers):
        return []
    paths = listed([leaf_name(path) for path in sorted(written.integers)])
    return [f"`gradient` gives integers for {paths}, which cannot hold a slope of 0.5"]


def _unused_note(subject: Subject) -> list[str]:
    reach = subject.paths.loss
    used = reach.alive | {leaf for leaf, _ in reach.dead}
    slices = subject.problem.slices
    unused = [leaf_name(s.path) for i, s in enumerate(slices) if i not in used]
    return [f"the loss does not depend on {listed(unused)}"] if unused else []


def _unlisted_note(subject: Subject, finding: Finding) -> list[str]:
    pieces = [subject.problem.slices[leaf] for leaf in finding.unexplained]
    failing = [s for s in pieces if np.any(finding.status[s.start : s.stop] == FAIL)]
    if not failing:
        return []
    names = listed([leaf_name(piece.path) for piece in failing])
    return [
        f"more entries of {names} are wrong than those listed: random directions show it, and only "
        "some entries were compared one by one"
    ]
