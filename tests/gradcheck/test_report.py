"""The report as text and as data."""

import json
import math

import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_dl.gradcheck import (
    Cause,
    ComponentReport,
    Coverage,
    GradientReport,
    LeafReport,
    assert_gradients,
    check_gradients,
    textbook_check,
)
from tests.gradcheck import _planted as planted
from tests.gradcheck._planted import PARAMS, through

LONG = "encoder_of_the_model/block_00012/self_attention_with_16_heads/query_projection/kernel"


def lines_of(report) -> list[str]:
    return str(report).splitlines()


def entry(*index: int, gradient: float = 2.0, status: str = "fail") -> ComponentReport:
    return ComponentReport(index, gradient, 1.0, 1e-9, 1.0, status)


def leaf(
    path: str, shape: tuple[int, ...], *worst: ComponentReport, verdict: str = ""
) -> LeafReport:
    wrong = tuple(part.index for part in worst if part.status == "fail")
    error = 0.25 if wrong else 0.0
    own = verdict or ("fail" if wrong else "pass")
    return LeafReport(path, shape, own, error, math.prod(shape), wrong, worst, ())


def cause(kind: str = "rule", *leaves: str, allowed: bool = False) -> Cause:
    return Cause(kind, "softplus", "/somewhere/else/model.py", 12, leaves, "it is so.", allowed)


def report_of(
    *leaves: LeafReport, causes: tuple = (), verdict: str = "", point: str = "given", notes=()
) -> GradientReport:
    verdicts = {leaf.verdict for leaf in leaves}
    own = verdict or ("fail" if "fail" in verdicts or causes else "pass")
    size = sum(math.prod(leaf.shape) for leaf in leaves)
    coverage = Coverage(size, 0, size, 40 * size, 0, ("given",))
    return GradientReport(own, 0.0, leaves, causes, coverage, notes, point, "full")


@pytest.mark.parametrize(
    ("report", "words"),
    [
        (report_of(leaf("w", (3,))), "PASS - the gradient is right (relative error 0)"),
        (report_of(leaf("v", ()), leaf("w", (3,))), "PASS - all 2 leaves are right (relative"),
        (report_of(leaf("", (), entry())), "FAIL - the gradient is wrong (relative error 2.5e-01)"),
        (
            report_of(leaf("v", ()), leaf("w", (3,), entry(1))),
            "FAIL - 1 of 2 leaves is wrong (relative error 2.5e-01)",
        ),
        (
            report_of(leaf("v", (), entry()), leaf("w", (3,), entry(1))),
            "FAIL - 2 of 2 leaves are wrong (error up to 2.5e-01)",
        ),
        (
            report_of(leaf("w", (3,), entry(1))._replace(error=math.nan)),
            "FAIL - the gradient is wrong (not finite)",
        ),
        (
            report_of(
                leaf("v", ()), leaf("w", (3,), verdict="fail"), causes=(cause("blocked", "w"),)
            ),
            "FAIL - 1 of 2 leaves can never learn",
        ),
        (
            report_of(leaf("w", ()), causes=(cause("nondeterministic"),)),
            "FAIL - the function is not the same in every call",
        ),
        (report_of(leaf("w", ()), causes=(cause("non_finite"),)), "FAIL - the loss is not finite"),
        (report_of(leaf("w", ()), causes=(cause(),)), "FAIL - a custom rule changes the loss"),
        (
            report_of(leaf("v", ()), leaf("w", (), verdict="inconclusive"), verdict="inconclusive"),
            "INCONCLUSIVE - 1 of 2 leaves could not be decided",
        ),
    ],
)
def test_the_first_line_says_what_is_wrong(report, words):
    assert lines_of(report)[0].startswith(f"gradient check: {words}")


