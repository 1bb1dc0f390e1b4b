"""What the host may do while a training runs: functions called between calls of the program."""

from collections.abc import Callable
from typing import NamedTuple

from jaxopt_dl._core.types import Outcome

from ._history import Row
from ._state import RunState


class Moment(NamedTuple):
    """A training between two calls of its program.

    Attributes:
      step: updates done.
      rows: rows of the history that are new.
      probes: measurements of the probes that are new.
      run: the state of the run, on the device; reading it waits for nothing.
      outcome: why the run ended, in the last call; before that None.

    Examples:
      >>> Moment(34, [{"epoch": 2, "train_loss": 0.5}], [], None, None).step
      34
    """

    step: int
    rows: list[Row]
    probes: list[Row]
    run: RunState
    outcome: Outcome | None


Hook = Callable[[Moment], None]
