"""Explains failing entries: takes one suspect out of the program at a time and looks again."""

from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from . import _edges, _nonfinite, _operations, _verdict
from ._examine import Finding
from ._parts import Cause
from ._paths import Blocker
from ._rules import STOP, Rule, find_rules, inside, outside
from ._subject import Subject
from ._surrogates import is_surrogate
from ._verdict import FAIL, Opinions
from ._words import counted


def explain(subject: Subject, finding: Finding) -> list[Cause]:
    """Return the causes of the failing entries of one point, most certain first."""
    left = finding.status == FAIL
    if not np.any(left):
        return []
    causes: list[Cause] = []
    if subject.written is not None:
        own = left & ~_as_automatic(subject, finding)
        causes += _hand_written(subject, finding, own)
        left &= ~own
    rules = [rule for rule in subject.rules if rule not in subject.allowed]
    found, explained = blame_rules(subject, finding, left, rules)
    causes, left = causes + found, left & ~explained
    broken = left & ~np.isfinite(finding.known.gradient)
    if np.any(broken):
        found = _nonfinite.blame_operations(subject, finding.base.point, broken)
        causes, left = causes + found, left & ~(broken & bool(found))
    for blame in (_operations.blame_derivatives, _edges.blame_edges):
        if np.any(left):
            found, explained = blame(subject, finding.base, left)
            causes, left = causes + found, left & ~explained
    found, explained = _blame_libraries(subject, finding, left)
    causes, left = causes + found, left & ~explained
    return causes + _unexplained(subject, left)


def starved(subject: Subject, allow: Sequence[str]) -> list[Cause]:
    """Return what keeps leaves from the loss although they take part in computing it."""
    by_blocker: dict[Blocker, list[str]] = {}
    for leaf, blockers in subject.paths.starved().items():
        hard = [b for b in blockers if b.primitive != STOP and b.primitive not in allow]
        for blocker in hard:
            by_blocker.setdefault(blocker, []).append(subject.problem.slices[leaf].path)
    return [
        Cause(
            "blocked",
            blocker.primitive,
            blocker.place.file,
            blocker.place.line,
            tuple(paths),
            f"these parameters reach the loss only through `{blocker.primitive}` (in "
            f"{blocker.place.function}), whose derivative is zero, so they never learn.",
        )
        for blocker, paths in by_blocker.items()
    ]


def blame_rules(
    subject: Subject, finding: Finding, failing: np.ndarray, rules: Sequence[Rule]
) -> tuple[list[Cause], np.ndarray]:
    """Return the rules without which failing entries change, and the entries they explain.

    A right rule changes nothing but rounding when its function is differentiated as it stands.
    A rule whose function cannot be differentiated is named only if nothing else explains.
    """
    causes, unknown = [], []
    explained = np.zeros(failing.shape, bool)
    for rule in rules if np.any(failing) else ():
        trial = _without_rule(subject, finding.base.point, rule, rules)
        moved = failing & (False if trial is None else trial.moved(finding.known))
        if trial is None or (np.any(failing & trial.lost) and not np.any(moved)):
            unknown.append(rule)
        elif np.any(moved):
            causes.append(_rule_cause(subject, finding, rule, moved, trial))
            explained |= moved
    left = failing & ~explained
    if unknown and np.any(left):
        causes += [_suspected(subject, finding, rule, left) for rule in unknown]
        explained |= left
    return causes, explained


def _blame_libraries(
    subject: Subject, finding: Finding, failing: np.ndarray
) -> tuple[list[Cause], np.ndarray]:
    library = find_rules(subject.program, trusted=True)
    return blame_rules(subject, finding, failing, library)


class Trial(NamedTuple):
    """Gradient and loss with and without one rule.

    Attributes:
      value: the loss while differentiating, with the rule.
      gradient: the gradient with it, `(size,)`.
      others: values and gradients without it: its body with the rules inside, and without them.
    """

    value: float
    gradient: np.ndarray
    others: tuple[tuple[float, np.ndarray], ...]

    @property
    def lost(self) -> np.ndarray:
        """Entries that have no finite gradient without the rule, but do with it."""
        broken = np.any([~np.isfinite(other) for _, other in self.others], axis=0)
        return broken & np.isfinite(self.gradient)

    def moved(self, known: Opinions) -> np.ndarray:
        """Entries that change however the rule's body is differentiated."""
        changes = [~_same(known, self.gradient, other) for _, other in self.others]
        return np.all(changes, axis=0) & ~self.lost


def _without_rule(
    subject: Subject, point: np.ndarray, rule: Rule, rules: Sequence[Rule]
) -> Trial | None:
    """Take one rule out; rules around it are out in both cases. None if that cannot be run."""
    around = outside(subject.program, rule, rules)
    within = inside(subject.program, rule)
    with_it = subject.stripped_of(around) if around else subject.automatic
    bodies = [(), within] if within else [()]
    try:
        others = [subject.stripped_of([*around, rule, *body]).both(point) for body in bodies]
        value, gradient = with_it.both(point)
    except Exception:  # such as a while loop, which has no reverse mode
        return None
    return Trial(value, gradient, tuple(others))


