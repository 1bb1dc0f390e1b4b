"""The checker held against the planted bugs and correct functions of `suite/`.

The first half checks the suite itself, without the checker. The fixed samples run always, the
whole of it under `-m slow`.
"""

import collections
import dataclasses

import jax
import pytest

from tests.gradcheck.suite._cases import Case, all_cases
from tests.gradcheck.suite._truth import problems
from tests.gradcheck.suite.evaluate import (
    Figures,
    evaluate,
    one_by_one,
    sample,
    text_of,
    user_settings,
)

CASES = all_cases()
# Cases that take seconds to compile stay out of the fixed sample.
QUICK = [case for case in CASES if case.theme not in ("models", "hand_written_structured")]
FLOORS = {"detection": 0.99, "no_alarm": 0.99, "leaves": 0.97, "components": 0.95, "cause": 0.90}


def claimed_wrongly(cases: list[Case]) -> dict[str, list[str]]:
    with user_settings(), jax.enable_x64(True):
        found = {case.name: problems(case) for case in one_by_one(cases)}
    return {name: wrong for name, wrong in found.items() if wrong}


def below_the_floor(figures: Figures) -> list[str]:
    return [name for name, floor in FLOORS.items() if figures.rates[name] < floor]


def test_at_least_140_bugs_and_140_correct_functions():
    resolvable = [case for case in CASES if not case.unresolvable]
    counts = collections.Counter(case.verdict for case in resolvable)
    assert counts["fail"] >= 140 and counts["pass"] >= 140


def test_every_bug_states_its_cause_and_every_correct_function_none():
    assert [c.name for c in CASES if (c.find_cause is not None) != c.is_bug] == []


def test_stated_components_lie_in_stated_leaves():
    assert [c.name for c in CASES if not set(c.components) <= (c.leaves or set())] == []


def test_every_stated_place_holds_a_definition_or_a_marked_line():
    for case in (case for case in CASES if case.theme in ("blocked", "nonfinite") and case.is_bug):
        with user_settings():
            assert case.find_cause is not None
            cause = case.find_cause(case.make())
        assert all(place.first <= place.last for place in cause.places), case.name
        assert all(place.file.endswith(f"{case.theme}.py") for place in cause.places), case.name


def test_a_sample_of_the_cases_is_what_it_claims_to_be():
    assert claimed_wrongly(sample(QUICK, 16)) == {}


def test_a_false_claim_is_noticed():
    case = next(case for case in CASES if case.name == "ridge_bias_sign")
    assert claimed_wrongly([dataclasses.replace(case, leaves=frozenset({"kernel"}))])


def test_the_checker_reaches_the_stated_rates_on_a_fixed_sample():
    figures = evaluate(sample(QUICK, 40))
    assert below_the_floor(figures) == [], text_of(figures)


@pytest.mark.slow
def test_all_cases_are_what_they_claim_to_be():
    assert claimed_wrongly(CASES) == {}


@pytest.mark.slow
def test_the_checker_reaches_the_stated_rates_on_all_cases():
    figures = evaluate(CASES)
    assert below_the_floor(figures) == [], text_of(figures)
