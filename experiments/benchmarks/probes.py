"""What do probes cost in a training?

Two networks are trained by `fit` with the same seed, without probes and with each set of them at
the default stride. All take turns in one process, in another order each time; ratios of the time
per step are formed within a turn.

    python experiments/benchmarks/probes.py
"""

import json
import pathlib
import statistics
from collections.abc import Callable

import jax
import numpy as np

from jaxopt_dl import losses, nn, optim, telemetry, train

RESULTS = pathlib.Path(__file__).parents[2] / "docs" / "experiments" / "probes.json"
ROUNDS = 12
SETS = {
    "none": (),
    "gradient": (telemetry.probe_gradient,),
    "layers": (telemetry.probe_layers,),
    "activations": (telemetry.probe_activations,),
    "all": (telemetry.probe_gradient, telemetry.probe_layers, telemetry.probe_activations),
}


def digits_network() -> tuple:
    """64-128-64-10 with batch norm, batches of 64 out of 1078 rows."""
    hidden = [
        part
        for width in (128, 64)
        for part in (nn.dense(width, use_bias=False), nn.batch_norm(), nn.lift(nn.relu))
    ]
    return nn.sequential(*hidden, nn.dense(10)), 64, 1078, 64, 250


def mnist_network() -> tuple:
    """784-512-512-10, batches of 128 out of 6000 rows."""
    return nn.mlp((512, 512, 10)), 784, 6000, 128, 5


WORKS = {"64-128-64-10": digits_network, "784-512-512-10": mnist_network}


def training(work: Callable[[], tuple]) -> Callable[[tuple], float]:
    """Return a function from a set of probes to microseconds per step."""
    layer, features, rows, batch_size, epochs = work()
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, features)).astype(np.float32)
    data = {"x": x, "y": rng.integers(0, 10, rows)}
    params, state = layer.init(jax.random.key(0), (features,))
    objective = train.supervised(layer, losses.softmax_cross_entropy)

    def run(probes: tuple) -> float:
        result = train.fit(
            objective,
            params,
            state,
            optim.adam(1e-4),
            data,
            key=jax.random.key(1),
            epochs=epochs,
            batch_size=batch_size,
            probes=probes,
            progress=None,
        )
        return 1e6 * result.run_seconds / result.steps

    return run


def measure(run: Callable[[tuple], float]) -> dict[str, list[float]]:
    """Return the times of every set of probes, one number per turn."""
    for probes in SETS.values():
        run(probes)  # compiles
    times = {name: [] for name in SETS}
    names = list(SETS)
    for turn in range(ROUNDS):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            times[name].append(run(SETS[name]))
    return times


def ratios(times: dict[str, list[float]]) -> dict[str, dict[str, float]]:
    """Return time per step, and against the training without probes, with quartiles."""
    found = {}
    for name, values in times.items():
        against = [one / none for one, none in zip(values, times["none"], strict=True)]
        low, middle, high = statistics.quantiles(against, n=4)
        found[name] = {
            "microseconds": round(statistics.median(values), 1),
            "ratio": round(middle, 3),
            "low": round(low, 3),
            "high": round(high, 3),
        }
    return found


def main() -> None:
    """Measure, print and write."""
    results = {}
    for name, work in WORKS.items():
        results[name] = ratios(measure(training(work)))
        for probes, row in results[name].items():
            print(
                f"{name:15} {probes:12} {row['microseconds']:8.1f} us/step  "
                f"{row['ratio']:.3f} [{row['low']:.3f}, {row['high']:.3f}]",
                flush=True,
            )
    RESULTS.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