def wrong_forward(subject: Subject, finding: Finding) -> list[Cause]:
    """Return the rules whose forward pass changes the value of the loss."""
    if subject.written is not None or not subject.rules:
        return []
    value, _ = subject.automatic.both(finding.base.point)
    if _close(value, finding.base.value, finding):
        return []
    causes = []
    for rule in subject.rules:
        trial = _without_rule(subject, finding.base.point, rule, subject.rules)
        if trial is None or any(_close(v, trial.value, finding) for v, _ in trial.others):
            continue
        detail = (
            f"its forward rule returns other values than the function itself: the loss is "
            f"{value:.9g} while differentiating and {finding.base.value:.9g} otherwise."
        )
        causes.append(Cause("rule", rule.name, rule.place.file, rule.place.line, (), detail))
    return causes


def in_force(subject: Subject, finding: Finding) -> list[Cause]:
    """Return the allowed rules, if they change the gradient anywhere."""
    changed = np.isfinite(finding.known.permitted)
    if not np.any(changed):
        return []
    detail = "accepted, because `allow` names it."
    return [
        Cause(
            "surrogate",
            rule.name,
            rule.place.file,
            rule.place.line,
            subject.leaves_with(changed),
            detail,
            allowed=True,
        )
        for rule in subject.allowed
    ]


def _as_automatic(subject: Subject, finding: Finding) -> np.ndarray:
    """Where a hand-written gradient equals `jax.grad`, so that the fault is the function's."""
    try:
        automatic = subject.automatic(finding.base.point)
    except Exception:  # no reverse mode: the very reason to write a gradient by hand
        return np.zeros(finding.status.shape, bool)
    return _verdict.agrees(finding.known, automatic)


def _close(a: float, b: float, finding: Finding) -> bool:
    return abs(a - b) <= 1e-9 * max(abs(a), abs(b)) + 16 * finding.base.noise


def _same(known: Opinions, gradient: np.ndarray, other: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        size = np.fmax(np.abs(gradient), np.abs(other))
        room = known.rounding + known.doubt + _verdict.TOLERANCE * size
        return np.abs(gradient - other) <= room


def _rule_cause(
    subject: Subject, finding: Finding, rule: Rule, moved: np.ndarray, trial: Trial
) -> Cause:
    value, other = trial.others[-1]
    gap = np.abs(np.nan_to_num(trial.gradient - other))
    worst = int(np.argmax(np.where(moved, gap, -1.0)))
    entry = next(s for s in subject.problem.slices if s.start <= worst < s.stop).entry(worst)
    detail = (
        f"with it the gradient of {entry or 'the parameter'} is {trial.gradient[worst]:.6g}, "
        f"without it {other[worst]:.6g}."
    )
    if not np.isclose(value, trial.value, rtol=1e-9, atol=0):
        detail += f" Its forward rule also changes the loss, from {value:.6g} to {trial.value:.6g}."
    return _accused(subject, finding, rule, moved, detail)


def _suspected(subject: Subject, finding: Finding, rule: Rule, left: np.ndarray) -> Cause:
    detail = (
        "the likely cause: the function cannot be differentiated without its rule, and "
        "nothing else explains the difference."
    )
    return _accused(subject, finding, rule, left, detail)


def _accused(
    subject: Subject, finding: Finding, rule: Rule, entries: np.ndarray, detail: str
) -> Cause:
    leaves = subject.problem.split(jnp.asarray(finding.base.point))
    surrogate = is_surrogate(rule, subject.program, leaves)
    if surrogate:
        detail += f" If that is meant, pass allow=({rule.name!r},)."
    kind = "surrogate" if surrogate else "rule"
    paths = subject.leaves_with(entries)
    return Cause(kind, rule.name, rule.place.file, rule.place.line, paths, detail)


def _hand_written(subject: Subject, finding: Finding, own: np.ndarray) -> list[Cause]:
    if not np.any(own):
        return []
    assert subject.written is not None
    number = counted(int(np.sum(own)), "entry", "entries")
    detail = f"this hand-written gradient differs from the function's in {number}."
    if not np.all(np.isfinite(finding.known.gradient[own])):
        detail += " Some of them are not finite."
    return [Cause("gradient", *subject.written, subject.leaves_with(own), detail)]


def _unexplained(subject: Subject, left: np.ndarray) -> list[Cause]:
    if not np.any(left):
        return []
    detail = "no custom rule, `stop_gradient` or operation explains the difference."
    paths = subject.leaves_with(left)
    return [Cause("unexplained", "the function", "", 0, paths, detail)]
