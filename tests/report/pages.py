"""Pages to draw: an ordinary run of a classifier, and names that try to break out."""

import dataclasses
from typing import Any

import numpy as np

from jaxopt_dl.report import Example, RunPage

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'onmouseover='alert(1)",
    "</title></style></svg><script>alert(2)</script>",
    "${7*7}",
    "{{7*7}}",
    "{% raw %}",
    "unpaired $ sign",
    r"$\frac{1}{2}$",
    "\u202eright to left\u202c",
    "a]]>--><!--",
    "&lt;&#60;",
    "null\x00 bell\x07 \ud800 half a pair",
    "tab\tnew\nline",
    "endless" * 60,
)


def history(epochs: int) -> list[dict[str, Any]]:
    """A run that learns, noise added so that no two numbers are the same."""
    noise = np.random.default_rng(7).uniform(0, 0.01, (epochs, 4))
    return [
        {
            "epoch": epoch,
            "step": 17 * epoch,
            "seconds": 0.08,
            "learning_rate": 3e-3 / (1 + 0.1 * epoch),
            "train_loss": 2.2 * float(np.exp(-epoch / 4)) + 0.02 + a,
            "train_accuracy": 1 - 0.8 * float(np.exp(-epoch / 3)) - b,
            "dev_loss": 2.1 * float(np.exp(-epoch / 4.5)) + 0.1 + c,
            "dev_accuracy": 0.98 - 0.7 * float(np.exp(-epoch / 3)) - d,
        }
        for epoch, (a, b, c, d) in enumerate(noise.tolist(), start=1)
    ]


def worst(classes: int) -> list[Example]:
    draws = np.random.default_rng(5)
    shapes = [(8, 8), (8, 8, 1), (6, 9, 3), (30,)]
    return [
        Example(draws.normal(size=shapes[k % 4]), k % classes, (k + 1) % classes, 0.9 - 0.01 * k)
        for k in range(10)
    ]


def run_page(*, epochs: int = 12, names: tuple[str, ...] = ("cat", "dog", "owl"), **fields):
    """The page of an ordinary run; keywords replace fields."""
    classes = len(names)
    counts = np.random.default_rng(3).integers(0, 3, (classes, classes))
    page = RunPage(
        name="digits",
        created="20 November 2026",
        command="python -m jaxopt_dl train config.toml",
        outcome="All epochs were run.",
        history=history(epochs),
        best_epoch=min(epochs, 9),
        monitored="dev_accuracy",
        summary=[("Device", "cpu"), ("Test accuracy", "0.975 ± 0.008")],
        config={"seed": 3, "model": {"hidden": [64, 32], "norm": {"decay": 0.9}}},
        versions={"jax": "0.10.2", "optax": "0.2.8"},
        seed=3,
        units={"loss": "nats"},
        class_names=names,
        confusion=counts + np.diag(np.arange(20, 20 + classes)),
        worst=worst(classes),
        augmented=np.random.default_rng(4).uniform(size=(2, 5, 8, 8, 1)),
    )
    return dataclasses.replace(page, **fields)


def regression_page(**fields) -> RunPage:
    """A page without classes."""
    rows = [{k: v for k, v in row.items() if "accuracy" not in k} for row in history(12)]
    plain = {"history": rows, "monitored": "dev_loss", "class_names": (), "confusion": None}
    return run_page(**{**plain, "worst": (), "augmented": (), **fields})


def hostile_page() -> RunPage:
    """A page on which every name and text is hostile."""
    text = " ".join(HOSTILE)
    return run_page(
        names=HOSTILE,
        name=text,
        created=text,
        command=text,
        outcome=text,
        summary=[(text, name) for name in HOSTILE],
        config={text: {text: {text: text}}, text + "2": text},
        versions={text: text},
        units={"loss": text, "accuracy": "$", "learning_rate": HOSTILE[1]},
        evaluated_on=text,
        history=[{**row, "train_<b>$x": 1.0, '"dev_"': 2.0} for row in history(12)],
    )
