"""X-13: whether units that start equal ever become different."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from experiments import _digits, _style
from experiments._experiment import Answer, Experiment, Measured, verdict_of
from jaxopt_dl import nn, optim

ACTIVATIONS: dict[str, Any] = {"ReLU": nn.relu, "tanh": nn.tanh}
STARTS: dict[str, Any] = {"zero": nn.zeros, "0.1": nn.constant(0.1), "random": nn.he_normal()}
EQUAL = ("zero", "0.1")
UNITS = 32
EPOCHS = 20


def measure(seeds: int, quick: bool) -> Measured:
    epochs = 2 if quick else EPOCHS
    found, pictures = {}, {}
    for activation in ACTIVATIONS:
        for start in STARTS:
            name = f"{activation}, {start}"
            runs = [_train(activation, start, seed, epochs) for seed in range(seeds)]
            found[name] = [facts for facts, _ in runs]
            pictures[name] = runs[0][1]
    return {"runs": found, "kernels": pictures}


def judge(measured: Measured) -> Answer:
    equal = [
        run
        for name, runs in measured["runs"].items()
        if name.split(", ")[1] in EQUAL
        for run in runs
    ]
    same = all(run["difference"] == 0 for run in equal)
    flat = all(run["rank"] <= 1 for run in equal)
    listed = "; ".join(
        f"{name}: {np.median([run['loss'] for run in runs]):.3f}"
        for name, runs in measured["runs"].items()
    )
    moved = max(run["moved"] for run in measured["runs"]["ReLU, zero"])
    finding = (
        f"Columns of the first kernel that start equal {'stay' if same else 'do not stay'} equal "
        f"to the last bit, and its rank is at most {max(run['rank'] for run in equal)}. From zero "
        f"the kernel moves by {moved:.0e}. Median training loss after {EPOCHS} epochs: {listed}."
    )
    return Answer(verdict_of(same, flat), finding)


def draw(measured: Measured) -> Figure:
    figure, axes = _style.panels(2, height=4.2)
    for axis, start in zip(axes, ("0.1", "random"), strict=True):
        kernel = np.asarray(measured["kernels"][f"tanh, {start}"])
        image = axis.imshow(kernel, cmap="cividis", aspect="auto", interpolation="nearest")
        axis.grid(False)
        axis.set_xlabel(f"hidden unit (tanh, start {start})")
        axis.set_ylabel("pixel")
        bar = figure.colorbar(image, ax=axis)
        bar.ax.set_ylabel("weight")
        bar.ax.set_xlabel(" ")
    return figure


def _train(activation: str, start: str, seed: int, epochs: int) -> tuple[dict, np.ndarray]:
    model = MODELS[activation, start]
    result = _digits.fit(model, optim.sgd(0.1), seed, epochs=epochs)
    kernel = np.asarray(result.last[0]["00_dense"]["kernel"])
    first = np.asarray(STARTS[start](None, kernel.shape)) if start in EQUAL else kernel
    facts = {
        "difference": float(np.max(np.abs(kernel - kernel[:, :1]))),
        "rank": int(np.linalg.matrix_rank(kernel)),
        "moved": float(np.max(np.abs(kernel - first))),
        "loss": result.history.rows[-1]["train_loss"],
    }
    return facts, kernel


def _model(activation: str, start: str) -> Any:
    hidden = nn.dense(UNITS, kernel_init=STARTS[start])
    out = nn.dense(10, kernel_init=STARTS[start])
    return nn.sequential(hidden, nn.lift(ACTIVATIONS[activation]), out)


MODELS = {(a, s): _model(a, s) for a in ACTIVATIONS for s in STARTS}

EXPERIMENT = Experiment(
    id="X-13",
    title="Equal weights stay equal",
    claim="Weights that start at zero, or all equal, stay symmetric, and the network is useless.",
    setup=(
        "Digits, 64-32-10 units, ReLU and tanh, gradient descent with batches of 64 and rate "
        "0.1, 20 epochs; every kernel at 0, at 0.1, or He-random."
    ),
    criterion=(
        "from equal weights all columns of the first kernel stay equal exactly, and its rank is "
        "at most 1."
    ),
    seeds=5,
    measure=measure,
    judge=judge,
    draw=draw,
    caption=(
        "First kernel after training, from equal weights (above) and from random ones (below); the "
        "colors span the range of each. Above, every row is of one color: pixels come to differ, "
        "units never do."
    ),
)
