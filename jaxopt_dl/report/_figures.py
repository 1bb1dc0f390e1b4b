"""The drawings: numbers over epochs, the confusion matrix, a vector of features."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ._history import Series
from ._svg import FIRST, INK, QUIET, SECOND, draw
from ._text import elide

CURVE_SIZE = (360, 245)
NAMED_CLASSES = 25
NUMBERED_CLASSES = 16
_BLUE, _ORANGE = (0 / 255, 114 / 255, 178 / 255), (213 / 255, 94 / 255, 0 / 255)
# Text over a cell keeps its contrast in both color schemes up to this opacity.
_DENSEST, _FAINTEST = 0.7, 0.12


def curves(
    lines: Sequence[Series],
    label: str,
    *,
    best: int | None,
    last: int,
    prefix: str,
    description: str,
) -> str:
    """Draw one or two lines over the epochs, with the best epoch and the end marked."""

    def paint(figure: Any) -> None:
        axes = figure.add_subplot()
        _scale(axes, lines, label)
        for line, look in zip(lines, _looks(lines), strict=True):
            _line(axes, line, look)
        _epoch_axis(axes, lines, last)
        _mark_epochs(axes, best, last)
        _dot(axes, lines[-1], best)
        if len(lines) > 1:
            axes.legend(
                loc="lower left", bbox_to_anchor=(-0.02, 1.07), ncols=2, frameon=False,
                handlelength=1.6, columnspacing=1.4, borderaxespad=0.0, borderpad=0.2,
            )  # fmt: skip

    return draw(paint, size=CURVE_SIZE, prefix=prefix, description=description)


def _looks(lines: Sequence[Series]) -> list[tuple[str, str]]:
    """Color and dashes of each line: told apart without color, too."""
    looks = {"train": (FIRST, (0, (5, 1.6))), "dev": (SECOND, "solid")}
    return [looks.get(line.name, (FIRST, "solid")) for line in lines]


def _scale(axes: Any, lines: Sequence[Series], label: str) -> None:
    values = np.concatenate([line.finite for line in lines])
    logarithmic = values.size > 0 and values.min() > 0 and values.max() > 20 * values.min()
    axes.set_ylabel(f"{elide(label, 28)}, log scale" if logarithmic else elide(label, 36))
    if logarithmic:
        _log_axis(axes, values.max() / values.min())
    if values.size == 0:
        axes.set_yticks([])
        axes.text(0.5, 0.5, "no finite value", transform=axes.transAxes, ha="center")
    axes.grid(axis="y")
    axes.tick_params(which="both", length=0)


def _log_axis(axes: Any, ratio: float) -> None:
    """A logarithmic axis with plain numbers; powers of ten alone when there are many."""
    steps = (1, 2, 5) if ratio < 300 else (1,)
    axes.set_yscale("log", subs=[])
    axes.yaxis.get_major_locator().set_params(subs=steps, numticks=9)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")


def _line(axes: Any, line: Series, look: tuple[str, Any]) -> None:
    color, dashes = look
    few = len(line.values) <= 20 or line.lost
    axes.plot(
        line.epochs, line.values, color=color, linestyle=dashes, label=line.name,
        marker="o" if few else "", markersize=6 if len(line.values) == 1 else 2.6,
    )  # fmt: skip
    if line.lost:
        level = 0.03 if line.name != "train" else 0.08
        axes.plot(
            line.lost, [level] * len(line.lost), "x", color=color, markersize=5,
            transform=axes.get_xaxis_transform(),
        )  # fmt: skip


def _epoch_axis(axes: Any, lines: Sequence[Series], last: int) -> None:
    first = min(int(line.epochs[0]) for line in lines)
    margin = max(0.5, 0.025 * (last - first))
    axes.set_xlim(first - margin, last + margin)
    axes.set_xlabel("epoch")
    if first == last:
        axes.set_xticks([last])
    else:
        axes.xaxis.get_major_locator().set_params(integer=True, nbins=7)


def _mark_epochs(axes: Any, best: int | None, last: int) -> None:
    if best == last:
        _mark(axes, last, f"best and last: epoch {last}", 1.015, (0, (2, 2)), INK)
        return
    _mark(axes, last, f"end: epoch {last}", 1.09, "solid", QUIET)
    if best is not None:
        _mark(axes, best, f"best: epoch {best}", 1.015, (0, (2, 2)), INK)


def _mark(axes: Any, epoch: int, text: str, height: float, dashes: Any, color: str) -> None:
    low, high = axes.get_xlim()
    place = (epoch - low) / (high - low)
    side = "left" if place < 0.25 else "right" if place > 0.75 else "center"
    across = axes.get_xaxis_transform()
    axes.axvline(epoch, color=color, linestyle=dashes, linewidth=1)
    axes.text(epoch, height, text, transform=across, ha=side, color=color)


def _dot(axes: Any, line: Series, best: int | None) -> None:
    value = None if best is None else line.at(best)
    if value is not None:
        axes.plot([best], [value], "o", color=INK, markersize=5, zorder=3)


def confusion_matrix(
    counts: np.ndarray, names: Sequence[str], *, prefix: str, description: str
) -> str:
    """Draw counts `(k, k)`, rows true and columns predicted; numbers where they can be read."""
    classes = len(names)

    def paint(figure: Any) -> None:
        axes = figure.add_subplot()
        axes.imshow(_cells(counts), interpolation="none")
        axes.set_xlabel("predicted class")
        axes.set_ylabel("true class")
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        _class_ticks(axes, names)
        if classes <= NUMBERED_CLASSES:
            _write_counts(axes, counts)

    return draw(paint, size=(360, 352), prefix=prefix, description=description)


def _cells(counts: np.ndarray) -> np.ndarray:
    """Blue: share of the true class that is right. Orange: relative to the largest confusion."""
    right = np.eye(len(counts), dtype=bool)
    totals = np.maximum(counts.sum(axis=1, keepdims=True), 1)
    largest = max(counts[~right].max(), 1)
    share = np.where(right, counts / totals, counts / largest)
    opacity = np.where(counts > 0, np.maximum(_DENSEST * share, _FAINTEST), 0.02)
    colors = np.where(right[..., None], np.array(_BLUE), np.array(_ORANGE))
    return np.concatenate([colors, opacity[..., None]], axis=-1)


def _class_ticks(axes: Any, names: Sequence[str]) -> None:
    if len(names) > NAMED_CLASSES:
        step = 5 * -(-len(names) // 50)
        axes.set_xticks(range(0, len(names), step))
        axes.set_yticks(range(0, len(names), step))
        return
    short = [elide(name, 12) for name in names]
    size = 10.5 if len(names) <= NUMBERED_CLASSES else 8.5
    upright = max(len(name) for name in short) * len(names) <= 40
    turn = {} if upright else {"rotation": 90, "rotation_mode": "anchor", "ha": "right"}
    axes.set_xticks(range(len(names)), short, fontsize=size, **turn)
    axes.set_yticks(range(len(names)), short, fontsize=size)
    if not upright:
        for tick in axes.get_xticklabels():
            tick.set_verticalalignment("center")


def _write_counts(axes: Any, counts: np.ndarray) -> None:
    digits = len(str(counts.max()))
    size = min(11.5, 240 / len(counts) / max(digits, 2) / 0.7)
    for row, column in np.argwhere(counts > 0):
        bold = "bold" if row == column else "normal"
        text = str(counts[row, column])
        axes.text(
            column, row, text, ha="center", va="center_baseline", fontsize=size, fontweight=bold
        )


def features(
    values: np.ndarray, limits: tuple[float, float], *, prefix: str, description: str
) -> str:
    """Draw one `(n,)` vector as a profile; `limits` are shared, so that vectors compare."""
    stride = max(1, len(values) // 200)
    places = np.arange(0, len(values), stride)

    def paint(figure: Any) -> None:
        axes = figure.add_subplot()
        axes.fill_between(places, values[::stride], step="mid", color=FIRST, alpha=0.25, lw=0)
        axes.step(places, values[::stride], where="mid", color=FIRST, linewidth=1.4)
        axes.axhline(0, color=QUIET, linewidth=0.6)
        axes.set_ylim(*limits)
        axes.set_xlim(-0.5, max(len(values) - 0.5, 0.5))
        axes.xaxis.get_major_locator().set_params(integer=True, nbins=3)
        axes.yaxis.get_major_locator().set_params(nbins=3)
        axes.set_xlabel("feature")
        axes.set_ylabel("value")
        axes.tick_params(length=0)

    return draw(paint, size=(140, 120), prefix=prefix, description=description)
