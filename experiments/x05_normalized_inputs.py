"""X-05: what normalizing the inputs does to the shape of a loss and to gradient descent on it."""

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from experiments import _style
from experiments._experiment import Answer, Experiment, Measured, verdict_of
from jaxopt_dl import curvature, data

SETS = ("wine", "diabetes", "breast_cancer")
TARGET = 1e-6
LIMIT = 200_000


def measure(seeds: int, quick: bool) -> Measured:
    limit = 2_000 if quick else LIMIT
    tasks = {f"synthetic {seed}": _synthetic(seed) for seed in range(seeds)}
    tasks |= {name: _bundled(name) for name in SETS}
    with jax.enable_x64(True):
        found = {}
        for name, (x, y) in tasks.items():
            scaled = np.asarray(data.normalize(data.fit_normalizer(x), x))
            found[name] = {"raw": _descend(x, y, limit), "normalized": _descend(scaled, y, limit)}
        x, y = tasks["synthetic 0"]
        scaled = np.asarray(data.normalize(data.fit_normalizer(x), x))
        pictures = {"raw": _picture(x, y), "normalized": _picture(scaled, y)}
    return {"tasks": found, "limit": limit, "pictures": pictures}


def judge(measured: Measured) -> Answer:
    ratios, conditions, words = {}, [], []
    for name, found in measured["tasks"].items():
        raw, scaled = found["raw"], found["normalized"]
        ratios[name] = (raw["kappa"] / scaled["kappa"], raw["steps"] / scaled["steps"])
        conditions.append(min(ratios[name]) >= 10)
        if name == "synthetic 0" or not name.startswith("synthetic"):
            more = ">" if raw["steps"] >= measured["limit"] else ""
            end = ">" if scaled["steps"] >= measured["limit"] else ""
            words.append(
                f"{name}: {raw['kappa']:.2g} to {scaled['kappa']:.3g}, {more}{raw['steps']} to "
                f"{end}{scaled['steps']} steps"
            )
    held = sum(conditions)
    finding = (
        "Condition number of the Hessian and steps to a relative excess loss of 1e-6 at step size "
        f"1/L: {'; '.join(words)}. Both fall tenfold in {held} of {len(conditions)} tasks. "
        "Normalizing removes unequal scales; correlated features stay ill-conditioned."
    )
    return Answer(verdict_of(*conditions), finding)


def draw(measured: Measured) -> Figure:
    figure, axes = _style.panels(2, height=4.0)
    for axis, (name, picture) in zip(axes, measured["pictures"].items(), strict=True):
        axis.contour(
            picture["first"], picture["second"], np.log10(picture["excess"]), 12, cmap="Greys"
        )
        path = np.asarray(picture["path"])
        axis.plot(path[:, 0], path[:, 1], color=_style.COLORS[1], marker="o", markersize=3)
        axis.plot(0, 0, marker="*", markersize=12, color=_style.COLORS[0], linestyle="")
        axis.set_xlabel(f"weight of feature 1, distance from the best ({name})")
        axis.set_ylabel("weight of feature 2")
    return figure


def _synthetic(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return two features, 1 to 1000 and 0 to 1, and a noisy linear target."""
    random = np.random.default_rng(seed)
    x = np.stack([random.uniform(1, 1000, 500), random.uniform(0, 1, 500)], axis=1)
    return x, x @ np.array([0.003, 2.0]) + 1 + 0.1 * random.normal(size=500)


def _bundled(name: str) -> tuple[np.ndarray, np.ndarray]:
    loaded = data.load_bundled(name)
    return loaded.x.astype(np.float64), loaded.y.astype(np.float64)


def _design(x: np.ndarray) -> np.ndarray:
    return np.concatenate([x, np.ones((len(x), 1))], axis=1)


def _descend(x: np.ndarray, y: np.ndarray, limit: int) -> dict[str, float]:
    """Return condition number, and steps of gradient descent at 1/L to the target."""
    design = _design(x)
    hessian = jnp.asarray(design.T @ design / len(x))
    best = np.linalg.lstsq(design, y, rcond=None)[0]
    rate = 1 / float(jnp.linalg.eigvalsh(hessian)[-1])
    start = jnp.asarray(-best)

    def excess(away: jax.Array) -> jax.Array:
        return away @ hessian @ away

    def unfinished(carry: tuple) -> jax.Array:
        away, count = carry
        return (excess(away) > TARGET * excess(start)) & (count < limit)

    def step(carry: tuple) -> tuple:
        away, count = carry
        return away - rate * hessian @ away, count + 1

    _, steps = jax.lax.while_loop(unfinished, step, (start, 0))
    return {"kappa": curvature.condition_number(hessian), "steps": int(steps)}


def _picture(x: np.ndarray, y: np.ndarray) -> dict[str, np.ndarray]:
    """Return contours over the two weights, the bias at its best for each, and a path."""
    centered = x - x.mean(axis=0)
    hessian = centered.T @ centered / len(x)
    best = np.linalg.lstsq(centered, y - y.mean(), rcond=None)[0]
    path = [-best]
    for _ in range(10):
        path.append(path[-1] - hessian @ path[-1] / np.linalg.eigvalsh(hessian)[-1])
    reach = 1.3 * np.abs(best)
    first, second = (np.linspace(-r, r, 61) for r in reach)
    grid = np.stack(np.meshgrid(first, second), axis=-1)
    excess = np.einsum("...i,ij,...j", grid, hessian, grid)
    return {"first": first, "second": second, "excess": excess + 1e-12, "path": np.stack(path)}


EXPERIMENT = Experiment(
    id="X-05",
    title="Normalized inputs and round contours",
    claim="Normalizing the inputs makes the contours of the loss rounder and descent faster.",
    setup=(
        "Least squares on two features of ranges 1 to 1000 and 0 to 1 (500 examples), and on "
        "wine, diabetes and breast cancer; gradient descent from zero with step 1/L."
    ),
    criterion="condition number and number of steps both fall at least tenfold, in every task.",
    seeds=5,
    measure=measure,
    judge=judge,
    draw=draw,
    caption=(
        "Contours of the loss and ten steps of gradient descent, for raw inputs (above) and "
        "normalized ones (below)."
    ),
)
