"""The experiments' harness: stored answers follow from stored measurements, pages from both."""

import numpy as np
import pytest

from experiments import _catalog, _gallery, _results
from experiments.__main__ import main
from experiments._experiment import Verdict, verdict_of

IDS = list(_catalog.ids())
DONE = [name for name in IDS if _results.read(name)]


def test_there_are_experiments_and_all_have_results():
    assert DONE == IDS != []


@pytest.mark.parametrize("name", IDS)
def test_every_experiment_is_stated_in_full(name):
    experiment = _catalog.load(name)
    texts = (experiment.title, experiment.claim, experiment.setup, experiment.caption)
    assert all(text and not text[0].islower() for text in texts)
    assert experiment.claim.endswith(".") and experiment.criterion.endswith(".")
    assert experiment.seeds == 1 or experiment.seeds >= 5


@pytest.mark.parametrize("name", DONE)
def test_the_stored_answer_follows_from_the_stored_measurements(name):
    result = _results.read(name)
    answer = _catalog.load(name).judge(result["measured"])
    assert (str(answer.verdict), answer.finding) == (result["verdict"], result["finding"])


@pytest.mark.parametrize("name", DONE)
def test_the_picture_can_be_drawn_again_and_its_axes_are_labeled(name):
    figure = _catalog.load(name).draw(_results.read(name)["measured"])
    assert all(axes.get_xlabel() and axes.get_ylabel() for axes in figure.axes)
    assert (_results.FOLDER / f"{name}.svg").exists()


def test_the_gallery_is_what_the_results_say():
    page = (_results.FOLDER / "index.md").read_text(encoding="utf-8")
    assert page == _gallery.text()


def test_a_quick_run_measures_and_writes_nothing(tmp_path):
    result = _results.run(_catalog.load("X-21"), quick=True, folder=tmp_path)
    assert result["verdict"] == "confirmed"
    assert list(tmp_path.iterdir()) == []


def _measured_before(name):
    """An experiment whose measuring costs nothing: it returns what is stored."""
    measured = _results.read(name)["measured"]
    return _catalog.load(name)._replace(measure=lambda seeds, quick: measured)


def test_a_run_writes_the_same_bytes_twice(tmp_path):
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        _results.run(_measured_before("X-21"), quick=False, folder=folder)
    one, two = ({file.name: file.read_bytes() for file in f.iterdir()} for f in folders)
    assert one == two and set(one) == {"X-21.json", "X-21.svg"}


def test_judging_again_changes_nothing_but_what_was_changed(tmp_path):
    experiment = _measured_before("X-21")
    first = _results.run(experiment, quick=False, folder=tmp_path)
    again = _results.judge_again(experiment._replace(title="New"), folder=tmp_path)
    assert again == _results.read("X-21", tmp_path) == {**first, "title": "New"}


def test_ids_are_accepted_in_lower_case(monkeypatch):
    asked = []
    monkeypatch.setattr("experiments.__main__._judge", asked.extend)
    assert main(["judge", "x-21", "X-23"]) == 0
    assert asked == ["X-21", "X-23"]


def test_batch_norm_is_not_confirmed_where_nothing_trains_without_it():
    measured = _results.read("X-27")["measured"]
    assert _catalog.load("X-27").judge(measured).verdict is Verdict.MIXED
    assert "at least 80%" in _catalog.load("X-27").criterion


def test_valleys_are_drawn_to_scale_and_diabetes_is_taken_as_measured_norm_06():
    measured = _results.read("X-05")["measured"]
    assert {axes.get_aspect() for axes in _catalog.load("X-05").draw(measured).axes} == {1.0}
    assert measured["tasks"]["diabetes"]["raw"]["kappa"] == pytest.approx(5.2e7, rel=0.02)


def test_an_unknown_experiment_is_refused_with_those_that_exist(capsys):
    assert main(["run", "X-999"]) == 2
    assert "X-01" in capsys.readouterr().err


def test_the_list_names_every_experiment_with_its_answer(capsys):
    assert main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == IDS


def test_numbers_that_json_does_not_know_become_null():
    assert _results.plain({"a": np.array([1.23456789, np.nan]), "b": np.bool_(True)}) == {
        "a": [1.23457, None],
        "b": True,
    }


def test_some_but_not_all_conditions_make_a_mixed_answer():
    assert verdict_of(True, True) is Verdict.CONFIRMED
    assert verdict_of(True, False) is Verdict.MIXED
    assert verdict_of(False, False) is Verdict.NOT_CONFIRMED
