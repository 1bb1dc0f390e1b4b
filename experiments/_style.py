"""How the pictures look: readable on a phone, by the color-blind, and without pyplot's state."""

import io
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito: distinct under every common form of color blindness."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
LINES = ("-", "--", "-.", ":")
SETTINGS: Any = {
    "font.size": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "svg.fonttype": "none",
    "svg.hashsalt": "jaxopt_dl",
}


def panels(count: int = 1, *, height: float = 3.6) -> tuple[Figure, list[Axes]]:
    """Return a figure with panels below each other, as wide as a column of text.

    Args:
      count: of panels.
      height: of each, in inches.
    """
    with mpl.rc_context(SETTINGS):
        figure = Figure(figsize=(6.4, height * count), layout="constrained")
        axes = figure.subplots(count, 1, squeeze=False)[:, 0]
    return figure, list(axes)


def marked(number: int) -> dict:
    """Return color, marker and line style of the series with this number."""
    return {
        "color": COLORS[number % len(COLORS)],
        "marker": MARKERS[number % len(MARKERS)],
        "linestyle": LINES[number % len(LINES)],
        "markersize": 4,
    }


def save_svg(figure: Figure, file: Path) -> None:
    """Write a figure as SVG, the same bytes for the same figure."""
    text = io.StringIO()
    with mpl.rc_context(SETTINGS):
        figure.savefig(text, format="svg", metadata={"Date": None})
    lines = (line.rstrip() for line in text.getvalue().splitlines())
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
