"""The report as text and as data."""

import json

import jax.numpy as jnp
import numpy as np

from jaxopt_dl.gradcheck import check_gradients
from tests.gradcheck import _planted as planted
from tests.gradcheck._planted import PARAMS, through


def lines_of(report):
    return str(report).splitlines()


def test_a_passing_report_begins_with_the_verdict():
    report = check_gradients(through(jnp.sin), PARAMS, points=())
    assert lines_of(report)[0].startswith("gradient check: PASS - the gradient is right in all 2")


def test_a_failing_report_shows_the_worst_leaf_first_and_its_cause():
    report = check_gradients(
        through(jnp.sin),
        PARAMS,
        gradient=lambda p: {"w": jnp.zeros((4, 3)), "b": jnp.zeros(3)},
        points=(),
    )
    text = str(report)
    assert "because <lambda> at" in text
    assert text.index("fail") < text.index("entries wrong")


def test_every_line_fits_a_terminal():
    params = {"a_rather_long_name_of_a_layer_" * 2: PARAMS["w"], "b": PARAMS["b"]}

    def loss(p):
        first, second = p.values()
        return jnp.sum(planted.wrong_square(first)) + jnp.sum(second**2)

    report = check_gradients(loss, params, points=())
    assert report.verdict == "fail"
    assert max(len(line) for line in lines_of(report)) <= 120


def test_the_report_survives_json():
    report = check_gradients(through(planted.wrong_square), PARAMS, points=())
    data = json.loads(json.dumps(report.to_dict()))
    assert data["verdict"] == "fail"
    assert data["causes"][0]["function"] == "wrong_square"
    assert data["leaves"][1]["path"] == "w"


def test_a_report_is_true_when_it_passes():
    assert check_gradients(jnp.sum, np.ones(2))
    assert not check_gradients(jnp.sum, np.ones(2), gradient=lambda x: 2 * x)


def test_long_checks_report_progress(monkeypatch, capsys):
    from jaxopt_dl.gradcheck import _progress

    monkeypatch.setattr(_progress, "QUIET_FOR", -1.0)
    monkeypatch.setattr(_progress, "PAUSE_ELSEWHERE", -1.0)
    check_gradients(through(jnp.sin), PARAMS, progress=True, points=())
    assert "evaluations in" in capsys.readouterr().err


def test_an_accelerator_without_float64_is_left_for_the_cpu_and_told(monkeypatch):
    from jaxopt_dl.gradcheck import _check

    monkeypatch.setattr(_check.jax, "default_backend", lambda: "tpu")
    report = check_gradients(through(jnp.sin), PARAMS, points=())
    assert report.verdict == "pass"
    assert "the tpu has no float64, so the check ran on the CPU" in report.notes
