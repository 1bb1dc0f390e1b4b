"""X-23: what bias correction does to Adam's first steps."""

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from experiments import _style
from experiments._experiment import Answer, Experiment, Measured, verdict_of
from jaxopt_dl import optim

B1, B2 = 0.9, 0.999
STEPS = 1000
WAYS = {
    "corrected": "divided by 1 - b^t",
    "uncorrected": "not corrected",
    "printed": "divided by 1 - b, as printed in some notes",
    "overwritten": "printed form, stored back",
}


def measure(seeds: int, quick: bool) -> Measured:
    del seeds, quick
    with jax.enable_x64(True):
        corrected = _steps(optim.adam(1.0, eps=1e-12))
        uncorrected = _steps(optim.adam(1.0, eps=1e-12, bias_correction=False))
    return {
        "corrected": corrected,
        "uncorrected": uncorrected,
        "printed": _by_hand(store=False),
        "overwritten": _by_hand(store=True),
    }


def judge(measured: Measured) -> Answer:
    plain, raw = np.asarray(measured["corrected"]), np.asarray(measured["uncorrected"])
    printed, stored = np.asarray(measured["printed"]), np.asarray(measured["overwritten"])
    right = bool(np.all(np.abs(plain - 1) < 1e-3))
    peak = int(np.argmax(raw))
    peaks = abs(raw[peak] - 6.57) < 0.05 and peak + 1 == 12
    finding = (
        f"With the correction every step is {plain[0]:.3f} learning rates long. Without it the "
        f"first is {raw[0]:.2f}, the {peak + 1}th {raw[peak]:.2f}, the 1000th {raw[-1]:.2f}. "
        f"Divided by 1 - b instead, steps go from {printed[0]:.1f} over {printed.max():.2f} down "
        f"to {printed[-1]:.3f}; stored back as well, the tenth is {stored[9]:.1e}."
    )
    return Answer(verdict_of(right, peaks), finding)


def draw(measured: Measured) -> Figure:
    figure, (axes,) = _style.panels(height=4.4)
    steps = np.arange(1, STEPS + 1)
    for number, (name, label) in enumerate(WAYS.items()):
        color = _style.COLORS[number]
        line = _style.LINES[number]
        sizes = np.maximum(np.abs(measured[name]), 1e-6)
        axes.loglog(steps, sizes, color=color, linestyle=line, label=label)
    axes.set_ylim(1e-3, 20)
    axes.set_xlabel("step")
    axes.set_ylabel("length of the step (in learning rates)")
    axes.legend(loc="lower left")
    return figure


def _steps(rule) -> np.ndarray:
    """Return the length of every step under a constant gradient of 1."""
    w = jnp.zeros(())

    def step(carry, _):
        w, state = carry
        update, state = rule.update(jnp.ones(()), state, w)
        return (w + update, state), -update

    return np.asarray(jax.lax.scan(step, (w, rule.init(w)), None, length=STEPS)[1])


def _by_hand(*, store: bool) -> np.ndarray:
    """Return the steps of the formula that some notes print: corrected by 1 - b at every step."""
    v = r = 0.0
    found = []
    for _ in range(STEPS):
        v, r = B1 * v + (1 - B1), B2 * r + (1 - B2)
        v_hat, r_hat = v / (1 - B1), r / (1 - B2)
        if store:
            v, r = v_hat, r_hat
        found.append(v_hat / np.sqrt(r_hat) if np.isfinite(r_hat) else 0.0)
    return np.asarray(found)


EXPERIMENT = Experiment(
    id="X-23",
    title="Bias correction in Adam",
    claim="Without bias correction the first steps of Adam are wrong, and the correction mends it.",
    setup="Adam with its usual decays (0.9, 0.999) under a constant gradient, 1000 steps.",
    criterion=(
        "with the correction every step is one learning rate long (within 0.1 %), and without it "
        "the length peaks at 6.57 in step 12."
    ),
    seeds=1,
    measure=measure,
    judge=judge,
    draw=draw,
    caption="Length of every step under a constant gradient, for four ways of correcting.",
)
