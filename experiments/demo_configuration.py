"""Which configuration does the demo use? A handful, compared on the dev set over several seeds.

Test accuracy is measured for the chosen one only, over 20 other seeds, each with its own split.

    python experiments/demo_configuration.py
"""

import dataclasses
import json
import pathlib
import statistics

from jaxopt_dl.cli._config import Config, Data, Model, Optimizer, Penalty, Schedule, Training
from jaxopt_dl.cli._demo import DEMO
from jaxopt_dl.cli._scores import accuracy
from jaxopt_dl.cli._train import kept, make_job, predictions, run_job

RESULTS = pathlib.Path(__file__).parents[1] / "docs" / "experiments" / "demo_configuration.json"
DEV_SEEDS = range(1000, 1012)
TEST_SEEDS = range(20)


BASE = Config(
    name="demo",
    data=Data(source="digits"),
    model=Model(hidden=(512, 256), batch_norm=True, keep_prob=0.5),
    optimizer=Optimizer(kind="adam", learning_rate=1e-2),
    schedule=Schedule(kind="inverse_time", rate=0.1),
    penalty=Penalty(l2=1.0),
    training=Training(batch_size=32),
)
COSINE = dataclasses.replace(
    BASE, schedule=Schedule(kind="cosine"), training=Training(epochs=60, batch_size=32)
)


def changed(section: str, config: Config = BASE, **values) -> Config:
    """Return a configuration with some values of one section replaced."""
    part = dataclasses.replace(getattr(config, section), **values)
    return dataclasses.replace(config, **{section: part})


CANDIDATES = {
    "base": BASE,
    "256 and 128 units": changed("model", hidden=(256, 128)),
    "keep 0.7": changed("model", keep_prob=0.7),
    "learning rate 0.003": changed("optimizer", learning_rate=3e-3),
    "L2 of 10": changed("penalty", l2=10.0),
    "batches of 64": changed("training", batch_size=64),
    "cosine": COSINE,
}
"""Each changes one thing of the base.

All choose their best epoch by the dev loss. One chosen by the dev accuracy would look better on
dev than it is, for the highest of many noisy values flatters itself.
"""


def accuracies(config: Config, seed: int, *, parts: tuple[str, ...]) -> dict[str, float]:
    """Train one configuration with one seed and return the accuracy on the wanted parts."""
    job = make_job(dataclasses.replace(config, seed=seed))
    outputs = predictions(job, kept(run_job(job)))
    return {part: accuracy(job, part, outputs[part]) for part in parts}


def test_accuracies(config: Config = DEMO) -> list[float]:
    """Return the test accuracy of a configuration for each of the fixed seeds."""
    return [accuracies(config, seed, parts=("test",))["test"] for seed in TEST_SEEDS]


def main() -> None:
    """Compare, choose on dev, measure the choice on test, write the results."""
    dev = {}
    for name, config in CANDIDATES.items():
        found = [accuracies(config, seed, parts=("dev",))["dev"] for seed in DEV_SEEDS]
        dev[name] = statistics.mean(found)
        print(f"{name:26} dev {dev[name]:.4f} +- {statistics.stdev(found):.4f}", flush=True)
    chosen = max(dev, key=lambda name: dev[name])
    test = test_accuracies(CANDIDATES[chosen])
    print(f"chosen: {chosen}; test mean {statistics.mean(test):.4f}, worst {min(test):.4f}")
    results = {
        "dev_seeds": list(DEV_SEEDS),
        "dev_accuracy": dev,
        "chosen": chosen,
        "configuration": dataclasses.asdict(CANDIDATES[chosen]),
        "test_seeds": list(TEST_SEEDS),
        "test_accuracy": test,
        "test_mean": statistics.mean(test),
        "test_worst": min(test),
    }
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
