"""The demo's promise about real data."""

import importlib.util
import json
import pathlib
import statistics

import pytest

from jaxopt_dl.cli._demo import DEMO
from jaxopt_dl.cli._toml import from_mapping

ROOT = pathlib.Path(__file__).parents[2]
EXPERIMENT = ROOT / "experiments" / "demo_configuration.py"
RESULTS = ROOT / "docs" / "experiments" / "demo_configuration.json"


def test_the_demo_uses_the_configuration_that_was_best_on_the_dev_set():
    results = json.loads(RESULTS.read_text())
    assert results["chosen"] == max(results["dev_accuracy"], key=results["dev_accuracy"].get)
    assert from_mapping(results["configuration"]) == DEMO


@pytest.mark.slow
def test_the_demo_reads_unseen_digits_for_every_seed():
    spec = importlib.util.spec_from_file_location("demo_configuration", EXPERIMENT)
    assert spec is not None and spec.loader is not None
    experiment = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(experiment)
    accuracies = experiment.test_accuracies()
    assert len(accuracies) == 20
    assert statistics.mean(accuracies) >= 0.975
    assert min(accuracies) >= 0.95
