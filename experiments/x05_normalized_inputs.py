"""X-05: what normalizing the inputs does to the shape of a loss and to gradient descent on it."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse
from sklearn import datasets

from experiments import _style
from experiments._experiment import Answer, Experiment, Measured, verdict_of
from jaxopt_dl import curvature, data

TARGET = 1e-6
"""Excess loss, relative to that at the start, at which least squares is done."""
LOGISTIC_TARGET = 0.1
LIMIT = 200_000
PICTURED = 20
"""Steps in the picture."""
SHOWN = ("synthetic 0", "wine", "diabetes", "breast cancer", "logistic")
"""Tasks whose figures the answer tells, by how their names begin."""


class Task(NamedTuple):
    """A data set, and whether its two classes are to be told apart instead of fitted."""

    x: np.ndarray
    y: np.ndarray
    logistic: bool = False


def measure(seeds: int, quick: bool) -> Measured:
    limit = 2_000 if quick else LIMIT
    tasks = {f"synthetic {seed}": _synthetic(seed) for seed in range(seeds)} | _bundled()
    with jax.enable_x64(True):
        found = {
            name: {"raw": _descend(task, limit), "normalized": _descend(_normalized(task), limit)}
            for name, task in tasks.items()
        }
        pictured = _synthetic(0, widest=10, slope=1)
        pictures = {"raw": _picture(pictured), "normalized": _picture(_normalized(pictured))}
    return {"tasks": found, "limit": limit, "pictures": pictures}


def judge(measured: Measured) -> Answer:
    limit, words, conditions = measured["limit"], [], []
    for name, found in measured["tasks"].items():
        raw, scaled = found["raw"], found["normalized"]
        ratios = raw["kappa"] / scaled["kappa"], raw["steps"] / scaled["steps"]
        conditions.append(min(ratios) >= 10)
        if name.startswith(SHOWN):
            steps = f"{_counted(raw['steps'], limit)} to {_counted(scaled['steps'], limit)} steps"
            words.append(f"{name}: {raw['kappa']:.2g} to {scaled['kappa']:.3g}, {steps}")
    finding = (
        "Condition number of the Hessian, and steps to the target at step size 1/L, raw and "
        f"normalized: {'; '.join(words)}. Both fall tenfold in {sum(conditions)} of "
        f"{len(conditions)} tasks. Normalizing removes unequal scales; correlated features stay "
        "ill-conditioned."
    )
    return Answer(verdict_of(*conditions), finding)


def draw(measured: Measured) -> Figure:
    figure, axes = _style.panels(2, height=5.2)
    units = {"raw": "per unit of it", "normalized": "per standard deviation"}
    for axis, (name, picture) in zip(axes, measured["pictures"].items(), strict=True):
        hessian, path = np.asarray(picture["hessian"]), np.asarray(picture["path"])
        for level in path[0] @ hessian @ path[0] * 2.0 ** np.arange(-8, 8):
            axis.add_patch(_contour(hessian, level))
        label = f"{PICTURED} steps of gradient descent"
        axis.plot(*path.T, color=_style.COLORS[1], marker="o", markersize=4, label=label)
        axis.plot(0, 0, "*", markersize=14, color=_style.COLORS[0], label="best")
        reach = 1.25 * np.max(np.abs(path[0]))
        axis.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
        axis.set_title(f"{name} inputs: condition number {np.linalg.cond(hessian):.3g}")
        axis.set_xlabel(f"weight of feature 1, distance from the best\n({units[name]})")
        axis.set_ylabel(f"weight of feature 2, distance from the best\n({units[name]})")
        axis.legend(loc="upper right", fontsize=10, frameon=True)
        axis.grid(False)
    return figure


def _contour(hessian: np.ndarray, level: float) -> Ellipse:
    """Return the line on which the quadratic with this Hessian has this value."""
    curvatures, axes = np.linalg.eigh(hessian)
    width, height = 2 * np.sqrt(level / curvatures)
    angle = np.degrees(np.arctan2(axes[1, 0], axes[0, 0]))
    return Ellipse((0, 0), width, height, angle=angle, fill=False, color="0.6", linewidth=0.9)


def _counted(steps: int, limit: int) -> str:
    return f">{limit}" if steps >= limit else str(steps)


def _synthetic(seed: int, widest: float = 1000, slope: float = 0.003) -> Task:
    """Return two features, one `widest` wide and one 1, and a noisy linear target."""
    random = np.random.default_rng(seed)
    x = np.stack([random.uniform(widest / 1000, widest, 500), random.uniform(0, 1, 500)], axis=1)
    return Task(x, x @ np.array([slope, 2.0]) + 1 + 0.1 * random.normal(size=500))


def _bundled() -> dict[str, Task]:
    """Return what scikit-learn brings; diabetes as measured, which it otherwise ships scaled."""
    bunches: dict[str, Any] = {
        "wine": datasets.load_wine(),
        "diabetes": datasets.load_diabetes(scaled=False),
        "breast cancer": datasets.load_breast_cancer(),
    }
    tasks = {name: Task(bunch.data, bunch.target) for name, bunch in bunches.items()}
    wine, cancer = tasks["wine"], tasks["breast cancer"]
    return tasks | {
        "logistic wine": Task(wine.x, wine.y == 0, logistic=True),
        "logistic breast cancer": cancer._replace(logistic=True),
    }


def _normalized(task: Task) -> Task:
    return task._replace(x=np.asarray(data.normalize(data.fit_normalizer(task.x), task.x)))


def _descend(task: Task, limit: int) -> dict[str, float]:
    """Return the condition number at the start, zero, and the steps from there to the target."""
    design = np.concatenate([task.x, np.ones((len(task.x), 1))], axis=1)
    hessian = jnp.asarray(design.T @ design / len(design)) / (4 if task.logistic else 1)
    rate = 1 / jnp.linalg.eigvalsh(hessian)[-1]
    if task.logistic:
        excess, start = _cross_entropy(design, task.y), jnp.zeros(design.shape[1])
        goal = LOGISTIC_TARGET
    else:
        best = np.linalg.lstsq(design, task.y, rcond=None)[0]
        excess, start = (lambda away: away @ hessian @ away / 2), jnp.asarray(-best)
        goal = TARGET * excess(start)
    steps = _steps(excess, start, rate, goal, limit)
    return {"kappa": curvature.condition_number(hessian), "steps": int(steps)}


def _cross_entropy(design: np.ndarray, y: np.ndarray) -> Callable[[jax.Array], jax.Array]:
    """Return the mean loss of a logistic regression; its curvature is largest at zero."""
    signed = jnp.asarray(np.where(y, 1.0, -1.0)[:, None] * design)
    return lambda w: jnp.mean(jax.nn.softplus(-signed @ w))


def _steps(excess: Callable, start: jax.Array, rate: jax.Array, goal: Any, limit: int) -> Any:
    """Count the steps of gradient descent until the loss is at the goal, or the limit."""

    def unfinished(carry: tuple) -> jax.Array:
        w, count = carry
        return (excess(w) > goal) & (count < limit)

    def step(carry: tuple) -> tuple:
        w, count = carry
        return w - rate * jax.grad(excess)(w), count + 1

    return jax.lax.while_loop(unfinished, step, (start, 0))[1]


def _picture(task: Task) -> dict[str, np.ndarray]:
    """Return the Hessian for the two weights, the bias at its best for each, and a path."""
    centered = task.x - task.x.mean(axis=0)
    hessian = centered.T @ centered / len(centered)
    best = np.linalg.lstsq(centered, task.y - task.y.mean(), rcond=None)[0]
    path = [-best]
    for _ in range(PICTURED):
        path.append(path[-1] - hessian @ path[-1] / np.linalg.eigvalsh(hessian)[-1])
    return {"hessian": hessian, "path": np.stack(path)}


EXPERIMENT = Experiment(
    id="X-05",
    title="Normalized inputs and round contours",
    claim="Normalizing the inputs makes the contours of the loss rounder and descent faster.",
    setup=(
        "Gradient descent from zero with step 1/L. Least squares to a relative excess loss of "
        "1e-6, on two features of ranges 1 to 1000 and 0 to 1 (500 examples), and on wine, "
        "diabetes (as measured) and breast cancer; logistic regression to a loss of 0.1, on wine "
        "(the first class against the others) and breast cancer. At most 200000 steps."
    ),
    criterion="condition number and number of steps both fall at least tenfold, in every task.",
    seeds=5,
    measure=measure,
    judge=judge,
    draw=draw,
    caption=(
        "Contours of a least-squares loss, each twice as high as the one inside it, and 20 steps "
        "of gradient descent: for raw inputs of ranges 0.01 to 10 and 0 to 1 (above), a narrow "
        "valley in which descent creeps, and for the same inputs normalized (below), where it "
        "arrives at once. Both axes have equal scales; at a range of 1000 the valley would be too "
        "narrow to be seen."
    ),
)
