"""Pictures made of circles, boxes and arrows: networks, a graph, a flow chart."""

import itertools
from collections.abc import Collection, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch

from experiments._style import COLORS, panels

LAYERS = (3, 4, 4, 1)
APART = 2.2


def network_and_graph() -> Figure:
    """PIC-05: a network of three layers; its values going forward, its gradients coming back."""
    figure, (net, graph) = panels(2, height=2.7)
    _canvas(net, (-0.6, 7.2), (-2.2, 2.0))
    _network(net, LAYERS)
    net.set_title("a network of three layers")
    _canvas(graph, (-0.6, 8.1), (-1.5, 1.5))
    for place, name in enumerate(("x", "z1", "a1", "z2", "a2", "z3", "a3", "L")):
        graph.add_patch(Circle((place, 0), 0.3, facecolor="white", edgecolor="0.2", zorder=2))
        graph.text(place, 0, name, ha="center", va="center", zorder=3)
        if place:
            _arrow(graph, (place - 0.75, 0.28), (place - 0.25, 0.28), COLORS[0], bend=-0.5)
            _arrow(graph, (place - 0.25, -0.28), (place - 0.75, -0.28), COLORS[1], bend=-0.5)
    graph.text(3.5, 0.75, "values", color=COLORS[0], ha="center")
    graph.text(3.5, -0.95, "gradients: dz3, then dz2, then dz1", color=COLORS[1], ha="center")
    graph.set_title("its graph, forward and back")
    return figure


def dropped() -> Figure:
    """PIC-24: one of the networks that dropout trains; dropped units have no connections."""
    figure, (axis,) = panels(1, height=2.9)
    _canvas(axis, (-0.6, 7.2), (-2.2, 2.0))
    _network(axis, LAYERS, gone={(0, 1), (1, 0), (1, 2), (2, 3)})
    axis.set_title("one mask: crossed units are zero in this step")
    return figure


def recipe() -> Figure:
    """PIC-23: what to do about bias, then about variance."""
    figure, (axis,) = panels(1, height=3.9)
    _canvas(axis, (0.2, 10.1), (-0.6, 6.3))
    _box(axis, (2.3, 5.3), "high bias?\n(training error)", COLORS[5])
    _box(axis, (2.3, 2.7), "high variance?\n(dev error)", COLORS[5])
    _box(axis, (2.3, 0.4), "done", COLORS[2])
    _box(axis, (7.9, 5.3), "larger network,\ntrain longer,\nother architecture", COLORS[4])
    _box(axis, (7.9, 2.7), "more data,\nregularize", COLORS[4])
    for height in (5.3, 2.7):
        _arrow(axis, (4.2, height), (6.0, height), "0.3", text="yes")
    _arrow(axis, (2.3, 4.5), (2.3, 3.5), "0.3", text="no")
    _arrow(axis, (2.3, 1.9), (2.3, 1.1), "0.3", text="no")
    for height in (4.8, 3.2):
        _arrow(axis, (6.0, height), (4.2, 4.8), "0.6", style="--")
    return figure


def _canvas(axis: Axes, across: tuple[float, float], up: tuple[float, float]) -> None:
    axis.set(xlim=across, ylim=up, aspect="equal")
    axis.set_axis_off()


def _network(axis: Axes, sizes: Sequence[int], *, gone: Collection[tuple[int, int]] = ()) -> None:
    """Draw layers of units side by side; those that are `gone`, (layer, unit), are crossed out."""
    places = [
        {(layer, unit): (APART * layer, unit - (size - 1) / 2) for unit in range(size)}
        for layer, size in enumerate(sizes)
    ]
    for layer, units in enumerate(places):
        axis.text(APART * layer, -2.15, f"layer {layer}" if layer else "input", ha="center")
        for unit, (x, y) in units.items():
            face = "white" if unit in gone else COLORS[5]
            axis.add_patch(Circle((x, y), 0.28, facecolor=face, edgecolor="0.2", zorder=2))
            if unit in gone:
                axis.plot(x, y, "x", color=COLORS[1], markersize=11, zorder=3)
    for before, after in itertools.pairwise(places):
        for start, end in itertools.product(before, after):
            if start not in gone and end not in gone:
                line = zip(before[start], after[end], strict=True)
                axis.plot(*line, color="0.6", linewidth=0.9, zorder=1)


def _box(axis: Axes, center: tuple[float, float], text: str, color: str) -> None:
    x, y = center
    look = {"facecolor": color, "alpha": 0.35, "edgecolor": "0.3"}
    shape = FancyBboxPatch((x - 1.8, y - 0.65), 3.6, 1.3, boxstyle="round,pad=0.1", **look)
    axis.add_patch(shape)
    axis.text(x, y, text, ha="center", va="center")


def _arrow(
    axis: Axes,
    start: tuple[float, float],
    end: tuple[float, float],
    color: str,
    *,
    bend: float = 0.0,
    text: str = "",
    style: str = "-",
) -> None:
    look = {"arrowstyle": "->", "mutation_scale": 13, "color": color, "linestyle": style}
    axis.add_patch(FancyArrowPatch(start, end, connectionstyle=f"arc3,rad={bend}", **look))
    if text:
        x, y = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
        axis.text(x + 0.12, y + 0.12, text)
