"""X-03: a bug that the check misses near the start, because the weights are small there."""

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from experiments import _style
from experiments._checked_network import network
from experiments._experiment import Answer, Experiment, Measured, verdict_of
from jaxopt_dl import gradcheck

SCALES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)


@jax.custom_jvp
def careless_tanh(z):
    return jnp.tanh(z)


@careless_tanh.defjvp
def _slope_taken_as_one(primals, tangents):
    return jnp.tanh(primals[0]), tangents[0]


def measure(seeds: int, quick: bool) -> Measured:
    scales = SCALES[::4] if quick else SCALES
    differences, verdicts = [], []
    with jax.enable_x64(True):
        for seed in range(seeds):
            pairs = [_check(scale, seed) for scale in scales]
            differences.append([difference for difference, _ in pairs])
            verdicts.append([verdict for _, verdict in pairs])
    return {"scales": scales, "differences": differences, "verdicts": verdicts}


def judge(measured: Measured) -> Answer:
    differences = np.asarray(measured["differences"])
    hidden = bool(np.all(differences[:, 0] < 1e-7))
    shown = bool(np.all(differences[:, -1] > 1e-2))
    medians = np.median(differences, axis=0)
    listed = ", ".join(
        f"{m:.2g} at {s:g}" for s, m in zip(measured["scales"], medians, strict=True)
    )
    failed = np.mean([v == "fail" for run in measured["verdicts"] for v in run])
    finding = (
        f"Relative difference by the scale of the weights: {listed}. `check_gradients`, which "
        f"looks at several points, calls the gradient wrong in {failed:.0%} of the cases."
    )
    return Answer(verdict_of(hidden, shown), finding)


def draw(measured: Measured) -> Figure:
    figure, (axes,) = _style.panels(height=4.2)
    for run in measured["differences"]:
        axes.loglog(measured["scales"], run, **_style.marked(1))
    for threshold, word in ((1e-7, "great"), (1e-3, "worry")):
        axes.axhline(threshold, color="0.4", linestyle=":", linewidth=1)
        axes.annotate(word, (SCALES[0], threshold), xytext=(0, 3), textcoords="offset points")
    axes.set_xlabel("scale of the kernels")
    axes.set_ylabel("relative difference")
    return figure


def _check(scale: float, seed: int) -> tuple[float, str]:
    """Return the textbook's number at this scale, and the verdict of the full check."""
    loss, params = network(scale, careless_tanh)
    random = np.random.default_rng(seed)
    noise = jax.tree.map(lambda w: scale * random.normal(size=w.shape) * (w.ndim == 2), params)
    params = jax.tree.map(jnp.add, params, noise)
    numeric = gradcheck.finite_difference(loss, params)
    difference = gradcheck.relative_difference(jax.grad(loss)(params), numeric)
    return difference, gradcheck.check_gradients(loss, params).verdict


EXPERIMENT = Experiment(
    id="X-03",
    title="A bug that hides near the start",
    claim="A gradient can pass the check at initialization and be wrong after some training.",
    setup=(
        "A 5-4-3-1 tanh network whose tanh has a custom rule with slope 1, at kernels scaled "
        "by 1e-4 to 1; differences of step 1e-7."
    ),
    criterion="the relative difference is below 1e-7 at the smallest scale, above 1e-2 at scale 1.",
    seeds=5,
    measure=measure,
    judge=judge,
    draw=draw,
    caption="The textbook's relative difference against the scale of the kernels.",
)
