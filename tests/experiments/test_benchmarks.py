"""What the benchmarks write."""

import json

import pytest

from experiments.benchmarks import augment


@pytest.mark.parametrize("missing", [[], ["Pillow"]])
def test_results_without_all_peers_replace_no_file(tmp_path, monkeypatch, missing):
    path = tmp_path / "augment.json"
    path.write_text("{}")
    monkeypatch.setattr(augment, "RESULTS", path)
    results = {"sizes": {"small": {name: {} for name in augment.PEERS if name not in missing}}}
    augment.write(results)
    assert json.loads(path.read_text()) == ({} if missing else results)
