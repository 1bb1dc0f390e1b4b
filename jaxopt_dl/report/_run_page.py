"""The plain data that a page is drawn from, checked when it is put together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from jaxopt_dl._core.errors import check_integer, check_number, fail

from ._pictures import is_image

_WHO = "RunPage"


class Example(NamedTuple):
    """One example the model got wrong.

    Attributes:
      inputs: an image `(h, w)`, `(h, w, 1)` or `(h, w, 3)`; any other shape is drawn as a
        vector of features.
      true: index of the true class.
      predicted: index of the class the model chose.
      probability: what the model gave to `predicted`, in [0, 1].

    Examples:
      >>> Example(np.zeros((8, 8)), true=3, predicted=5, probability=0.98).predicted
      5
    """

    inputs: np.ndarray
    true: int
    predicted: int
    probability: float


@dataclass(frozen=True, eq=False, kw_only=True)
class RunPage:
    """Everything one page says about one training run; plain data, no training engine needed.

    Attributes:
      name: the run's name; any text, it is escaped wherever it appears.
      created: when the run was made, as text.
      command: the exact command that repeats the run.
      outcome: why the run ended, one or two sentences.
      history: one mapping per epoch with `epoch` (from 1, increasing) and any of `step`,
        `seconds`, `learning_rate`, `train_<metric>`, `dev_<metric>`. None means that a number
        was not measured; NaN and infinity are shown as gaps.
      best_epoch: the epoch whose parameters were kept, or None where there is none.
      monitored: the column that chose it, such as `"dev_accuracy"`.
      summary: `(label, text)` pairs in the order of the table.
      config: the configuration, nested as deep as it likes.
      versions: package -> version.
      seed: the integer the run's keys grew from.
      units: metric -> unit for the axes, such as `{"loss": "nats"}`.
      class_names: one name per class; empty for a regression.
      confusion: `(k, k)` counts, rows the true class and columns the predicted one, or None.
      worst: wrongly classified examples, the worst first.
      augmented: rows of images of one shape, the first of a row as it is in the training set, the
        others as augmentation changed it.
      evaluated_on: the split `confusion` and `worst` come from.

    Raises:
      TypeError: if a count, an epoch or a number of the history is not a number.
      ValueError: if epochs do not increase, `best_epoch` or `monitored` are not in the history,
        or the classification evidence does not fit `class_names`.

    Examples:
      >>> page = RunPage(
      ...     name="first", created="today", command="train", outcome="All epochs were run.",
      ...     history=[{"epoch": 1, "train_loss": 0.5}], best_epoch=1, monitored="train_loss",
      ...     summary=[], config={}, versions={}, seed=0,
      ... )
      >>> len(page.history)
      1
    """

    name: str
    created: str
    command: str
    outcome: str
    history: Sequence[Mapping[str, Any]]
    best_epoch: int | None
    monitored: str
    summary: Sequence[tuple[str, str]]
    config: Mapping[str, Any]
    versions: Mapping[str, str]
    seed: int
    units: Mapping[str, str] = field(default_factory=dict)
    class_names: Sequence[str] = ()
    confusion: np.ndarray | None = None
    worst: Sequence[Example] = ()
    augmented: Sequence[Sequence[np.ndarray]] = ()
    evaluated_on: str = "test"

    def __post_init__(self):
        _check_history(self)
        if self.confusion is not None:
            _check_confusion(self.confusion, len(self.class_names))
        for example in self.worst:
            _check_example(example, len(self.class_names))
        _check_augmented(self.augmented)


def _check_history(page: RunPage) -> None:
    last = 0
    for row in page.history:
        check_integer(_WHO, "history[...]['epoch']", row.get("epoch"), low=1)
        if row["epoch"] <= last:
            came = f"got {row['epoch']} after {last}"
            fail(_WHO, "epochs in `history` must increase", came, "Pass one row per epoch.")
        last = row["epoch"]
        for column, value in row.items():
            _check_entry(column, value)
    epochs = [row["epoch"] for row in page.history]
    if page.best_epoch is not None and page.best_epoch not in epochs:
        came = f"got {page.best_epoch!r}"
        fail(_WHO, "`best_epoch` must be an epoch of `history`", came, "Pass None without one.")
    if epochs and not any(page.monitored in row for row in page.history):
        columns = ", ".join(sorted({column for row in page.history for column in row}))
        rule = "`monitored` must be a column of `history`"
        fail(_WHO, rule, f"got {page.monitored!r}", f"Choose from: {columns}.")


def _check_entry(column: str, value: Any) -> None:
    if value is None:
        return
    if isinstance(value, bool | str | bytes) or np.ndim(value) != 0:
        rule = f"`history[...][{column!r}]` must be one number or None"
        fail(_WHO, rule, f"got {value!r}", "Convert it with float().", kind=TypeError)


def _check_confusion(confusion: Any, classes: int) -> None:
    array = np.asarray(confusion)
    if classes < 2 or array.shape != (classes, classes):
        rule = "`confusion` must have shape (k, k) for k >= 2 `class_names`"
        came = f"got {array.shape} for {classes} names"
        fail(_WHO, rule, came, "Pass one name per class.")
    if not np.issubdtype(array.dtype, np.integer):
        came = f"got dtype {array.dtype}"
        fail(_WHO, "`confusion` must hold integers", came, "Pass counts.", kind=TypeError)
    if array.min() < 0:
        fail(_WHO, "`confusion` must hold counts", f"got {array.min()}", "Pass 0 or more.")


def _check_augmented(rows: Sequence[Sequence[np.ndarray]]) -> None:
    shapes = {np.shape(image) for row in rows for image in row}
    lengths = {len(row) for row in rows}
    if len(shapes) > 1 or len(lengths) > 1 or not all(is_image(np.zeros(s)) for s in shapes):
        rule = "`augmented` must hold rows of equal length of images of one shape"
        came = f"got shapes {sorted(shapes)} in rows of {sorted(lengths)}"
        fail(_WHO, rule, came, "Images are (h, w), (h, w, 1) or (h, w, 3).")


def _check_example(example: Example, classes: int) -> None:
    for role, index in (("true", example.true), ("predicted", example.predicted)):
        check_integer(_WHO, f"worst[...].{role}", index, low=0)
        if index >= classes:
            rule = f"`worst[...].{role}` must be below the number of `class_names`, {classes}"
            fail(_WHO, rule, f"got {index}", "Pass the index of a class.")
    check_number(_WHO, "worst[...].probability", example.probability, low=0, high=1)
    if np.size(example.inputs) == 0:
        came = f"got shape {np.shape(example.inputs)}"
        fail(_WHO, "`worst[...].inputs` must not be empty", came, "Pass the model's input.")
