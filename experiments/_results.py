"""Results on disk: JSON and picture of every experiment, in `docs/experiments`."""

import json
import math
import platform
from pathlib import Path
from typing import Any

import jax
import numpy as np

from experiments._experiment import Experiment, Measured
from experiments._style import save_svg

FOLDER = Path(__file__).parents[1] / "docs" / "experiments"


def run(experiment: Experiment, *, quick: bool, folder: Path = FOLDER) -> dict[str, Any]:
    """Measure, judge, draw; write JSON and picture unless `quick`, which takes one seed.

    Returns:
      What the JSON holds.
    """
    measured = plain(experiment.measure(1 if quick else experiment.seeds, quick))
    environment = {
        "jax": jax.__version__,
        "device": jax.devices()[0].platform,
        "machine": platform.machine(),
    }
    return _conclude(experiment, measured, environment, None if quick else folder)


def judge_again(experiment: Experiment, folder: Path = FOLDER) -> dict[str, Any]:
    """Judge and draw the stored measurements again, after a change of words or picture.

    Returns:
      What the JSON holds.

    Raises:
      KeyError: if the experiment was never run.
    """
    stored = read(experiment.id, folder)
    return _conclude(experiment, stored["measured"], stored["environment"], folder)


def _conclude(
    experiment: Experiment, measured: Measured, environment: dict, folder: Path | None
) -> dict[str, Any]:
    """Judge and draw what was measured, and write it if there is a folder for it."""
    answer = experiment.judge(measured)
    figure = experiment.draw(measured)
    result = {
        "id": experiment.id,
        "title": experiment.title,
        "criterion": experiment.criterion,
        "seeds": experiment.seeds,
        "verdict": str(answer.verdict),
        "finding": answer.finding,
        "environment": environment,
        "measured": measured,
    }
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(result, indent=1, allow_nan=False)
        (folder / f"{experiment.id}.json").write_text(text + "\n", encoding="utf-8")
        save_svg(figure, folder / f"{experiment.id}.svg")
    return result


def read(name: str, folder: Path = FOLDER) -> dict[str, Any]:
    """Return the stored result of an experiment, empty if it was never run."""
    file = folder / f"{name}.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}


def plain(value: Any) -> Any:
    """Return measured values as JSON knows them; numbers keep six digits, NaN becomes None."""
    if isinstance(value, dict):
        return {str(name): plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    if isinstance(value, str | bool | None):
        return value
    array = np.asarray(value)
    if array.ndim:
        return [plain(part) for part in array.tolist()]
    if np.issubdtype(array.dtype, np.bool_):
        return bool(array)
    if np.issubdtype(array.dtype, np.integer):
        return int(array)
    number = float(array)
    return float(f"{number:.6g}") if math.isfinite(number) else None
