"""X-21: what momentum gains where one direction is much steeper than the other."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from experiments import _style
from experiments._experiment import Answer, Experiment, Measured, verdict_of
from jaxopt_dl import optim

KAPPAS = (100.0, 1000.0)
TARGET = 1e-6
LIMIT = 20_000
START = (1.0, 1.0)
RATE = 1.9
"""Rate of the pictured paths, in units of 1/L."""
DRAWN = 31
FLAT, STEEP = (-0.7, 1.1), (-1.5, 1.5)
"""What of the two directions the picture shows."""
RULES: dict[str, Callable[[Any], Any]] = {
    "gradient descent": optim.sgd,
    "momentum": optim.momentum,
    "Nesterov": optim.nesterov,
}


def measure(seeds: int, quick: bool) -> Measured:
    del seeds
    rates = np.logspace(-2, np.log10(4), 12 if quick else 60)
    with jax.enable_x64(True):
        found = {
            str(int(kappa)): {name: _descend(name, kappa, rates) for name in RULES}
            for kappa in KAPPAS
        }
        paths = {name: _path(name, RATE, 100.0, 50) for name in RULES}
    steps, lengths = (
        {
            kappa: {name: ways[part] for name, ways in rules.items()}
            for kappa, rules in found.items()
        }
        for part in (0, 1)
    )
    return {"rates": rates, "steps": steps, "lengths": lengths, "paths": paths}


def judge(measured: Measured) -> Answer:
    best = {
        kappa: {name: min(curve) for name, curve in found.items()}
        for kappa, found in measured["steps"].items()
    }
    gains = [b["gradient descent"] / b["momentum"] for b in best.values()]
    turns = {name: _turns(path) for name, path in measured["paths"].items()}
    listed = "; ".join(
        f"at condition number {kappa}: "
        + ", ".join(f"{n} {s} ({_length(measured, kappa, n):.3g})" for n, s in found.items())
        for kappa, found in best.items()
    )
    finding = (
        "Steps to a relative loss of 1e-6 at the best rate of each, and the length of the path "
        f"they take (the straight line: {np.hypot(*START):.3g}): {listed}. In 50 steps at rate "
        f"{RATE}/L the steep direction changes sign {turns['gradient descent']} times under "
        f"gradient descent and {turns['momentum']} under momentum; Nesterov diverges at this rate "
        f"(after 50 steps it is {np.hypot(*measured['paths']['Nesterov'][-1]):.1g} from the "
        "minimum), as it does from 1.36/L on. The decay stays 0.9 throughout, which suits one "
        "condition number better than another."
    )
    fewer = turns["momentum"] < turns["gradient descent"]
    return Answer(verdict_of(min(gains) >= 3, fewer), finding)


def draw(measured: Measured) -> Figure:
    figure, axes = _style.panels(len(RULES) + 1, height=2.7)
    flat, steep = np.linspace(*FLAT, 81), np.linspace(*STEEP, 81)
    loss = 0.5 * (flat[None, :] ** 2 / 100 + steep[:, None] ** 2)
    for number, (name, path) in enumerate(measured["paths"].items()):
        axis, points = axes[number], np.asarray(path)[:DRAWN]
        away = bool(np.hypot(*points[-1]) > np.hypot(*START))
        axis.contour(flat, steep, loss, 12, cmap="Greys", linewidths=0.8)
        axis.plot(*points.T, **{**_style.marked(number), "linewidth": 1.0, "linestyle": "-"})
        axis.plot(0, 0, "*", color="black", markersize=11)
        axis.set(xlim=FLAT, ylim=STEEP)
        axis.set_title(
            f"{name}, rate {RATE}/L" + (": diverges, leaves the picture" if away else "")
        )
        axis.set_xlabel("flat direction (start at 1)")
        axis.set_ylabel("steep direction")
    for number, (name, curve) in enumerate(measured["steps"]["100"].items()):
        style = {**_style.marked(number), "markersize": 0}
        reached = [steps if steps < LIMIT else np.nan for steps in curve]
        axes[-1].loglog(measured["rates"], reached, label=name, **style)
    axes[-1].set_xlabel("learning rate, in units of 1/L")
    axes[-1].set_ylabel("steps to the target")
    axes[-1].legend()
    return figure


def _length(measured: Measured, kappa: str, name: str) -> float:
    """Return the length of a rule's path to the target at its best rate."""
    fastest = int(np.argmin(measured["steps"][kappa][name]))
    return measured["lengths"][kappa][name][fastest]


def _hessian(kappa: float) -> jax.Array:
    """Return the two curvatures; the steep one is 1, so that rates are in units of 1/L."""
    return jnp.array([1 / kappa, 1.0])


def _descend(name: str, kappa: float, rates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return steps and path length to the target for every rate; where missed, limit and NaN."""
    hessian, start = _hessian(kappa), jnp.asarray(START)
    goal = TARGET * jnp.sum(hessian * start**2)

    def run(rate: jax.Array) -> tuple[jax.Array, jax.Array]:
        rule = RULES[name](rate)

        def unfinished(carry: tuple) -> jax.Array:
            w, _, count, _ = carry
            loss = jnp.sum(hessian * w**2)
            return (loss > goal) & (loss < 1e12) & (count < LIMIT)

        def step(carry: tuple) -> tuple:
            w, state, count, length = carry
            update, state = rule.update(hessian * w, state, w)
            return w + update, state, count + 1, length + jnp.linalg.norm(update)

        begin = (start, rule.init(start), 0, jnp.zeros(()))
        w, _, count, length = jax.lax.while_loop(unfinished, step, begin)
        there = jnp.sum(hessian * w**2) <= goal
        return jnp.where(there, count, LIMIT), jnp.where(there, length, jnp.nan)

    steps, lengths = jax.jit(jax.vmap(run))(jnp.asarray(rates))
    return np.asarray(steps), np.asarray(lengths)


def _path(name: str, rate: float, kappa: float, length: int) -> np.ndarray:
    hessian, w = _hessian(kappa), jnp.asarray(START)
    rule = RULES[name](rate)

    def step(carry: tuple, _: None) -> tuple:
        w, state = carry
        update, state = rule.update(hessian * w, state, w)
        return (w + update, state), w + update

    _, path = jax.lax.scan(step, (w, rule.init(w)), None, length=length)
    return np.concatenate([np.asarray(START)[None], np.asarray(path)])


def _turns(path: Any) -> int:
    signs = np.sign(np.asarray(path)[:, 1])
    return int(np.sum(signs[1:] != signs[:-1]))


EXPERIMENT = Experiment(
    id="X-21",
    title="Momentum in a ravine",
    claim="Momentum damps the zig-zag in ravines and is faster on ill-conditioned problems.",
    setup=(
        "Quadratics in two dimensions with condition numbers 100 and 1000, from (1, 1); decay "
        "0.9; 60 learning rates from 0.01/L to 4/L for every rule."
    ),
    criterion=(
        "at its best rate momentum needs at most a third of the steps of gradient descent at "
        "its best, and at equal rate the steep direction changes sign less often."
    ),
    seeds=1,
    measure=measure,
    judge=judge,
    draw=draw,
    caption=(
        "Thirty steps of each rule at rate 1.9/L on the contours of a ravine; Nesterov diverges at "
        "this rate and leaves the picture. Below, the steps each rule needs to a relative loss of "
        "1e-6 against its learning rate, as far as it gets there. Condition number 100."
    ),
)
