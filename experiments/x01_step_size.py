"""X-01: how the error of a difference quotient depends on its step."""

import jax
import numpy as np
from matplotlib.figure import Figure

from experiments import _style
from experiments._checked_network import network
from experiments._experiment import Answer, Experiment, Measured, verdict_of
from jaxopt_dl.gradcheck import finite_difference, relative_difference

STEPS = 10.0 ** -np.arange(1, 11)
MODES = {"one-sided": "forward", "two-sided": "central"}
DTYPES = ("float64", "float32")
LINEAR = (1e-1, 1e-4)
"""Steps at which the cubic's error is truncation alone, for the slopes."""


def measure(seeds: int, quick: bool) -> Measured:
    steps = STEPS[::3] if quick else STEPS
    with jax.enable_x64(True):
        cubic = {name: [_cubic_error(step, mode) for step in steps] for name, mode in MODES.items()}
        runs = [_errors(seed, steps) for seed in range(seeds)]
    errors = {
        dtype: {name: [run[dtype][name] for run in runs] for name in MODES} for dtype in DTYPES
    }
    return {"steps": steps, "cubic": cubic, **errors}


def judge(measured: Measured) -> Answer:
    slopes = {name: _slope(measured["steps"], measured["cubic"][name]) for name in MODES}
    medians = {
        dtype: {name: np.median(runs, axis=0) for name, runs in measured[dtype].items()}
        for dtype in DTYPES
    }
    steps = np.asarray(measured["steps"])
    every = {name: steps[np.argmin(measured["float64"][name], axis=1)] for name in MODES}
    best = {name: steps[int(np.argmin(medians["float64"][name]))] for name in MODES}
    orders = abs(slopes["one-sided"] - 1) <= 0.05 and abs(slopes["two-sided"] - 2) <= 0.05
    places = 1e-6 <= best["two-sided"] <= 1e-4 and 1e-9 <= best["one-sided"] <= 1e-7
    told = {
        name: f"{best[name]:.0e} ({name}: error {min(medians['float64'][name]):.1e}; by seed from "
        f"{min(every[name]):.0e} to {max(every[name]):.0e})"
        for name in MODES
    }
    finding = (
        f"In the truncation range the error falls with slope {slopes['one-sided']:.3f} "
        f"(one-sided) and {slopes['two-sided']:.3f} (two-sided). In float64 the steps of the "
        f"lowest median error are {told['one-sided']}, and {told['two-sided']}. In float32 the "
        f"best two-sided error is {min(medians['float32']['two-sided']):.1e}. Below the best "
        "step, rounding takes over."
    )
    return Answer(verdict_of(orders, places), finding)


def draw(measured: Measured) -> Figure:
    figure, (axes,) = _style.panels(height=4.4)
    pairs = [(dtype, name) for dtype in DTYPES for name in MODES]
    for number, (dtype, name) in enumerate(pairs):
        style, runs = _style.marked(number), np.asarray(measured[dtype][name])
        axes.loglog(measured["steps"], np.median(runs, axis=0), label=f"{name}, {dtype}", **style)
        low, high = runs.min(axis=0), runs.max(axis=0)
        axes.fill_between(measured["steps"], low, high, color=style["color"], alpha=0.2, lw=0)
    axes.set_xlabel("step (in units of the parameters)")
    axes.set_ylabel("relative error of the gradient")
    axes.legend()
    return figure


def _errors(seed: int, steps: np.ndarray) -> dict[str, dict[str, list[float]]]:
    """Return the relative error of a network's gradient at every step, by dtype and mode."""
    loss, params = network(seed=seed)
    exact = jax.grad(loss)(params)

    def error(dtype: str, mode: str, step: float) -> float:
        found = finite_difference(loss, params, eps=step, mode=mode, dtype=np.dtype(dtype))
        return relative_difference(exact, found)

    return {
        dtype: {name: [error(dtype, mode, s) for s in steps] for name, mode in MODES.items()}
        for dtype in DTYPES
    }


def _cubic_error(step: float, mode: str) -> float:
    slope = finite_difference(lambda x: x**3, np.float64(1), eps=step, mode=mode)
    return abs(float(slope) - 3)


def _slope(steps, errors) -> float:
    """Return how the logarithm of the error grows with that of the step, by least squares."""
    chosen = [(s, e) for s, e in zip(steps, errors, strict=True) if LINEAR[1] <= s <= LINEAR[0]]
    logs = np.log10(chosen)
    return float(np.polyfit(logs[:, 0], logs[:, 1], 1)[0])


EXPERIMENT = Experiment(
    id="X-01",
    title="The error of one-sided and two-sided differences",
    claim=(
        "A one-sided difference quotient errs in proportion to its step, a two-sided one in "
        "proportion to its square, so two-sided is more accurate."
    ),
    setup=(
        "The cube at 1, and a 5-4-3-1 tanh network (43 parameters, 20 examples, drawn anew for "
        "every seed); steps from 1e-1 to 1e-10, in float64 and float32, against automatic "
        "differentiation."
    ),
    criterion=(
        "the error of the cube falls with slopes 1 and 2 (within 0.05) where truncation "
        "dominates, and the best steps in float64 lie near 1e-8 and 1e-5 (within a factor 10), "
        "by the median over the seeds."
    ),
    seeds=5,
    measure=measure,
    judge=judge,
    draw=draw,
    caption=(
        "Relative error of the whole gradient against the step, median and range of the seeds: a "
        "V for each way, its right flank truncation, its left flank rounding."
    ),
)
