"""The demo: a configuration chosen on the dev set, what it says before and after."""

import pathlib

from ._config import Config, Data, Model, Optimizer, Penalty, Schedule, Training
from ._names import CONFIG, PAGE
from ._program import command

DEMO = Config(
    name="demo",
    data=Data(source="digits"),
    model=Model(hidden=(512, 256), batch_norm=True, keep_prob=0.7),
    optimizer=Optimizer(kind="adam", learning_rate=1e-2),
    schedule=Schedule(kind="inverse_time", rate=0.1),
    penalty=Penalty(l2=1.0),
    training=Training(batch_size=32),
)
"""Chosen among others by `experiments/demo_configuration.py`, on the dev set alone."""


def introduce() -> None:
    """Say what is going to happen."""
    print(
        "A network of two hidden layers learns to read 1797 handwritten digits of 8 x 8 pixels.\n"
        "It trains on 60 %, a dev set of 20 % decides when to stop, and the remaining 20 % test "
        "it once.",
        flush=True,
    )


def next_steps(folder: pathlib.Path) -> None:
    """Print the exact commands that come next."""
    config = folder / CONFIG
    own = ("--data.source", "my.csv", "--data.target", "price")
    steps = {
        "the same numbers again": command("train", config),
        "one number changed": command("train", config, "--optimizer.learning-rate", "1e-3"),
        "your own data, .csv or .npz": command("train", *own),
        "every option": command("train", "--help"),
        "open the page": (folder / PAGE).resolve().as_uri(),
    }
    print("Next:")
    for what, how in steps.items():
        print(f"  {what:29}{how}")
