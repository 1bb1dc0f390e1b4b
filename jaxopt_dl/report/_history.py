"""The history of a run as columns, as a table and as a CSV file inside a link."""

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

import numpy as np

from ._text import cell, words

ROWS_SHOWN = 200
History = Sequence[Mapping[str, Any]]


class Series(NamedTuple):
    """One column over the epochs in which it was measured.

    Attributes:
      name: what the line is called, such as `"train"`.
      epochs: `(n,)` integers.
      values: `(n,)` float64; NaN wherever the number was not finite.
    """

    name: str
    epochs: np.ndarray
    values: np.ndarray

    @property
    def lost(self) -> list[int]:
        """The epochs whose number was not finite."""
        return self.epochs[np.isnan(self.values)].tolist()

    @property
    def finite(self) -> np.ndarray:
        """The finite values."""
        return self.values[~np.isnan(self.values)]

    def at(self, epoch: int) -> float | None:
        """The value of one epoch, None where it was not measured."""
        found = self.values[self.epochs == epoch]
        return float(found[0]) if found.size else None


def series(history: History, column: str, name: str) -> Series | None:
    """Return a column as a `Series`, or None if it was never measured."""
    pairs = [(row["epoch"], float(row[column])) for row in history if row.get(column) is not None]
    if not pairs:
        return None
    epochs, values = (np.array(part) for part in zip(*pairs, strict=True))
    return Series(name, epochs, np.where(np.isfinite(values), values, np.nan))


def metrics(history: History) -> list[str]:
    """List the metrics that have a `train_` or `dev_` column, the loss first."""
    names = {
        column.partition("_")[2]: None
        for column in columns(history)
        if column.startswith(("train_", "dev_"))
    }
    return sorted(names, key=lambda name: name != "loss")


def columns(history: History) -> list[str]:
    """List every column in the order of first appearance."""
    return list(dict.fromkeys(column for row in history for column in row))


def table(history: History, best: int | None) -> list[list[str]]:
    """Return the rows of the table as text; a long history is thinned, best and last kept."""
    stride = max(1, math.ceil(len(history) / ROWS_SHOWN))
    last = len(history) - 1
    names = columns(history)
    return [
        [cell(row.get(name)) for name in names]
        for index, row in enumerate(history)
        if index % stride == 0 or index == last or row["epoch"] == best
    ]


class Milestones(NamedTuple):
    """The epochs that matter side by side: a title for each, and `(column, texts)` rows."""

    titles: list[str]
    rows: list[tuple[str, list[str]]]


def milestones(history: History, best: int | None) -> Milestones:
    """Compare the first, the best and the last epoch, each once."""
    first, last = history[0]["epoch"], history[-1]["epoch"]
    titles = {first: f"epoch {first}", last: f"last, {last}"}
    if best is not None:
        titles[best] = f"best, {best}" if best != last else f"best and last, {best}"
    shown = [row for row in history if row["epoch"] in titles]
    return Milestones(
        [titles[row["epoch"]] for row in shown],
        [
            (words(name), [cell(row.get(name)) for row in shown])
            for name in columns(history)
            if name != "epoch"
        ],
    )


def csv_link(history: History) -> str:
    """Return the whole history as a `data:` address of a CSV file, numbers unrounded."""
    names = columns(history)
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([_exact(row.get(name) for name in names) for row in history])
    return "data:text/csv;charset=utf-8," + quote(buffer.getvalue(), safe=",", errors="replace")


def _exact(values: Iterable[Any]) -> list[str]:
    return ["" if value is None else str(np.asarray(value).item()) for value in values]
