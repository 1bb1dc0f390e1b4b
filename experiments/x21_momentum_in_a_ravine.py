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
RULES: dict[str, Callable[[Any], Any]] = {
    "gradient descent": optim.sgd,
    "momentum": optim.momentum,
    "Nesterov": optim.nesterov,
}


def measure(seeds: int, quick: bool) -> Measured:
    del seeds
    rates = np.logspace(-2, np.log10(4), 12 if quick else 60)
    with jax.enable_x64(True):
        steps = {
            str(int(kappa)): {name: _steps(name, kappa, rates) for name in RULES}
            for kappa in KAPPAS
        }
        paths = {name: _path(name, 1.9, 100.0, 50) for name in RULES}
    return {"rates": rates, "steps": steps, "paths": paths}


def judge(measured: Measured) -> Answer:
    best = {
        kappa: {name: min(curve) for name, curve in found.items()}
        for kappa, found in measured["steps"].items()
    }
    gains = [b["gradient descent"] / b["momentum"] for b in best.values()]
    turns = {name: _turns(path) for name, path in measured["paths"].items()}
    listed = "; ".join(
        f"at condition number {kappa}: " + ", ".join(f"{n} {s}" for n, s in found.items())
        for kappa, found in best.items()
    )
    finding = (
        f"Steps to a relative loss of 1e-6 at the best rate of each: {listed}. In 50 steps at "
        f"rate 1.9/L the steep direction changes sign {turns['gradient descent']} times under "
        f"gradient descent, {turns['momentum']} under momentum, {turns['Nesterov']} under "
        "Nesterov. Momentum keeps its decay of 0.9 throughout, which suits one condition number "
        "better than another."
    )
    fewer = turns["momentum"] < turns["gradient descent"]
    return Answer(verdict_of(min(gains) >= 3, fewer), finding)


def draw(measured: Measured) -> Figure:
    figure, axes = _style.panels(2, height=4.0)
    flat, steep = np.linspace(-1.2, 1.2, 81), np.linspace(-1.2, 1.2, 81)
    loss = 0.5 * (flat[None, :] ** 2 / 100 + steep[:, None] ** 2)
    axes[0].contour(flat, steep, loss, 12, cmap="Greys")
    for number, (name, path) in enumerate(measured["paths"].items()):
        points = np.asarray(path)[:30]
        style = {**_style.marked(number), "linewidth": 1.0, "markersize": 3}
        axes[0].plot(points[:, 0], points[:, 1], label=name, **style)
    axes[0].set_xlabel("flat direction")
    axes[0].set_ylabel("steep direction")
    axes[0].set_ylim(-1.6, 1.6)
    axes[0].legend(ncols=3, fontsize=9, loc="upper center")
    for number, (name, curve) in enumerate(measured["steps"]["100"].items()):
        style = {**_style.marked(number), "markersize": 0}
        axes[1].loglog(measured["rates"], curve, label=name, **style)
    axes[1].set_xlabel("learning rate, in units of 1/L")
    axes[1].set_ylabel("steps to a relative loss of 1e-6")
    axes[1].legend()
    return figure


def _hessian(kappa: float) -> jax.Array:
    """Return the two curvatures; the steep one is 1, so that rates are in units of 1/L."""
    return jnp.array([1 / kappa, 1.0])


def _steps(name: str, kappa: float, rates: np.ndarray) -> np.ndarray:
    """Return the steps to the target for every rate, the limit where it is not reached."""
    hessian, start = _hessian(kappa), jnp.asarray(START)
    goal = TARGET * jnp.sum(hessian * start**2)

    def run(rate: jax.Array) -> jax.Array:
        rule = RULES[name](rate)

        def unfinished(carry: tuple) -> jax.Array:
            w, _, count = carry
            loss = jnp.sum(hessian * w**2)
            return (loss > goal) & (loss < 1e12) & (count < LIMIT)

        def step(carry: tuple) -> tuple:
            w, state, count = carry
            update, state = rule.update(hessian * w, state, w)
            return w + update, state, count + 1

        w, _, count = jax.lax.while_loop(unfinished, step, (start, rule.init(start), 0))
        return jnp.where(jnp.sum(hessian * w**2) <= goal, count, LIMIT)

    return np.asarray(jax.jit(jax.vmap(run))(jnp.asarray(rates)))


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
        "Thirty steps at rate 1.9/L on the contours of a ravine (above), and the steps each rule "
        "needs against its learning rate (below), both at condition number 100."
    ),
)
