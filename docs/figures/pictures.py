"""Draw the pictures of the pages that no experiment makes, `PIC-02.svg` and so on.

Run it from the repository root: `python -m docs.figures.pictures`.
"""

import pathlib
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from docs.figures import diagrams
from experiments._style import COLORS, marked, panels, save_svg
from jaxopt_dl import data, nn, schedules

FOLDER = pathlib.Path(__file__).parent


def clouds() -> Figure:
    """PIC-02: a cloud of two features as it came, centered, and scaled."""
    z = np.random.default_rng(0).normal(size=(150, 2))
    raw = np.stack([6 + 2.5 * z[:, 0], 2 + 0.3 * z[:, 0] + 0.4 * z[:, 1]], axis=1)
    fitted = data.fit_normalizer(raw)
    scaled = np.asarray(data.normalize(fitted, raw))
    figure, axes = panels(3, height=2.6)
    names = ("raw", "centered", "divided by the deviation")
    for axis, name, points in zip(axes, names, (raw, raw - raw.mean(axis=0), scaled), strict=True):
        axis.scatter(*points.T, s=9, color=COLORS[0])
        axis.axhline(0, color="0.5", linewidth=0.8)
        axis.axvline(0, color="0.5", linewidth=0.8)
        axis.set(
            title=name, xlim=(-7, 14), ylim=(-3.5, 4.5), xlabel="feature 1", ylabel="feature 2"
        )
    return figure


def activations() -> Figure:
    """PIC-06: sigmoid, tanh and ReLU, and below them their slopes."""
    z = jnp.linspace(-4, 4, 201)
    figure, (values, slopes) = panels(2, height=2.8)
    for number, (name, f) in enumerate(
        (("sigmoid", nn.sigmoid), ("tanh", nn.tanh), ("ReLU", nn.relu))
    ):
        look = marked(number) | {"marker": ""}
        values.plot(z, f(z), label=name, **look)
        slopes.plot(z, jax.vmap(jax.grad(f))(z), label=name, **look)
    values.set(ylabel="value", ylim=(-1.2, 2.5))
    slopes.set(ylabel="slope", xlabel="z")
    values.legend()
    return figure


def minima() -> Figure:
    """PIC-07: a loss with two minima and a convex one."""
    w = np.linspace(-1.7, 1.7, 300)
    figure, (two, one) = panels(2, height=2.6)
    loss = (w**2 - 1) ** 2 + 0.3 * w
    two.plot(w, loss, color=COLORS[0])
    for low, name in ((w < 0, "global minimum"), (w > 0, "local minimum")):
        at = np.flatnonzero(low)[loss[low].argmin()]
        two.plot(w[at], loss[at], "o", color=COLORS[1])
        two.annotate(name, (w[at], loss[at]), (0, 14), textcoords="offset points", ha="center")
    one.plot(w, w**2, color=COLORS[0])
    one.plot(0, 0, "o", color=COLORS[1])
    one.annotate("the only minimum", (0, 0), (0, 14), textcoords="offset points", ha="center")
    two.set(title="not convex", ylabel="loss", ylim=(-0.5, 2))
    one.set(title="convex", ylabel="loss", xlabel="w", ylim=(-0.5, 3))
    return figure


def difference() -> Figure:
    """PIC-09: the slope of a loss at one weight, and the difference quotient in its place."""
    value = np.polynomial.Polynomial([0, -1, 0, 1])
    w, at, step = np.linspace(0.3, 1.7, 200), 0.8, 0.5
    slope = value.deriv()(at)
    quotient = (value(at + step) - value(at)) / step
    figure, (axis,) = panels(1)
    axis.plot(w, value(w), color="0.3", label="loss along one weight")
    axis.plot(w, value(at) + slope * (w - at), "--", color=COLORS[0], label=f"slope {slope:.2f}")
    axis.plot(
        w, value(at) + quotient * (w - at), "-.", color=COLORS[1], label=f"quotient {quotient:.2f}"
    )
    axis.plot([at, at + step], [value(at), value(at + step)], "o", color=COLORS[1])
    axis.annotate("", (at, -0.75), (at + step, -0.75), arrowprops={"arrowstyle": "<->"})
    axis.text(at + step / 2, -0.7, "step", ha="center", va="bottom")
    axis.set(xlabel="weight; all others stay", ylabel="loss", ylim=(-0.9, 2.2))
    axis.legend(loc="upper left")
    return figure


def decays() -> Figure:
    """PIC-18: four schedules from one first rate."""
    figure, (axis,) = panels(1)
    steps = np.arange(101)
    rates = {
        "inverse time, rate 0.05": schedules.inverse_time(0.1, 0.05),
        "exponential, 0.95": schedules.exponential(0.1, 0.95),
        "inverse root": schedules.inverse_sqrt(0.1),
        "linear to 0.001 in 60": schedules.linear(0.1, 0.001, steps=60),
    }
    for number, (name, schedule) in enumerate(rates.items()):
        look = marked(number) | {"marker": ""}
        axis.plot(steps, [float(schedule(step)) for step in steps], label=name, **look)
    axis.set(xlabel="epoch", ylabel="learning rate", ylim=(0, None))
    axis.legend()
    return figure


def batch_norm() -> Figure:
    """PIC-21: what goes into batch normalization and what comes out, for two units."""
    draws = np.random.default_rng(0).normal([4.0, -2.0], [0.6, 3.0], size=(2000, 2))
    z = jnp.asarray(draws, jnp.float32)
    layer = nn.batch_norm()
    params, state = layer.init(jax.random.key(0), (2,))
    after, _ = layer.apply(params, state, z, training=True)
    figure, axes = panels(2, height=2.6)
    for axis, name, values in zip(axes, ("before", "after"), (z, after), strict=True):
        for unit, color in enumerate(COLORS[:2]):
            look = {"color": color, "alpha": 0.55, "histtype": "stepfilled"}
            bins = np.linspace(-12, 7, 96)
            axis.hist(
                np.asarray(values[:, unit]), bins, density=True, label=f"unit {unit + 1}", **look
            )
        axis.set(title=name, ylabel="density")
    axes[0].legend()
    axes[1].set_xlabel("value")
    return figure


def nearly_linear() -> Figure:
    """PIC-26: tanh, with the part marked where it is within 5 % of a line."""
    z = np.linspace(-3, 3, 301)
    figure, (axis,) = panels(1)
    axis.plot(z, np.tanh(z), color=COLORS[0], label="tanh")
    axis.plot(z, z, "--", color=COLORS[1], label="the line z")
    edge = z[(z > 0) & (np.tanh(z) > 0.95 * z)].max()
    axis.axvspan(-edge, edge, color=COLORS[4], alpha=0.25, label=f"within 5 %: |z| < {edge:.1f}")
    axis.set(xlabel="z", ylabel="activation", ylim=(-1.5, 1.5))
    axis.legend(loc="upper left")
    return figure


PICTURES: dict[str, Callable[[], Figure]] = {
    "PIC-02": clouds,
    "PIC-05": diagrams.network_and_graph,
    "PIC-06": activations,
    "PIC-07": minima,
    "PIC-09": difference,
    "PIC-18": decays,
    "PIC-21": batch_norm,
    "PIC-23": diagrams.recipe,
    "PIC-24": diagrams.dropped,
    "PIC-26": nearly_linear,
}

if __name__ == "__main__":
    for name, paint in PICTURES.items():
        save_svg(paint(), FOLDER / f"{name}.svg")
