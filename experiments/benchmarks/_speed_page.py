"""From times to medians, ratios, a picture and the tables of `docs/explanation/speed.md`."""

import json
import math
import os
import pathlib
import platform
import statistics
from typing import Any

import jax

DOCS = pathlib.Path(__file__).parents[2] / "docs"
RESULTS = DOCS / "experiments" / "train.json"
PICTURE = DOCS / "experiments" / "train.svg"
PAGE = DOCS / "explanation" / "speed.md"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"

ASKED = (
    ("a", ("loop", "scan"), 0.95),
    ("b", ("loop", "scan"), 0.95),
    ("d", ("loop", "scan"), 0.95),
    ("c", ("loop, reduce_window",), 3.0),
    ("c", ("loop",), 0.95),
    ("c", ("PyTorch",), 1.2),
    ("start", ("loop",), 1 / 1.4),
)
"""Problem, the forms of which the fastest counts, and how fast `fit` has to be beside it."""


def conditions(rounds: int) -> dict[str, Any]:
    """Return what the figures depend on."""
    return {
        "unit": "milliseconds per epoch (start: in all); speed: of `fit` as a multiple",
        "rounds": rounds,
        "backend": jax.default_backend(),
        "device": jax.devices()[0].device_kind,
        "python": platform.python_version(),
        "jax": jax.__version__,
        "cores": os.cpu_count(),
        "load_before": round(os.getloadavg()[0], 2),
        "problems": {},
    }


def summarize(title: str, times: dict[str, list[float]]) -> dict[str, Any]:
    """Return medians, and how fast each form is beside `fit` or else the first, with intervals."""
    reference = "fit" if "fit" in times else next(iter(times))
    forms = {}
    for name, values in times.items():
        ratios = [own / theirs for own, theirs in zip(times[reference], values, strict=True)]
        forms[name] = {
            "ms": _rounded(statistics.median(values)),
            "speed": _rounded(statistics.median(ratios)),
            "interval": [_rounded(bound) for bound in interval(ratios)],
            "rounds_ms": [_rounded(value) for value in values],
        }
    return {"title": title, "reference": reference, "forms": forms}


def interval(values: list[float]) -> tuple[float, float]:
    """Return order statistics that enclose the median with at least 95 %, where there are enough.

    The median lies below the k-th smallest value with the chance that fewer than k of n coins
    show heads.
    """
    n, ordered = len(values), sorted(values)
    below, k = 0.0, 0
    while below + math.comb(n, k) / 2**n <= 0.025:
        below += math.comb(n, k) / 2**n
        k += 1
    place = max(k - 1, 0)
    return ordered[place], ordered[n - 1 - place]


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


def judge(problems: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what was asked of `fit` and what it reached, where both were measured."""
    rows = []
    for name, rivals, least in ASKED:
        forms = problems.get(name, {"forms": {}})["forms"]
        rivals = [rival for rival in rivals if rival in forms]
        if "fit" not in forms or not rivals:
            continue
        best = map(min, zip(*(forms[rival]["rounds_ms"] for rival in rivals), strict=True))
        ratios = [b / own for b, own in zip(best, forms["fit"]["rounds_ms"], strict=True)]
        rows.append(
            {
                "problem": name,
                "beside": " or ".join(rivals),
                "asked": _rounded(least),
                "reached": _rounded(statistics.median(ratios)),
                "interval": [_rounded(bound) for bound in interval(ratios)],
            }
        )
    return rows


def show(problem: dict[str, Any]) -> None:
    """Print one problem."""
    for name, row in problem["forms"].items():
        low, high = row["interval"]
        print(f"  {name:22}{row['ms']:10.4g} ms  {row['speed']:6.2f} [{low:.2f}, {high:.2f}]")


def show_asked(rows: list[dict[str, Any]]) -> None:
    """Print what was asked."""
    for row in rows:
        low, high = row["interval"]
        verdict = "yes" if row["reached"] >= row["asked"] else "NO"
        reached = f"{row['reached']:.2f} [{low:.2f}, {high:.2f}]"
        print(
            f"({row['problem']}) beside {row['beside']}: {reached}, asked {row['asked']}: {verdict}"
        )


def read() -> dict[str, Any]:
    """Return the figures of the last full run."""
    return json.loads(RESULTS.read_text())


def write(results: dict[str, Any]) -> None:
    """Write figures, picture and the tables of the page."""
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")
    draw(results)
    before, rest = PAGE.read_text().split(BEGIN)
    after = rest.split(END)[1]
    PAGE.write_text(f"{before}{BEGIN}\n{tables(results)}\n{END}{after}")


def tables(results: dict[str, Any]) -> str:
    """Write the speeds, and what was asked, in Markdown."""
    problems = results["problems"]
    names = list(dict.fromkeys(form for p in problems.values() for form in p["forms"]))
    lines = [
        f"Median of {results['rounds']} rounds, with an interval that holds it; jax "
        f"{results['jax']} on {results['cores']} cores ({results['backend']}), load "
        f"{results['load_before']} before and {results['load_after']} after. `fit` is 1; more is "
        "faster.",
        "",
        "| | " + " | ".join(f"({name})" if len(name) == 1 else name for name in problems) + " |",
        "|---|" + "---|" * len(problems),
    ]
    for form in names:
        cells = (_cell(problem["forms"].get(form)) for problem in problems.values())
        lines.append(f"| {form} | " + " | ".join(cells) + " |")
    lines += ["", "Milliseconds of `fit`: " + ", ".join(map(_time, problems, problems.values()))]
    lines += ["", "| `fit` beside | on | asked | reached |", "|---|---|---|---|"]
    for row in results["asked"]:
        low, high = row["interval"]
        reached = f"{row['reached']:.2f} [{low:.2f}, {high:.2f}]"
        lines.append(f"| {row['beside']} | {row['problem']} | {row['asked']:.2f} | {reached} |")
    lines += ["", "![Speed of every form beside fit](../experiments/train.svg)"]
    return "\n".join(lines)


def _cell(row: dict[str, Any] | None) -> str:
    if row is None:
        return ""
    low, high = row["interval"]
    return f"{row['speed']:.2f} [{low:.2f}, {high:.2f}]"


def _time(name: str, problem: dict[str, Any]) -> str:
    value = problem["forms"]["fit"]["ms"]
    return f"start {value:.4g} in all." if name == "start" else f"({name}) {value:.4g} per epoch"


def draw(results: dict[str, Any]) -> None:
    """Draw the speed of every form beside `fit`, one panel per problem."""
    import sys

    sys.path.insert(0, str(pathlib.Path(__file__).parents[2]))
    from experiments import _style

    problems = results["problems"]
    figure, axes = _style.panels(len(problems), height=2.6)
    for axis, (name, problem) in zip(axes, problems.items(), strict=True):
        forms = problem["forms"]
        speeds = [row["speed"] for row in forms.values()]
        reach = [
            [row["speed"] - row["interval"][0] for row in forms.values()],
            [row["interval"][1] - row["speed"] for row in forms.values()],
        ]
        colors = [_style.COLORS[1] if form == "fit" else _style.COLORS[0] for form in forms]
        axis.barh(list(forms), speeds, xerr=reach, color=colors, height=0.6)
        axis.axvline(1, color="black", linewidth=0.8)
        axis.invert_yaxis()
        axis.set_title(f"({name}) {problem['title']}" if len(name) == 1 else problem["title"])
        axis.title.set_fontsize(10)
    axes[-1].set_xlabel("speed; fit is 1, more is faster")
    _style.save_svg(figure, PICTURE)
