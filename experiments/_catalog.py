"""Which experiments there are: every file `x<number>_<words>.py` beside this one."""

import importlib
import re
from pathlib import Path

from experiments._experiment import Experiment

HERE = Path(__file__).parent
NAME = re.compile(r"x(\d+)_\w+")


def ids() -> dict[str, str]:
    """Return the module of every experiment by its id, in order."""
    found = ((NAME.fullmatch(file.stem), file.stem) for file in sorted(HERE.glob("x*.py")))
    return {f"X-{match[1]}": stem for match, stem in found if match}


def load(name: str) -> Experiment:
    """Return an experiment by its id.

    Raises:
      KeyError: if there is none; the message lists those that exist.
    """
    known = ids()
    if name not in known:
        raise KeyError(f"experiments: {name!r} is none of {', '.join(known)}.")
    experiment = importlib.import_module(f"experiments.{known[name]}").EXPERIMENT
    if experiment.id != name:
        raise ValueError(f"experiments: {known[name]}.py calls itself {experiment.id}.")
    return experiment
