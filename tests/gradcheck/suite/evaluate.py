"""Run the suite through `check_gradients` and say how well it does.

    python -m tests.gradcheck.suite.evaluate [--json FILE] [--sample N] [--only NAME ...]

Rates are over the resolvable cases. An "inconclusive" is a miss on a bug and an alarm on a
correct function. Every miss is listed.
"""

import argparse
import contextlib
import dataclasses
import json
import os
import pathlib
import platform
import queue
import sys
import threading
import time
import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxopt_dl.gradcheck import check_gradients
from tests.gradcheck.suite._cases import Case, all_cases

# The words of the report for the kinds a case states.
KINDS = {
    "rule": "custom_rule",
    "surrogate": "surrogate",
    "blocked": "blocked",
    "non_finite": "nonfinite",
    "nondeterministic": "nondeterministic",
    "gradient": "hand_written",
    "edge": "edge",
}
LIMIT = 120  # seconds for one case
RATES = ("detection", "no_alarm", "leaves", "components", "cause", "no_false_accusation")


@dataclasses.dataclass(frozen=True)
class Result:
    """What the checker said about one case; `facts` holds what can be judged, right or wrong."""

    case: str
    theme: str
    expected: str
    verdict: str
    seconds: float
    facts: dict[str, bool]
    said: dict[str, Any]

    @property
    def wrong(self) -> list[str]:
        return [fact for fact, right in self.facts.items() if not right]


class Figures(NamedTuple):
    """Share of right answers per fact, and how many cases it was judged on."""

    rates: dict[str, float]
    counts: dict[str, int]
    results: list[Result]


