"""Learning curves and the learning rate: which there are, and what they say in words."""

from collections.abc import Sequence
from typing import NamedTuple

from ._figures import curves
from ._history import Series, metrics, series
from ._run_page import RunPage
from ._text import CROSS, capital, elide, number, ranges, words


class Plot(NamedTuple):
    """One drawing of the page.

    Attributes:
      title: its heading.
      svg: the drawing, safe markup.
      caption: the numbers that matter, as text.
    """

    title: str
    svg: str
    caption: str


def learning_curves(page: RunPage) -> list[Plot]:
    """Draw every metric over the epochs, then the learning rate where it is known."""
    plots = []
    for index, metric in enumerate(metrics(page.history)):
        found = [series(page.history, f"{split}_{metric}", split) for split in ("train", "dev")]
        lines = [line for line in found if line is not None]
        if lines:
            plots.append(_plot(page, lines, metric, f"curve{index}-"))
    rate = series(page.history, "learning_rate", "learning rate")
    if rate is not None:
        plots.append(_plot(page, [rate], "learning_rate", "rate-"))
    return plots


def _plot(page: RunPage, lines: Sequence[Series], metric: str, prefix: str) -> Plot:
    unit = page.units.get(metric)
    label = words(metric) + (f" ({unit})" if unit else "")
    last = page.history[-1]["epoch"]
    caption = _caption(lines, page.best_epoch, last)
    svg = curves(
        lines,
        label,
        best=page.best_epoch,
        last=last,
        prefix=prefix,
        description=f"Line chart of {elide(label, 60)} over {_epochs(last)}. {caption}",
    )
    return Plot(capital(elide(words(metric), 60)), svg, caption)


def _caption(lines: Sequence[Series], best: int | None, last: int) -> str:
    sentences = [_values(lines, lines[0].epochs[0], "Epoch")]
    if best is not None and best != last:
        sentences.append(_values(lines, best, "Best epoch"))
    if last > 1:
        sentences.append(
            _values(lines, last, "Last and best epoch" if best == last else "Last epoch")
        )
    sentences += [_gaps(line) for line in lines if line.lost]
    return " ".join(sentences)


def _gaps(line: Series) -> str:
    epochs = "epoch" if len(line.lost) == 1 else "epochs"
    return (
        f"{capital(line.name)} is not finite in {epochs} {ranges(line.lost)}: "
        f"a gap, marked {CROSS}."
    )


def _values(lines: Sequence[Series], epoch: int, what: str) -> str:
    values = ", ".join(f"{line.name} {number(line.at(int(epoch)))}" for line in lines)
    return f"{what} {epoch}: {values}."


def _epochs(count: int) -> str:
    return "1 epoch" if count == 1 else f"{count} epochs"
