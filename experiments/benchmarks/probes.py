"""What do probes cost in a training?

Two networks are trained by `fit` with the same seed, without probes and with each set of them at
the default stride. All take turns in one process, in another order each time; ratios are formed
within a turn. Beside the time per step stands processor time, which a busy machine disturbs less.

    python experiments/benchmarks/probes.py
"""

import json
import pathlib
import statistics
import time
from collections.abc import Callable

import jax
import numpy as np

from jaxopt_dl import losses, nn, optim, telemetry, train

RESULTS = pathlib.Path(__file__).parents[2] / "docs" / "experiments" / "probes.json"
ROUNDS = 8
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


def training(work: Callable[[], tuple]) -> Callable[[tuple], tuple[float, float]]:
    """Return a function from probes to microseconds per step, elapsed and of processors."""
    layer, features, rows, batch_size, epochs = work()
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, features)).astype(np.float32)
    data = {"x": x, "y": rng.integers(0, 10, rows)}
    params, state = layer.init(jax.random.key(0), (features,))
    objective = train.supervised(layer, losses.softmax_cross_entropy)

    def run(probes: tuple) -> tuple[float, float]:
        marks = []
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
            hooks=[lambda moment: marks.append((moment.step, time.process_time()))],
            progress=None,
        )
        (first, begin), (last, end) = marks[0], marks[-1]
        return 1e6 * result.run_seconds / result.steps, 1e6 * (end - begin) / (last - first)

    return run


def measure(run: Callable[[tuple], tuple[float, float]]) -> dict[str, list[tuple]]:
    """Return the times of every set of probes, one number per turn."""
    for probes in SETS.values():
        run(probes)  # compiles
    times = {name: [] for name in SETS}
    names = list(SETS)
    for turn in range(ROUNDS):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            times[name].append(run(SETS[name]))
    return times


def ratios(times: dict[str, list[tuple]]) -> dict[str, dict[str, dict[str, float]]]:
    """Return probes -> clock -> time per step, and against none, with quartiles."""
    return {
        name: {
            clock: _against([t[index] for t in turns], [t[index] for t in times["none"]])
            for index, clock in enumerate(("elapsed", "processor"))
        }
        for name, turns in times.items()
    }


def _against(values: list[float], none: list[float]) -> dict[str, float]:
    low, middle, high = statistics.quantiles(
        [one / other for one, other in zip(values, none, strict=True)], n=4
    )
    return {
        "microseconds": round(statistics.median(values), 1),
        "ratio": round(middle, 3),
        "low": round(low, 3),
        "high": round(high, 3),
    }


def main() -> None:
    """Measure, print and write."""
    results = {}
    for name, work in WORKS.items():
        results[name] = ratios(measure(training(work)))
        for probes, clocks in results[name].items():
            for clock, row in clocks.items():
                print(
                    f"{name:15} {probes:12} {clock:10} {row['microseconds']:8.1f} us/step  "
                    f"{row['ratio']:.3f} [{row['low']:.3f}, {row['high']:.3f}]",
                    flush=True,
                )
    RESULTS.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
