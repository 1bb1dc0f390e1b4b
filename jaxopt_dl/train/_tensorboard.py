"""The numbers of a run as files for TensorBoard."""

import os
from typing import Any

from jaxopt_dl._core.errors import require

from ._history import Row
from ._hooks import Moment


def tensorboard(folder: str | os.PathLike[str]) -> "TensorBoard":
    """Write history and probes for TensorBoard while a training runs: `fit(hooks=[...])`.

    Args:
      folder: where the file of this run goes; one folder per run.

    Returns:
      A hook. Columns of the history and of the probes are scalars over steps, under their names.

    Raises:
      ModuleNotFoundError: without the package `tensorboardX`, the extra `tensorboard`.

    Examples:
      >>> import tempfile
      >>> try:
      ...     hook = tensorboard(tempfile.mkdtemp())  # fit(..., hooks=[hook])
      ... except ModuleNotFoundError as error:
      ...     assert "jaxopt_dl[tensorboard]" in str(error)
    """
    writer = require("tensorboard", "tensorboardX", "tensorboard").SummaryWriter(str(folder))
    return TensorBoard(writer)


class TensorBoard:
    """The hook that `tensorboard` makes; `writer` is anything with its `add_scalar`."""

    def __init__(self, writer: Any):
        self._writer = writer

    def __call__(self, moment: Moment) -> None:
        """Write what is new."""
        for row in [*moment.rows, *moment.probes]:
            self._write(row)
        self._writer.flush()
        if moment.outcome is not None:
            self._writer.close()

    def _write(self, row: Row) -> None:
        for name, value in row.items():
            if name not in ("epoch", "step") and value is not None:
                self._writer.add_scalar(name, value, row["step"])
