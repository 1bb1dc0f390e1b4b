"""The gradient checker proves every layer and loss: here at one shape, in `make suites` at 200."""

import json
import pathlib

import pytest

from jaxopt_dl import nn
from tests.contracts import gradient_suite
from tests.contracts.gradient_cases import LAYERS, LOSSES
from tests.testing.broken import with_doubled_gradient

FIGURES = pathlib.Path(__file__).parents[2] / "docs" / "experiments" / "layer-gradients.json"


@pytest.mark.parametrize("name", [*LAYERS, *LOSSES])
def test_gradients_are_right(name):
    report = gradient_suite.check(name, [0])
    assert report.verdict == "pass", f"{name}\n{report}"


def test_a_wrong_gradient_is_found_and_its_shape_named(monkeypatch):
    right = LAYERS["relu"]

    def wrong(random):
        layer, spec = right(random)
        return nn.sequential(layer, nn.lift(with_doubled_gradient)), spec

    draws = iter([right, wrong])
    monkeypatch.setitem(LAYERS, "relu", lambda random: next(draws)(random))
    row = gradient_suite.check_many("relu", 2)
    assert row.wrong == ["001/x"]


def test_every_layer_of_the_library_is_checked():
    not_layers = {"lift", "sequential", "summary"}
    factories = {
        name
        for name in nn.__all__
        if getattr(getattr(nn, name), "__annotations__", {}).get("return") is nn.Layer
    }
    assert {"dense", "conv", "mlp"} <= factories
    assert factories - not_layers <= set(LAYERS)


def test_the_published_figures_hold_200_shapes_of_everything_and_nothing_wrong():
    rows = json.loads(FIGURES.read_text())["rows"]
    assert [row["name"] for row in rows] == [*LAYERS, *LOSSES]
    assert {row["shapes"] for row in rows} == {200}
    assert all(row["wrong"] == [] and row["entries"] > 800 for row in rows)
