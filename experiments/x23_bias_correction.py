"""X-23: what bias correction does to Adam's first steps."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from matplotlib.figure import Figure

from experiments import _digits, _style
from experiments._experiment import Answer, Experiment, Measured, verdict_of
from jaxopt_dl import losses, nn, optim

B1, B2 = 0.9, 0.999
TRAINABLE = ("corrected", "uncorrected")
STEPS = 1000
RATE, BATCH, TRAINED = 0.001, 64, 100
"""Learning rate, batch size and steps of the training on digits."""
EARLY = 50
"""Steps among which the longest is looked for."""
WAYS = {
    "corrected": "divided by 1 - b^t",
    "uncorrected": "not corrected",
    "printed": "divided by 1 - b, as printed in some notes",
    "overwritten": "printed form, stored back",
}


def measure(seeds: int, quick: bool) -> Measured:
    del quick
    digits = {name: _on_digits(seeds, bias_correction=name == "corrected") for name in TRAINABLE}
    with jax.enable_x64(True):
        corrected = _steps(optim.adam(1.0, eps=1e-12))
        uncorrected = _steps(optim.adam(1.0, eps=1e-12, bias_correction=False))
    return {
        "corrected": corrected,
        "uncorrected": uncorrected,
        "printed": _by_hand(store=False),
        "overwritten": _by_hand(store=True),
        "digits": digits,
    }


def judge(measured: Measured) -> Answer:
    plain, raw = np.asarray(measured["corrected"]), np.asarray(measured["uncorrected"])
    printed, stored = np.asarray(measured["printed"]), np.asarray(measured["overwritten"])
    right = bool(np.all(np.abs(plain - 1) < 1e-3))
    peak = int(np.argmax(raw))
    peaks = abs(raw[peak] - 6.57) < 0.05 and peak + 1 == 12
    lengths = {name: _of_digits(measured, name, "lengths") for name in TRAINABLE}
    longest = {name: runs[:, :EARLY].max(axis=1) for name, runs in lengths.items()}
    ends = {name: np.median(_of_digits(measured, name, "losses")[:, -1]) for name in TRAINABLE}
    longer = bool(np.all(longest["uncorrected"] >= 2 * longest["corrected"]))
    finding = (
        f"With the correction every step is {plain[0]:.3f} learning rates long. Without it the "
        f"first is {raw[0]:.2f}, the {peak + 1}th {raw[peak]:.2f}, the 1000th {raw[-1]:.2f}. "
        f"Divided by 1 - b instead, steps go from {printed[0]:.1f} over {printed.max():.2f} down "
        f"to {printed[-1]:.3f}; stored back as well, the tenth is {stored[9]:.1e}. On digits the "
        f"longest of the first {EARLY} steps (root mean square over the weights) has "
        f"{np.median(longest['corrected']):.2f} learning rates with the correction, "
        f"{np.median(longest['uncorrected']):.2f} without. At a rate as small as {RATE} that is no "
        f"harm: the median training loss after {TRAINED} steps is {ends['corrected']:.3f} with it, "
        f"{ends['uncorrected']:.3f} without."
    )
    return Answer(verdict_of(right, peaks, longer), finding)


def draw(measured: Measured) -> Figure:
    figure, (axes, trained) = _style.panels(2, height=4.2)
    steps = np.arange(1, STEPS + 1)
    for number, (name, label) in enumerate(WAYS.items()):
        color = _style.COLORS[number]
        line = _style.LINES[number]
        sizes = np.maximum(np.abs(measured[name]), 1e-6)
        axes.loglog(steps, sizes, color=color, linestyle=line, label=label)
        if name in TRAINABLE:
            median = np.median(_of_digits(measured, name, "lengths"), axis=0)
            trained.loglog(steps[:TRAINED], median, color=color, linestyle=line, label=label)
    axes.set_ylim(1e-4, 20)
    trained.set_ylim(0.2, 10)
    for panel, title in ((axes, "constant gradient"), (trained, "training on digits")):
        panel.set_title(title)
        panel.set_xlabel("step")
        panel.set_ylabel("length of the step (in learning rates)")
        panel.legend(loc="lower right")
    return figure


def _of_digits(measured: Measured, name: str, what: str) -> np.ndarray:
    return np.asarray(measured["digits"][name][what])


def _steps(rule) -> np.ndarray:
    """Return the length of every step under a constant gradient of 1."""
    w = jnp.zeros(())

    def step(carry, _):
        w, state = carry
        update, state = rule.update(jnp.ones(()), state, w)
        return (w + update, state), -update

    return np.asarray(jax.lax.scan(step, (w, rule.init(w)), None, length=STEPS)[1])


def _on_digits(seeds: int, *, bias_correction: bool) -> dict[str, np.ndarray]:
    """Return length and loss of every step, `(seeds, TRAINED)`; both ways see the same batches."""
    model = nn.sequential(nn.dense(32), nn.lift(nn.tanh), nn.dense(10))
    rows = {name: jnp.asarray(values) for name, values in _digits.digits().train.items()}
    rule = optim.adam(RATE, bias_correction=bias_correction)

    def loss(params: Any, batch: jax.Array) -> jax.Array:
        logits, _ = model.apply(params, {}, rows["x"][batch], training=True)
        return jnp.mean(losses.softmax_cross_entropy(logits, rows["y"][batch]))

    def step(carry: tuple, batch: jax.Array) -> tuple:
        params, memory = carry
        value, slope = jax.value_and_grad(loss)(params, batch)
        update, memory = rule.update(slope, memory, params)
        flat = ravel_pytree(update)[0]
        length = jnp.sqrt(jnp.mean(flat**2)) / RATE
        return (jax.tree.map(jnp.add, params, update), memory), (length, value)

    def run(seed: jax.Array) -> tuple[jax.Array, jax.Array]:
        init, draw = jax.random.split(jax.random.key(seed))
        params, _ = model.init(init, (64,))
        chosen = jax.random.randint(draw, (TRAINED, BATCH), 0, len(rows["y"]))
        return jax.lax.scan(step, (params, rule.init(params)), chosen)[1]

    lengths, values = jax.jit(jax.vmap(run))(jnp.arange(seeds))
    return {"lengths": np.asarray(lengths), "losses": np.asarray(values)}


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
    setup=(
        "Adam with its usual decays (0.9, 0.999) under a constant gradient, 1000 steps; and on "
        "digits, 64-32-10 tanh units, batches of 64, rate 0.001, 100 steps."
    ),
    criterion=(
        "under a constant gradient every step is one learning rate long with the correction "
        "(within 0.1 %), and without it the length peaks at 6.57 in step 12; on digits the longest "
        f"of the first {EARLY} steps is at least twice as long without it, with every seed."
    ),
    seeds=5,
    measure=measure,
    judge=judge,
    draw=draw,
    caption=(
        "Length of every step under a constant gradient for four ways of correcting (above), and "
        "in training on digits with and without the correction (below, medians)."
    ),
)
