"""A report as a person reads it: a verdict, the reasons, the leaves, in lines of 80 columns."""

import contextlib
import math
from collections.abc import Sequence
from pathlib import Path

from ._parts import Cause, ComponentReport, Coverage, LeafReport
from ._words import WIDTH, counted, elided, leaf_name, listed, wrapped

SHOWN_LEAVES = 12
SHOWN_COMPONENTS = 3
SHOWN_CAUSES = 6
VERDICT, ERROR, SHAPE, GAP = 12, 8, 14, 2
NAME = WIDTH - VERDICT - ERROR - SHAPE - 3 * GAP
"""Columns of the table."""
INDENT = "    "
WITHOUT_WRONG_ENTRIES = {
    "nondeterministic": "the function is not the same in every call",
    "non_finite": "the loss is not finite",
    "rule": "a custom rule changes the loss",
    "surrogate": "a custom rule changes the loss",
}


def headline(
    verdict: str,
    relative_error: float,
    leaves: Sequence[LeafReport],
    causes: Sequence[Cause],
    point: str,
) -> list[str]:
    """Return one line that says it all, and one with how much and where if it is wrong."""
    bad = [leaf for leaf in leaves if leaf.verdict == "fail"]
    if verdict == "pass":
        every = f"all {len(leaves):,} leaves are" if len(leaves) > 1 else "the gradient is"
        said = f"{every} right ({_error(relative_error)})"
    elif verdict == "inconclusive":
        open_ = [leaf for leaf in leaves if leaf.verdict == "inconclusive"]
        said = f"{_share(open_, leaves)} could not be decided"
    else:
        said = _what_is_wrong(bad, leaves, causes)
    wrong = sum(len(leaf.wrong) for leaf in bad)
    seen = "" if point == "given" else f", seen at {_point(point)}"
    verb = "is" if wrong == 1 else "are"
    size = sum(math.prod(leaf.shape) for leaf in leaves)
    told = wrong and (size > 1 or seen)
    more = f"{wrong:,} of {counted(size, 'entry', 'entries')} {verb} wrong{seen}." if told else ""
    return [f"gradient check: {verdict.upper()} - {said}", *wrapped(more)]


def reasons(causes: Sequence[Cause]) -> list[str]:
    """Return a sentence or two per cause."""
    lines = []
    for cause in causes[:SHOWN_CAUSES]:
        leaves = f" Affects {listed(_names(cause.leaves))}." if cause.leaves else ""
        place = f"{cause.function} at {_place(cause)}"
        start = "  allowed " if cause.allowed else "  because "
        lines += wrapped(f"{place} ({cause.kind}): {cause.detail}{leaves}", start)
    if len(causes) > SHOWN_CAUSES:
        lines.append(f"  and {counted(len(causes) - SHOWN_CAUSES, 'more cause')}")
    return lines


def table(leaves: Sequence[LeafReport]) -> list[str]:
    """Return the leaves, worst first, with the worst entries of those that do not pass."""
    order = {"fail": 0, "inconclusive": 1, "pass": 2}
    ranked = sorted(leaves, key=lambda leaf: (order[leaf.verdict], -_sortable(leaf.error)))
    shown = ranked[:SHOWN_LEAVES]
    names = {leaf.path: elided(_cell(leaf.path), NAME) for leaf in shown}
    width = max(map(len, ("leaf", *names.values())))
    lines = [_row(width, "leaf", "verdict", "error", "shape")]
    for leaf in shown:
        shape = elided("x".join(map(str, leaf.shape)) or "scalar", SHAPE)
        lines.append(_row(width, names[leaf.path], leaf.verdict, _number(leaf.error), shape))
        lines += _details(leaf, alone=len(leaves) == 1)
    if left := len(ranked) - len(shown):
        lines.append(f"... and {counted(left, 'more leaf', 'more leaves')}, none worse")
    return lines


def remarks(coverage: Coverage, notes: Sequence[str]) -> list[str]:
    """Return how much was compared, and the notes."""
    lines = wrapped(_coverage(coverage))
    for note in notes:
        lines += wrapped(note if note.endswith(".") else f"{note}.", "note: ")
    return lines