@pytest.mark.parametrize(
    ("report", "words"),
    [
        (report_of(leaf("w", (3,), entry(1))), "1 of 3 entries is wrong."),
        (report_of(leaf("w", (3,), entry(1), entry(2))), "2 of 3 entries are wrong."),
        (
            report_of(leaf("w", (), entry()), point="saturated"),
            "1 of 1 entry is wrong, seen at the saturated point.",
        ),
        (
            report_of(leaf("w", (), entry()), point="point 2"),
            "1 of 1 entry is wrong, seen at point 2.",
        ),
    ],
)
def test_the_second_line_says_how_much_is_wrong_and_where(report, words):
    assert lines_of(report)[1] == words


MANY = [leaf(f"layer_{i}/kernel", (2,), entry(0), entry(1)) for i in range(500)]
UGLY = {
    "many leaves": report_of(*MANY, causes=(cause("rule", *(part.path for part in MANY)),)),
    "many causes": report_of(leaf("w", ()), causes=(cause(),) * 9),
    "long paths": report_of(
        leaf(LONG, (3, 5), entry(2, 4)),
        leaf("x" * 100, (2,), entry(1)),
        causes=(cause("rule", LONG, "x" * 100),),
        notes=(f"kink at {LONG}[3, 4]", f"the loss does not depend on {LONG}"),
    ),
    "long place": report_of(
        leaf("w", ()), causes=(cause()._replace(file="/a" * 60 + "/model.py"),)
    ),
    "large numbers": report_of(
        leaf("w", (10**9, 10**9), entry(10**9 - 1, 10**9 - 1, gradient=-1.23456789123e300))
    ),
    "many axes": report_of(leaf("w", (128,) * 9, entry(*range(9)))),
    "not finite": report_of(leaf("w", (2,), entry(1, gradient=math.nan))),
    "undecided": report_of(
        leaf("w", (2,), entry(1, status="unresolved"), verdict="inconclusive"),
        verdict="inconclusive",
    ),
}


@pytest.mark.parametrize("name", UGLY)
def test_every_line_fits_80_columns(name: str):
    assert max(len(line) for line in lines_of(UGLY[name])) <= 80


def test_long_paths_keep_both_ends():
    text = str(UGLY["long paths"])
    assert "encoder_of_the_model/…/kernel " in text
    assert "encoder_of_the_model/…/query_projection/kernel[3, 4]" in text.replace("\n      ", " ")


def test_a_path_is_cut_in_its_middle_until_it_fits():
    from jaxopt_dl.gradcheck._words import elided

    path = "encoder/layers/0/attention/kernel[3, 4]"
    assert elided(path, 40) == path
    assert elided(path, 33) == "encoder/…/attention/kernel[3, 4]"
    assert elided(path, 25) == "encoder/…/kernel[3, 4]"
    assert elided("abcdefghij", 7) == "ab…ghij"


def test_at_most_twelve_leaves_are_listed_and_the_rest_is_counted():
    lines = lines_of(UGLY["many leaves"])
    assert sum(line.startswith("layer_") for line in lines) == 12
    assert "... and 488 more leaves, none worse" in lines
    assert "and 496 more." in " ".join(str(UGLY["many leaves"]).split())


def test_the_worst_leaf_comes_first():
    right, wrong = leaf("a", (3,)), leaf("z", (3,), entry(1))
    worse = leaf("m", (3,), entry(0))._replace(error=0.9)
    lines = lines_of(report_of(right, wrong, worse))
    assert [line[0] for line in lines if line[:2] in ("m ", "z ", "a ")] == ["m", "z", "a"]


def test_only_entries_that_do_not_pass_are_listed():
    text = str(report_of(leaf("w", (3,), entry(1), entry(2, status="pass"))))
    assert "[1]: gradient 2, differences 1 +- 1e-09" in text
    assert "[2]" not in text


def test_the_third_opinion_is_shown_where_it_adds_something():
    other = entry(1)._replace(stripped=3.0)
    assert "without the rules" not in str(report_of(leaf("w", (3,), entry(1))))
    assert "without the rules 3" in str(report_of(leaf("w", (3,), other)))


