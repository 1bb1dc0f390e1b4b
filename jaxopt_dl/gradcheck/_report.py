"""What a check found: plain data, and the table a person reads."""

import dataclasses
import math
from typing import Any, NamedTuple

SHOWN_LEAVES = 12
SHOWN_COMPONENTS = 3
SHOWN_CAUSES = 6
WIDTH = 100


class ComponentReport(NamedTuple):
    """One entry of a leaf.

    Attributes:
      index: where in the leaf; `()` for a scalar.
      gradient: the value under test.
      differences: the slope that finite differences found; NaN where none was taken.
      bar: how far off that slope may be; infinite where none was taken.
      stripped: automatic differentiation without the user's rules; NaN where there is none.
      status: "pass", "kink" (a valid subgradient), "fail" or "unresolved".

    Examples:
      >>> import jax.numpy as jnp
      >>> from jaxopt_dl.gradcheck import check_gradients
      >>> report = check_gradients(jnp.sum, jnp.ones(2), gradient=lambda x: 2 * x)
      >>> worst = report.leaves[0].worst[0]
      >>> worst.status, worst.gradient, round(worst.differences, 6)
      ('fail', 2.0, 1.0)
    """

    index: tuple[int, ...]
    gradient: float
    differences: float
    bar: float
    stripped: float
    status: str


class LeafReport(NamedTuple):
    """One leaf of the parameters.

    Attributes:
      path: such as `00_dense/kernel`; empty where the parameters are one bare array.
      shape: its shape.
      verdict: "pass", "fail" or "inconclusive".
      error: `|g - r| / (|g| + |r|)` in Euclidean norms, r the surest reference; 0 to 1.
      checked: how many entries differences were taken for, one by one.
      wrong: the index of every entry that fails.
      worst: the entries that disagree most, worst first.
      kinks: the index of every entry where the loss has a kink.

    Examples:
      >>> import jax
      >>> import jax.numpy as jnp
      >>> from jaxopt_dl.gradcheck import check_gradients
      >>> loss = lambda p: jnp.sum(jax.nn.relu(p["bias"]))
      >>> leaf = check_gradients(loss, {"bias": jnp.array([0.0, 1.0])}).leaves[0]
      >>> leaf.path, leaf.verdict, leaf.kinks
      ('bias', 'pass', ((0,),))
    """

    path: str
    shape: tuple[int, ...]
    verdict: str
    error: float
    checked: int
    wrong: tuple[tuple[int, ...], ...]
    worst: tuple[ComponentReport, ...]
    kinks: tuple[tuple[int, ...], ...]


class Cause(NamedTuple):
    """Where a wrong gradient comes from.

    Attributes:
      kind: "rule" (a wrong custom rule), "surrogate" (`stop_gradient`, or a rule that replaces
        the derivative on purpose), "blocked" (a function without a derivative cuts the path),
        "non_finite", "gradient" (the hand-written gradient), "nondeterministic" or "unexplained".
      function: name of the function or primitive.
      file: where it is defined or called; empty if unknown.
      line: line in that file; 0 if unknown.
      leaves: paths of the leaves it affects.
      detail: one sentence.
      allowed: whether the caller listed it in `allow`.

    Examples:
      >>> import jax.numpy as jnp
      >>> from jaxopt_dl.gradcheck import check_gradients
      >>> report = check_gradients(lambda p: jnp.sum(jnp.round(p["w"])), {"w": jnp.array([0.3])})
      >>> cause = report.causes[0]
      >>> cause.kind, cause.function, cause.leaves
      ('blocked', 'round', ('w',))
    """

    kind: str
    function: str
    file: str
    line: int
    leaves: tuple[str, ...]
    detail: str
    allowed: bool = False

    @property
    def location(self) -> str:
        """Return file and line with a colon between them, as editors link them."""
        return f"{self.file}:{self.line}" if self.file else "an unknown place"


class Coverage(NamedTuple):
    """How much was compared with what.

    Attributes:
      components: entries compared with differences one by one.
      directions: masked random directions compared with differences.
      size: entries in all floating-point leaves.
      evaluations: values of the function that differences used.
      stripped: entries compared with automatic differentiation without the user's rules.
      points: names of the parameter values that were tried.

    Examples:
      >>> import jax.numpy as jnp
      >>> from jaxopt_dl.gradcheck import check_gradients
      >>> coverage = check_gradients(lambda x: jnp.sum(x**2), jnp.ones(5), components=2).coverage
      >>> coverage.components, coverage.size
      (2, 5)
    """

    components: int
    directions: int
    size: int
    evaluations: int
    stripped: int
    points: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class GradientReport:
    """The result of `check_gradients`; `str(report)` is for people, the fields for programs.

    Attributes:
      verdict: "pass", "fail" or "inconclusive".
      relative_error: `|g - r| / (|g| + |r|)` over all compared entries, 0 to 1.
      leaves: one `LeafReport` per floating-point leaf, in the order of the parameters.
      causes: where the errors come from, most affected leaves first.
      coverage: how much was compared with what.
      notes: sentences on everything that needs no action but should be known.
      point: the parameter values the leaves are shown at, one of `coverage.points`.
      method: "full", or "textbook" for the plain algorithm.

    Examples:
      >>> import jax.numpy as jnp
      >>> from jaxopt_dl.gradcheck import check_gradients
      >>> report = check_gradients(lambda x: jnp.sum(x**2), jnp.ones(2), gradient=jnp.ones_like)
      >>> bool(report), report.verdict, report.causes[0].kind
      (False, 'fail', 'gradient')
      >>> print(str(report).splitlines()[0])
      gradient check: FAIL - 1 of 1 leaves are wrong, 2 entries (relative error 3.3e-01)
    """

    verdict: str
    relative_error: float
    leaves: tuple[LeafReport, ...]
    causes: tuple[Cause, ...]
    coverage: Coverage
    notes: tuple[str, ...]
    point: str
    method: str

    def __bool__(self) -> bool:
        """Whether the check passed."""
        return self.verdict == "pass"

    def __str__(self) -> str:
        """Return the report as text, worst leaf first."""
        return "\n".join(_lines(self))

    def to_dict(self) -> dict[str, Any]:
        """Return plain dicts, lists, strings and numbers, ready for JSON."""
        return _plain(self)


