"""The learning curves in a history: training and dev metrics side by side, and their picture."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from jaxopt_dl._core.errors import fail, require

WHO = "learning_curve"
SPLITS = ("train", "dev")


class LearningCurve(NamedTuple):
    """Metrics over the epochs; all arrays are `(n,)` float64.

    Attributes:
      epochs: the epochs, as the history counts them.
      train: metric -> its values on the training set, means over an epoch while parameters moved.
      dev: metric -> its values on the dev set at the end of each epoch.

    Examples:
      >>> learning_curve([{"epoch": 1, "train_loss": 0.5, "dev_loss": 0.6}]).dev["loss"]
      array([0.6])
    """

    epochs: np.ndarray
    train: dict[str, np.ndarray]
    dev: dict[str, np.ndarray]

    def figure(self) -> Any:
        """Return a `matplotlib.figure.Figure` with one panel per metric.

        Raises:
          ModuleNotFoundError: if matplotlib is not installed.
        """
        require(WHO, "matplotlib", "app")
        from matplotlib.figure import Figure

        metrics = list(dict.fromkeys([*self.train, *self.dev]))
        picture = Figure(figsize=(5 * len(metrics), 4), layout="constrained")
        panels = picture.subplots(1, len(metrics), squeeze=False)[0]
        for axes, metric in zip(panels, metrics, strict=True):
            for values, split, look in zip(self[1:], SPLITS, ("--", "-"), strict=True):
                if metric in values:
                    axes.plot(self.epochs, values[metric], look, label=split)
            axes.set(xlabel="epoch", ylabel=metric.replace("_", " "))
            axes.legend()
            axes.grid(alpha=0.3)
        return picture


def learning_curve(history: Iterable[Mapping[str, Any]]) -> LearningCurve:
    """Collect the learning curves of a run: what to look at first when it does not learn.

    Training below dev and drifting apart is variance (`bias_variance`), both high is bias, ups
    and downs are a learning rate (`lr_verdict`) or batches that are too small.

    Args:
      history: one mapping per epoch with `epoch` and any of `train_<metric>` and `dev_<metric>`,
        such as the `history` of `train.fit`; None means not measured and becomes NaN.

    Returns:
      A `LearningCurve`. The learning rate and other columns are left out.

    Raises:
      ValueError: if there are no epochs or no metrics, or epochs have different columns.

    Examples:
      >>> curve = learning_curve([
      ...     {"epoch": 1, "train_loss": 1.2, "dev_loss": 1.3, "dev_error_rate": 0.4},
      ...     {"epoch": 2, "train_loss": 0.7, "dev_loss": 0.9, "dev_error_rate": 0.3},
      ... ])
      >>> curve.train["loss"], sorted(curve.dev)
      (array([1.2, 0.7]), ['error_rate', 'loss'])
    """
    rows = list(history)
    if not rows:
        fail(WHO, "`history` must hold at least one epoch", "got none", "Train first.")
    if any(set(row) != set(rows[0]) for row in rows) or "epoch" not in rows[0]:
        rule = "every epoch must have the same columns, `epoch` among them"
        fail(WHO, rule, f"the first has {', '.join(rows[0])}", "Use None for what is missing.")
    train, dev = (_metrics(rows, f"{split}_") for split in SPLITS)
    if not train and not dev:
        rule = "`history` must hold columns such as `train_loss`"
        fail(WHO, rule, f"got {', '.join(rows[0])}", "Rename them.")
    return LearningCurve(_column(rows, "epoch"), train, dev)


def _metrics(rows: list[Mapping[str, Any]], split: str) -> dict[str, np.ndarray]:
    columns = [column for column in rows[0] if column.startswith(split)]
    return {column.removeprefix(split): _column(rows, column) for column in columns}


def _column(rows: list[Mapping[str, Any]], column: str) -> np.ndarray:
    return np.array([np.nan if row[column] is None else row[column] for row in rows], np.float64)
