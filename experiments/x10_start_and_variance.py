"""X-10: which start keeps the size of activations and gradients over 50 layers."""

import numpy as np
from matplotlib.figure import Figure

from experiments import _style
from experiments._deep_nets import ACTIVATIONS, DEPTH, STARTS, passage
from experiments._experiment import Answer, Experiment, Measured, verdict_of

SHOWN = (1, 10, 25, 50)
BINS = np.linspace(-1, 1, 41)


def measure(seeds: int, quick: bool) -> Measured:
    networks = {}
    for activation in ACTIVATIONS:
        for start in STARTS:
            runs = [passage(activation, start, seed) for seed in range(1 if quick else seeds)]
            networks[f"{activation}, {start}"] = {
                "moments": np.median([run.moments for run in runs], axis=0),
                "last": [run.moments[-1] for run in runs],
                "first": [run.moments[0] for run in runs],
                "ratio": [run.ratio for run in runs],
            }
    return {"networks": networks, "histograms": _histograms()}


def judge(measured: Measured) -> Answer:
    networks = measured["networks"]
    he, small, large = (networks[f"ReLU, {s}"] for s in ("variance 2/n", "std 0.01", "std 1"))
    change = np.asarray(he["last"]) / np.asarray(he["first"])
    kept = bool(np.all((change > 0.1) & (change < 10)))
    kept = kept and bool(np.all((np.asarray(he["ratio"]) > 0.1) & (np.asarray(he["ratio"]) < 10)))
    vanishes = float(np.median(small["last"])) < 1e-20
    explodes = float(np.median(large["last"])) > 1e20
    tanh = networks["tanh, variance 1/n"]
    finding = (
        f"ReLU after {DEPTH} layers: with variance 2/n the mean square is "
        f"{np.median(he['last']):.2g} ({min(he['last']):.2g} to {max(he['last']):.2g}) and the "
        f"gradient {np.median(he['ratio']):.2g} of what it was ({min(he['ratio']):.2g} to "
        f"{max(he['ratio']):.2g}); with std 0.01 the mean square is "
        f"{np.median(small['last']):.0e}, with std 1 {np.median(large['last']):.0e}. Partial "
        "only: tanh with variance 1/n shrinks "
        f"slowly, from {np.median(tanh['first']):.2f} to {np.median(tanh['last']):.4f}."
    )
    return Answer(verdict_of(kept, vanishes, explodes), finding)


def draw(measured: Measured) -> Figure:
    figure, axes = _style.panels(2, height=4.0)
    depth = np.arange(1, DEPTH + 1)
    for number, start in enumerate(STARTS):
        for line, activation in zip(("-", "--"), ("ReLU", "tanh"), strict=True):
            moments = measured["networks"][f"{activation}, {start}"]["moments"]
            color = _style.COLORS[number]
            label = f"{activation}, {start}"
            axes[0].semilogy(depth, np.maximum(moments, 1e-100), line, color=color, label=label)
    axes[0].set_ylim(1e-30, 1e30)
    axes[0].set_xlabel("layer")
    axes[0].set_ylabel("mean square of the activations")
    axes[0].legend(fontsize=8, ncols=2)
    middles = (BINS[1:] + BINS[:-1]) / 2
    for number, layer in enumerate(SHOWN):
        share = measured["histograms"][str(layer)]
        axes[1].plot(middles, share, color=_style.COLORS[number], label=f"layer {layer}")
    axes[1].set_xlabel("activation (tanh, variance 1/n)")
    axes[1].set_ylabel("share of activations per bin")
    axes[1].legend()
    return figure


def _histograms() -> dict[str, np.ndarray]:
    """Return the shares of tanh activations per bin behind some layers."""
    outputs = passage("tanh", "variance 1/n", 0).outputs
    counts = {layer: np.histogram(outputs[layer - 1], BINS)[0] for layer in SHOWN}
    return {str(layer): count / count.sum() for layer, count in counts.items()}


EXPERIMENT = Experiment(
    id="X-10",
    title="Starts that keep the variance",
    claim=(
        "Xavier initialization for tanh and He initialization for ReLU keep the variance of "
        "activations and gradients; smaller and larger starts do not; it is a partial cure."
    ),
    setup=(
        "50 layers of 256 units without biases, 200 normal inputs, kernels with standard "
        "deviation 0.01 or 1, variance 1/n or 2/n; ReLU, tanh and sigmoid, in float64."
    ),
    criterion=(
        "ReLU with variance 2/n keeps mean square and gradient within a factor 10 in every seed, "
        "std 0.01 ends below 1e-20 and std 1 above 1e20."
    ),
    seeds=8,
    measure=measure,
    judge=judge,
    draw=draw,
    caption=(
        "Mean square of the activations per layer (above), and how tanh activations shrink "
        "towards zero from layer to layer (below)."
    ),
)