def _what_is_wrong(
    bad: Sequence[LeafReport], leaves: Sequence[LeafReport], causes: Sequence[Cause]
) -> str:
    wrong = [leaf for leaf in bad if leaf.wrong or not causes]
    if wrong:
        worst = max((leaf.error for leaf in wrong), key=_sortable)
        verb = "is" if len(wrong) == 1 else "are"
        subject = _share(wrong, leaves) if len(leaves) > 1 else "the gradient"
        word = "relative error" if len(wrong) == 1 else "error up to"
        return f"{subject} {verb} wrong ({_error(worst, word)})"
    if bad and any(cause.kind == "blocked" for cause in causes):
        return f"{_share(bad, leaves)} can never learn"
    kinds = [cause.kind for cause in causes if not cause.allowed]
    return next(
        (WITHOUT_WRONG_ENTRIES[k] for k in kinds if k in WITHOUT_WRONG_ENTRIES), "see below"
    )


def _details(leaf: LeafReport, *, alone: bool) -> list[str]:
    lines = []
    size = math.prod(leaf.shape)
    if leaf.wrong and size > 1 and not alone:
        verb = "is" if len(leaf.wrong) == 1 else "are"
        lines += wrapped(f"{len(leaf.wrong):,} of {size:,} entries {verb} wrong.", INDENT)
    shown = [part for part in leaf.worst if part.status != "pass"] if leaf.verdict != "pass" else []
    for part in shown[:SHOWN_COMPONENTS]:
        lines += wrapped(_component(part), INDENT)
    return lines


def _component(part: ComponentReport) -> str:
    text = f"gradient {part.gradient:.9g}"
    if part.index:
        text = f"{_index(part.index)}: {text}"
    if math.isfinite(part.differences):
        text += f", differences {part.differences:.9g}"
        text += f" +- {part.bar:.1g}" if math.isfinite(part.bar) else ""
    if not _says_the_same(part):
        text += f", without the rules {part.stripped:.9g}"
    return text + ("" if part.status == "fail" else f" ({part.status})")


def _says_the_same(part: ComponentReport) -> bool:
    """Whether the third opinion is missing, or adds nothing to the second."""
    if not math.isfinite(part.stripped):
        return True
    return abs(part.stripped - part.differences) <= part.bar + 1e-6 * abs(part.stripped)


def _index(index: Sequence[int]) -> str:
    return f"[{', '.join(map(str, index))}]"


def _coverage(cover: Coverage) -> str:
    if not cover.evaluations:
        return "Compared: nothing."
    size = counted(cover.size, "entry", "entries")
    parts = [f"{cover.components:,} of {size} against finite differences"]
    if cover.directions:
        parts.append(counted(cover.directions, "random direction"))
    if cover.stripped:
        stripped = counted(cover.stripped, "entry", "entries")
        parts.append(f"{stripped} against differentiation without custom rules")
    text = f"Compared: {', '.join(parts)}; {counted(cover.evaluations, 'evaluation')}"
    if len(cover.points) > 1:
        text += f"; points: {', '.join(cover.points)}"
    return text + "."


def _place(cause: Cause) -> str:
    """File and line, seen from the current folder where the file lies in it."""
    if not cause.file:
        return cause.location
    file = Path(cause.file)
    with contextlib.suppress(ValueError):
        file = file.relative_to(Path.cwd())
    return f"{file}:{cause.line}"


def _row(width: int, name: str, verdict: str, error: str, shape: str) -> str:
    gap = " " * GAP
    return gap.join((name.ljust(width), verdict.ljust(VERDICT), error.rjust(ERROR), shape))


def _share(some: Sequence[LeafReport], leaves: Sequence[LeafReport]) -> str:
    if len(leaves) == 1:
        return "the only leaf"
    return f"{len(some):,} of {len(leaves):,} leaves"


def _point(name: str) -> str:
    return name if name.startswith("point ") else f"the {name} point"


def _names(paths: Sequence[str]) -> list[str]:
    return [leaf_name(path) for path in paths]


def _cell(path: str) -> str:
    return f"({leaf_name(path)})" if not path else path


def _error(value: float, word: str = "relative error") -> str:
    return "not finite" if math.isnan(value) else f"{word} {_number(value)}"


def _number(value: float) -> str:
    return "0" if value == 0 else f"{value:.1e}"


def _sortable(value: float) -> float:
    return math.inf if math.isnan(value) else value