@contextlib.contextmanager
def user_settings():
    """JAX as users have it: the strict settings of our own tests do not bind their functions."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(jax.numpy_dtype_promotion("standard"))
        stack.enter_context(jax.numpy_rank_promotion("allow"))
        stack.enter_context(warnings.catch_warnings())
        stack.enter_context(np.errstate(all="ignore"))
        warnings.simplefilter("ignore")
        yield


def one_by_one(cases: Iterable[Case]) -> Iterator[Case]:
    """Forget compiled programs now and then: those of some hundred cases fill gigabytes."""
    for number, case in enumerate(cases, start=1):
        yield case
        if number % 50 == 0:
            jax.clear_caches()


def evaluate(cases: Iterable[Case], announce: bool = False) -> Figures:
    """Check every case and count."""
    results = []
    for case in one_by_one(cases):
        results.append(examine(case))
        if announce:
            print(line_of(results[-1]), flush=True)
    judged = {rate: [r.facts[rate] for r in results if rate in r.facts] for rate in RATES}
    rates = {rate: sum(found) / max(len(found), 1) for rate, found in judged.items()}
    return Figures(rates, {rate: len(found) for rate, found in judged.items()}, results)


def examine(case: Case) -> Result:
    """Check one case, in a thread of its own: a program that never ends cannot be interrupted."""
    start = time.perf_counter()
    answers: queue.Queue = queue.Queue()
    threading.Thread(target=lambda: answers.put(answer(case)), daemon=True).start()
    try:
        verdict, facts, said = answers.get(timeout=LIMIT)
    except queue.Empty:
        verdict, facts, said = no_verdict(case, "timeout", f"no answer after {LIMIT} s")
    seconds = time.perf_counter() - start
    return Result(case.name, case.theme, case.verdict, verdict, seconds, facts, said)


def answer(case: Case) -> tuple[str, dict[str, bool], dict[str, Any]]:
    """The verdict, the facts judged, and the report in short."""
    with user_settings():
        arguments = case.make()
        try:
            report = check_gradients(**arguments)
        except Exception as error:  # a checker that raises has given no verdict
            return no_verdict(case, "raised", f"{type(error).__name__}: {error}"[:500])
        return report.verdict, judge(case, arguments, report), summary(report)


def no_verdict(case: Case, word: str, why: str) -> tuple[str, dict[str, bool], dict[str, Any]]:
    facts = {} if case.unresolvable else {"detection" if case.is_bug else "no_alarm": False}
    return word, facts, {"error": why}


def judge(case: Case, arguments: dict, report: Any) -> dict[str, bool]:
    """Which of the facts that this case states the report has right."""
    if case.unresolvable:
        return {}
    if not case.is_bug:
        accused = [c for c in report.causes if c.kind == "rule" and not c.allowed]
        return {"no_alarm": report.verdict == "pass", "no_false_accusation": not accused}
    facts = {"detection": report.verdict == "fail"}
    failing = {leaf.path: leaf for leaf in report.leaves if leaf.verdict == "fail"}
    if case.leaves is not None:
        facts["leaves"] = set(failing) == case.leaves
    if case.components:
        facts["components"] = all(
            path in failing and flat_indices(failing[path]) == wrong
            for path, wrong in case.components.items()
        )
    expected = case.find_cause(arguments) if case.find_cause else None
    if expected is not None:
        matches = [
            expected.matches(KINDS.get(c.kind, c.kind), c.function, c.file, c.line)
            for c in report.causes
        ]
        facts["cause"] = any(matches)
        facts["no_false_accusation"] = all(
            right for right, c in zip(matches, report.causes, strict=True) if c.kind == "rule"
        )
    return facts


def flat_indices(leaf: Any) -> set[int]:
    return {int(np.ravel_multi_index(i, leaf.shape)) if i else 0 for i in leaf.wrong}


def summary(report: Any) -> dict[str, Any]:
    """The report in a few words, for the list of misses."""
    return {
        "leaves": {leaf.path: leaf.verdict for leaf in report.leaves if leaf.verdict != "pass"},
        "wrong": {leaf.path: list(leaf.wrong[:8]) for leaf in report.leaves if leaf.wrong},
        "causes": [(c.kind, c.function, c.location, c.allowed) for c in report.causes[:6]],
        "notes": list(report.notes)[:4],
    }


def line_of(result: Result) -> str:
    mark = "WRONG " + ",".join(result.wrong) if result.wrong else "ok"
    return f"{result.seconds:6.1f}s {result.theme}/{result.case}: {result.verdict} {mark}"


def sample(cases: Sequence[Case], size: int) -> list[Case]:
    """A fixed sample: every k-th case of the list, which is ordered by theme."""
    chosen = np.linspace(0, len(cases) - 1, min(size, len(cases))).round().astype(int)
    return [cases[i] for i in chosen]


def text_of(figures: Figures) -> str:
    """The rates, then every miss with what was said instead."""
    lines = [f"{r:>20}: {figures.rates[r]:7.2%} of {figures.counts[r]}" for r in RATES]
    total = sum(result.seconds for result in figures.results)
    lines.append(f"{'time':>20}: {total:.0f} s for {len(figures.results)} cases")
    for result in (result for result in figures.results if result.wrong):
        lines += ["", f"{result.theme}/{result.case}: expected {result.expected}, "]
        lines[-1] += f"got {result.verdict}; wrong: {', '.join(result.wrong)}"
        lines += [f"    {name}: {said}" for name, said in result.said.items() if said]
    return "\n".join(lines)


def as_json(figures: Figures) -> str:
    """Write versions, rates and one line per case; what was said only where it was wrong."""
    cases = [
        {
            "case": f"{result.theme}/{result.case}",
            "expected": result.expected,
            "verdict": result.verdict,
            "wrong": result.wrong,
        }
        for result in figures.results
    ]
    head = {
        "python": platform.python_version(),
        "jax": jax.__version__,
        "rates": figures.rates,
        "counts": figures.counts,
    }
    lines = ",\n".join(f"  {json.dumps(case)}" for case in cases)
    return f'{json.dumps(head, indent=1)[:-2]},\n "cases": [\n{lines}\n ]\n}}\n'


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", type=pathlib.Path, help="write figures and results to this file")
    parser.add_argument("--sample", type=int, help="check only this many cases, evenly chosen")
    parser.add_argument("--only", action="append", help="a case or a theme; may be repeated")
    parser.add_argument("--verbose", action="store_true", help="print a line per case")
    options = parser.parse_args()
    cases = all_cases()
    if options.only:
        cases = [case for case in cases if {case.name, case.theme} & set(options.only)]
    if options.sample:
        cases = sample(cases, options.sample)
    figures = evaluate(cases, announce=options.verbose)
    print(text_of(figures))
    if options.json:
        options.json.write_text(as_json(figures))
    if any(result.verdict == "timeout" for result in figures.results):
        sys.stdout.flush()
        os._exit(1)  # a computation that never ends would keep the process alive


if __name__ == "__main__":
    main()
