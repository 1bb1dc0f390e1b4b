"""X-11: whether a careful start saves deep sigmoid networks."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from experiments import _style
from experiments._deep_nets import DEPTH, STARTS, passage
from experiments._experiment import Answer, Experiment, Measured, verdict_of

DEPTHS = (1, 5, 10, 20, 35, DEPTH)


def measure(seeds: int, quick: bool) -> Measured:
    depths = DEPTHS[::3] if quick else DEPTHS
    found = {
        start: [
            [passage("sigmoid", start, s, depth).ratio for depth in depths] for s in range(seeds)
        ]
        for start in STARTS
    }
    return {"depths": depths, "ratios": found}


def judge(measured: Measured) -> Answer:
    last = {start: np.median(np.asarray(r)[:, -1]) for start, r in measured["ratios"].items()}
    careful = [last["variance 1/n"] > 1e-3, last["variance 2/n"] > 1e-3]
    finding = (
        f"Over {measured['depths'][-1]} sigmoid layers the gradient keeps "
        f"{last['variance 1/n']:.1e} of its size with variance 1/n and "
        f"{last['variance 2/n']:.1e} with 2/n. The slope of a sigmoid is at most 1/4, and its "
        f"outputs are not centered. With std 1 the ratio is {last['std 1']:.1e}: large kernels "
        "outweigh small slopes, at the price of saturated units."
    )
    return Answer(verdict_of(*careful), finding)


def draw(measured: Measured) -> Figure:
    figure, (axes,) = _style.panels(height=4.4)
    for number, (start, ratios) in enumerate(measured["ratios"].items()):
        medians = np.median(np.asarray(ratios), axis=0)
        axes.semilogy(measured["depths"], medians, label=start, **_style.marked(number))
    axes.axhline(1e-3, color="0.4", linewidth=1, linestyle=":")
    place: Any = {"xytext": (0, 4), "textcoords": "offset points", "ha": "right", "fontsize": 10}
    axes.annotate("criterion: 1e-3", (DEPTH, 1e-3), **place)
    axes.set_xlabel("depth (layers)")
    axes.set_ylabel("gradient at the input / at the output")
    axes.legend()
    return figure


EXPERIMENT = Experiment(
    id="X-11",
    title="Deep sigmoid networks and their start",
    claim="Xavier or LeCun initialization keeps the gradients of sigmoid networks from vanishing.",
    setup="As in X-10 with sigmoid units, 1 to 50 layers.",
    criterion="over 50 layers the gradient keeps more than 1e-3 of its size.",
    seeds=5,
    measure=measure,
    judge=judge,
    draw=draw,
    caption="Size of the gradient at the input of a sigmoid network, against its depth.",
)
