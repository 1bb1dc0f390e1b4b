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
LINEAR = (1e-1, 1e-4)
"""Steps at which the cubic's error is truncation alone, for the slopes."""


def measure(seeds: int, quick: bool) -> Measured:
    del seeds
    steps = STEPS[::3] if quick else STEPS
    measured: dict = {"steps": steps, "cubic": {}, "float64": {}, "float32": {}}
    with jax.enable_x64(True):
        loss, params = network()
        exact = jax.grad(loss)(params)
        for name, mode in MODES.items():
            measured["cubic"][name] = [_cubic_error(step, mode) for step in steps]
            for dtype in ("float64", "float32"):
                found = (
                    finite_difference(loss, params, eps=step, mode=mode, dtype=np.dtype(dtype))
                    for step in steps
                )
                measured[dtype][name] = [relative_difference(exact, slope) for slope in found]
    return measured


def judge(measured: Measured) -> Answer:
    slopes = {name: _slope(measured["steps"], measured["cubic"][name]) for name in MODES}
    best = {name: measured["steps"][int(np.argmin(measured["float64"][name]))] for name in MODES}
    orders = abs(slopes["one-sided"] - 1) <= 0.05 and abs(slopes["two-sided"] - 2) <= 0.05
    places = 1e-6 <= best["two-sided"] <= 1e-4 and 1e-9 <= best["one-sided"] <= 1e-7
    finding = (
        f"In the truncation range the error falls with slope {slopes['one-sided']:.3f} "
        f"(one-sided) and {slopes['two-sided']:.3f} (two-sided). In float64 the best steps are "
        f"{best['one-sided']:.0e} (error {min(measured['float64']['one-sided']):.1e}) and "
        f"{best['two-sided']:.0e} (error {min(measured['float64']['two-sided']):.1e}); in "
        f"float32 the best two-sided error is {min(measured['float32']['two-sided']):.1e}. "
        "Below the best step, rounding takes over."
    )
    return Answer(verdict_of(orders, places), finding)


def draw(measured: Measured) -> Figure:
    figure, (axes,) = _style.panels(height=4.4)
    pairs = [(dtype, name) for dtype in ("float64", "float32") for name in MODES]
    for number, (dtype, name) in enumerate(pairs):
        label = f"{name}, {dtype}"
        axes.loglog(measured["steps"], measured[dtype][name], label=label, **_style.marked(number))
    axes.set_xlabel("step (in units of the parameters)")
    axes.set_ylabel("relative error of the gradient")
    axes.legend()
    return figure


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
        "The cube at 1, and a 5-4-3-1 tanh network (43 parameters, 20 examples); steps from "
        "1e-1 to 1e-10, in float64 and float32, against automatic differentiation."
    ),
    criterion=(
        "the error of the cube falls with slopes 1 and 2 (within 0.05) where truncation "
        "dominates, and the best steps in float64 lie near 1e-8 and 1e-5 (within a factor 10)."
    ),
    seeds=1,
    measure=measure,
    judge=judge,
    draw=draw,
    caption=(
        "Relative error of the whole gradient against the step: a V for each way, its right "
        "flank truncation, its left flank rounding."
    ),
)