def test_a_file_below_the_current_folder_is_named_from_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    near = cause()._replace(file=str(tmp_path / "package" / "model.py"))
    assert "softplus at package/model.py:12 (rule)" in str(report_of(leaf("w", ()), causes=(near,)))


def test_a_failing_report_names_its_cause():
    report = check_gradients(
        through(jnp.sin),
        PARAMS,
        gradient=lambda p: {"w": jnp.zeros((4, 3)), "b": jnp.zeros(3)},
        points=(),
    )
    assert "because <lambda> at" in str(report)
    assert lines_of(report)[1] == "15 of 15 entries are wrong."


@pytest.mark.parametrize(
    ("dtypes", "words"),
    [
        ((np.float32, np.float64, np.float64), "1 leaf of dtype float32 was promoted"),
        ((np.float32, np.float32, np.float64), "2 leaves of dtype float32 were promoted"),
        ((np.float32, np.float16, np.float32), "every leaf of dtype float16 and float32 was"),
    ],
)
def test_promotion_is_told_in_grammatical_sentences(dtypes, words):
    params = [np.ones(1, dtype) for dtype in dtypes]
    report = textbook_check(lambda p: jnp.sum(p[0] + p[1] * p[2]), params)
    assert any(note.startswith(words) for note in report.notes)


def test_parameters_the_loss_does_not_use_are_told():
    params = {"w": np.ones(1), "v": np.ones(1), "u": np.ones(1)}
    report = check_gradients(lambda p: jnp.sum(p["w"]), params, points=())
    assert report.verdict == "pass"
    assert "the loss does not depend on u and v" in report.notes


def test_a_given_point_where_the_loss_is_not_finite_is_told():
    report = check_gradients(lambda p: jnp.sum(jnp.log(p)), np.ones(2), points=(-np.ones(2),))
    assert report.verdict == "pass"
    assert "the loss is not finite at point 1, which was left out" in report.notes


def test_the_report_survives_json():
    report = check_gradients(through(planted.wrong_square), PARAMS, points=())
    data = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert data["verdict"] == "fail"
    assert data["causes"][0]["function"] == "wrong_square"
    assert data["leaves"][1]["path"] == "w"


def test_json_has_null_for_what_is_not_finite():
    bad = entry(1, gradient=math.nan)._replace(bar=math.inf, differences=-math.inf)
    data = json.loads(json.dumps(report_of(leaf("w", (2,), bad)).to_dict(), allow_nan=False))
    worst = data["leaves"][0]["worst"][0]
    assert (worst["gradient"], worst["bar"], worst["differences"]) == (None, None, None)
    assert worst["stripped"] == 1.0


@pytest.mark.parametrize("function", [lambda p: jnp.sum(jnp.sqrt(p)), lambda p: jnp.log(p[1])])
@pytest.mark.filterwarnings("error")
def test_a_gradient_that_is_not_finite_warns_of_nothing(function):
    params = np.array([1.0, 0.0])
    assert check_gradients(function, params).verdict == "fail"
    textbook_check(function, params)


def test_assert_gradients_shows_the_whole_report():
    options = {"gradient": np.full(2, 3.0), "points": ()}
    # A gradient given as an array is named by the line of the call: one line for both.
    ask = lambda checker: checker(jnp.sum, np.ones(2), **options)  # noqa: E731
    with pytest.raises(AssertionError) as raised:
        ask(assert_gradients)
    head, _, text = str(raised.value).partition("\n")
    assert head == "assert_gradients: the gradient is not right."
    assert text == str(ask(check_gradients))


def test_a_report_is_true_when_it_passes():
    assert report_of(leaf("w", ()))
    assert not report_of(leaf("w", (), entry()))


def test_an_accelerator_without_float64_is_left_for_the_cpu_and_told(monkeypatch):
    from jaxopt_dl.gradcheck import _check

    monkeypatch.setattr(_check.jax, "default_backend", lambda: "tpu")
    report = check_gradients(through(jnp.sin), PARAMS, points=())
    assert report.verdict == "pass"
    assert "the tpu has no float64, so the check ran on the CPU" in report.notes