def _lines(report: GradientReport) -> list[str]:
    lines = [_headline(report)]
    for cause in report.causes[:SHOWN_CAUSES]:
        lines += _wrapped(_cause_text(cause), "  because " if not cause.allowed else "  allowed ")
    if len(report.causes) > SHOWN_CAUSES:
        lines.append(f"  and {len(report.causes) - SHOWN_CAUSES} more causes")
    lines += ["", *_table(report), ""]
    lines += _wrapped(_coverage_text(report), "")
    for note in report.notes:
        lines += _wrapped(note, "note: ")
    return lines


def _headline(report: GradientReport) -> str:
    bad = [leaf for leaf in report.leaves if leaf.verdict == "fail"]
    where = f" at the {report.point} point" if report.point != "given" else ""
    if report.verdict == "pass":
        text = f"the gradient is right in all {len(report.leaves)} leaves"
    elif report.verdict == "fail":
        wrong = sum(len(leaf.wrong) for leaf in bad)
        text = f"{len(bad)} of {len(report.leaves)} leaves are wrong{where}, {wrong} entries"
        if not bad:
            text = f"see the cause below{where}"
    else:
        text = f"not everything could be decided{where}"
    error = f"relative error {_number(report.relative_error)}"
    return f"gradient check: {report.verdict.upper()} - {text} ({error})"


def _cause_text(cause: Cause) -> str:
    leaves = f" Affects {_listed(cause.leaves)}." if cause.leaves else ""
    return f"{cause.function} at {cause.location} ({cause.kind}): {cause.detail}{leaves}"


def _table(report: GradientReport) -> list[str]:
    order = {"fail": 0, "inconclusive": 1, "pass": 2}
    ranked = sorted(report.leaves, key=lambda leaf: (order[leaf.verdict], -_sortable(leaf.error)))
    shown = ranked[:SHOWN_LEAVES]
    name_width = min(max([4, *(len(_name(leaf.path)) for leaf in shown)]), 44)
    lines = [f"{'leaf':<{name_width}}  {'verdict':<12}  {'error':>8}  {'shape':<14}  remarks"]
    for leaf in shown:
        shape = "x".join(map(str, leaf.shape)) or "scalar"
        lines.append(
            f"{_clipped(_name(leaf.path), name_width):<{name_width}}  {leaf.verdict:<12}  "
            f"{_number(leaf.error):>8}  {shape:<14}  {_remarks(leaf)}"
        )
        if leaf.verdict != "pass":
            for part in leaf.worst[:SHOWN_COMPONENTS]:
                lines += _wrapped(_component_text(leaf, part), "    ")
    if len(ranked) > len(shown):
        lines.append(f"... and {len(ranked) - len(shown)} more leaves, none worse")
    return lines


def _component_text(leaf: LeafReport, part: ComponentReport) -> str:
    index = f"[{', '.join(map(str, part.index))}]" if part.index else ""
    text = f"{_name(leaf.path)}{index}: gradient {part.gradient:.9g}"
    if math.isfinite(part.bar):
        text += f", differences {part.differences:.9g} +- {part.bar:.1g}"
    if math.isfinite(part.stripped):
        text += f", without the rules {part.stripped:.9g}"
    return text + ("" if part.status == "fail" else f" ({part.status})")


def _remarks(leaf: LeafReport) -> str:
    remarks = []
    if leaf.wrong:
        remarks.append(f"{len(leaf.wrong)} of {math.prod(leaf.shape)} entries wrong")
    if leaf.kinks:
        index = ", ".join(map(str, leaf.kinks[0]))
        more = f" and {len(leaf.kinks) - 1} more" if len(leaf.kinks) > 1 else ""
        remarks.append(f"kink at [{index}]{more}" if index else "kink")
    return "; ".join(remarks)


def _coverage_text(report: GradientReport) -> str:
    cover = report.coverage
    parts = [f"{cover.components} of {cover.size} entries against finite differences"]
    if cover.directions:
        parts.append(f"{cover.directions} random directions")
    if cover.stripped:
        parts.append(f"{cover.stripped} entries against differentiation without custom rules")
    text = f"Compared: {', '.join(parts)}; {cover.evaluations} evaluations"
    if len(cover.points) > 1:
        text += f"; points: {', '.join(cover.points)}"
    return text + "."


def _wrapped(text: str, start: str) -> list[str]:
    import textwrap

    indent = " " * len(start)
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=start,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _listed(paths: tuple[str, ...]) -> str:
    names = [_name(path) for path in paths[:4]]
    more = f" and {len(paths) - 4} more" if len(paths) > 4 else ""
    return ", ".join(names) + more


def _name(path: str) -> str:
    return path or "(the array)"


def _clipped(text: str, width: int) -> str:
    return text if len(text) <= width else "..." + text[3 - width :]


def _number(value: float) -> str:
    return f"{value:.1e}"


def _sortable(value: float) -> float:
    return math.inf if math.isnan(value) else value


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, ComponentReport | LeafReport | Cause | Coverage):
        return {name: _plain(part) for name, part in value._asdict().items()}
    if isinstance(value, tuple | list):
        return [_plain(part) for part in value]
    return value
