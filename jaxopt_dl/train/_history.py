"""What a run recorded, epoch by epoch, as plain numbers."""

import json
import os
import pathlib
from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np

Row: TypeAlias = dict[str, Any]


class Table:
    """Rows of plain numbers under one set of names, such as what the probes of a run found.

    Examples:
      >>> table = Table([{"step": 0, "gradient_norm": 2.0}, {"step": 50, "gradient_norm": 0.5}])
      >>> table["gradient_norm"]
      array([2. , 0.5])
    """

    def __init__(self, rows: list[Row] | tuple[Row, ...] = ()):
        self._rows = tuple(dict(row) for row in rows)

    @property
    def rows(self) -> tuple[Row, ...]:
        """The rows, oldest first."""
        return self._rows

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(self._rows[0]) if self._rows else ()

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows)

    def __getitem__(self, column: str) -> np.ndarray:
        """Return one column as float64; None becomes NaN."""
        if self._rows and column not in self._rows[0]:
            raise KeyError(
                f"{type(self).__name__}: no column {column!r}; it has {', '.join(self.columns)}."
            )
        return np.array([np.nan if row[column] is None else row[column] for row in self._rows])

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)} rows: {', '.join(self.columns)})"

    def write_jsonl(self, path: str | os.PathLike[str]) -> None:
        """Write one JSON object per line; NaN and infinities as JSON's usual extension."""
        text = "".join(json.dumps(row) + "\n" for row in self._rows)
        pathlib.Path(path).write_text(text, encoding="utf-8")


class History(Table):
    """One row per finished epoch; equal runs have equal histories.

    Every row has `epoch` (from 1), `step` (updates so far), `train_loss`, the objective's
    metrics as `train_<name>`, with a dev set `dev_loss` and `dev_<name>`, and `learning_rate`
    (the rate the epoch's last update applied; None where the optimizer does not tell).
    A chain that begins with `optim.clip_by_global_norm` adds `gradient_norm`, before clipping,
    and `clipped_fraction`, the share of updates that were shortened.
    Training metrics are means over the epoch while the parameters moved; dev metrics are
    exact, at its end.

    Examples:
      >>> history = History([{"epoch": 1, "train_loss": 0.5}, {"epoch": 2, "train_loss": 0.25}])
      >>> history["train_loss"]
      array([0.5 , 0.25])
      >>> len(history), history.columns
      (2, ('epoch', 'train_loss'))
    """

    def __repr__(self) -> str:
        return f"History({len(self)} epochs: {', '.join(self.columns)})"


def shortest(value: np.floating | np.ndarray) -> float:
    """Return the float whose decimal form is the shortest that is this float32.

    So 0.1 reads 0.1 and not 0.10000000149011612; converted back it is the same float32.
    """
    return float(str(value))
