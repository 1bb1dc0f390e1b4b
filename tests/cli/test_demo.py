"""The demo's promise about real data."""

import importlib.util
import pathlib
import statistics

import pytest

EXPERIMENT = pathlib.Path(__file__).parents[2] / "experiments" / "demo_configuration.py"


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
