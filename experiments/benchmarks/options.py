"""What does each option of `fit` cost, or buy?

One network, 784-512-512-10 with batches of 128, trained with one option after the other, in turns
within one process; ratios to the plain training are formed within a turn.

    python experiments/benchmarks/options.py
"""

import json
import os
import pathlib
import statistics
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxopt_dl import data as data_tools
from jaxopt_dl import losses, nn, optim, train

RESULTS = pathlib.Path(__file__).parents[2] / "docs" / "experiments" / "options.json"
ROUNDS = 10
ROWS, EPOCHS, BATCH = 6_000, 3, 128

LAYER = nn.sequential(nn.flatten(), nn.mlp((512, 512, 10)))
PLAIN = train.supervised(LAYER, losses.softmax_cross_entropy)


def weighted_classes(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """Cross-entropy with a weight per class."""
    return losses.softmax_cross_entropy(logits, labels, class_weights=jnp.linspace(0.5, 1.5, 10))


def clipped() -> optax.GradientTransformation:
    return optim.chain(optim.clip_by_global_norm(1.0), optim.adam(1e-4))


def averaged() -> optax.GradientTransformation:
    return optim.chain(optim.adam(1e-4), optim.ema_params(0.99))


def options(data: dict[str, np.ndarray]) -> dict[str, dict]:
    """Return name -> what differs from the plain training."""
    turned = data_tools.augment(data_tools.random_rotate(10), data_tools.random_shift(1.0))
    return {
        "plain": {},
        "accumulate=4, batches of 32": {"accumulate": 4, "batch_size": BATCH // 4},
        "bfloat16 compute": {"objective": train.mixed_precision(PLAIN)},
        "averaged parameters": {"optimizer": averaged(), "averaged": True},
        "clipping by global norm": {"optimizer": clipped()},
        "weights of classes": {
            "objective": train.supervised(LAYER, weighted_classes),
        },
        "weights of rows": {"data": data | {"weight": np.ones(ROWS, np.float32)}},
        "turned and shifted images": {"augment": turned},
        "order='given'": {"order": "given"},
        "a mesh of one device": {"mesh": jax.make_mesh((1,), ("data",))},
        "dev set after each epoch": {"dev": {name: x[:1000] for name, x in data.items()}},
    }


def training(data: dict[str, np.ndarray], changes: dict) -> Callable[[], float]:
    """Return a function that trains once and gives microseconds per batch of 128 rows."""
    settings = {
        "objective": PLAIN,
        "optimizer": optim.adam(1e-4),
        "data": data,
        "batch_size": BATCH,
        **changes,
    }
    params, state = LAYER.init(jax.random.key(0), (28, 28, 1))

    def run() -> float:
        result = train.fit(
            params=params,
            state=state,
            key=jax.random.key(1),
            epochs=EPOCHS,
            progress=None,
            **settings,
        )
        return 1e6 * result.run_seconds / (EPOCHS * ROWS / BATCH)

    return run


def main() -> None:
    """Measure, print, write the results."""
    random = np.random.default_rng(0)
    x = random.normal(size=(ROWS, 28, 28, 1)).astype(np.float32)
    data = {"x": x, "y": random.integers(0, 10, ROWS)}
    runs = {name: training(data, changes) for name, changes in options(data).items()}
    before = os.getloadavg()[0]
    for run in runs.values():
        run()  # compiles
    times = {name: [] for name in runs}
    for _ in range(ROUNDS):
        for name, run in runs.items():
            times[name].append(run())
    results = {
        "unit": "microseconds per 128 rows; ratio to plain within a turn, with quartiles",
        "backend": jax.default_backend(),
        "jax": jax.__version__,
        "cores": os.cpu_count(),
        "load": [round(before, 2), round(os.getloadavg()[0], 2)],
        "options": {name: _row(values, times["plain"]) for name, values in times.items()},
    }
    for name, row in results["options"].items():
        low, high = row["quartiles"]
        print(f"{name:30}{row['microseconds']:10.0f} us {row['ratio']:8.3f}  [{low}, {high}]")
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")


def _row(values: list[float], plain: list[float]) -> dict:
    low, middle, high = statistics.quantiles(
        [one / other for one, other in zip(values, plain, strict=True)], n=4
    )
    return {
        "microseconds": round(statistics.median(values)),
        "ratio": round(middle, 3),
        "quartiles": [round(low, 3), round(high, 3)],
    }


if __name__ == "__main__":
    main()
