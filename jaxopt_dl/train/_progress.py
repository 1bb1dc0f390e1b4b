"""What a person sees while a training runs: a bar on a terminal, plain lines elsewhere."""

import importlib.util
import sys
import time
from typing import Any, Literal, Protocol

from jaxopt_dl._core.errors import fail, require
from jaxopt_dl._core.types import Outcome

from ._history import Row

LINES_PER_RUN = 12


class Progress(Protocol):
    """What `fit` tells while it runs; write these methods for a display of your own.

    Examples:
      >>> class Dots:
      ...     def compiling(self): pass
      ...     def compiled(self, seconds): pass
      ...     def advanced(self, step, rows): print("." * len(rows), end="")
      ...     def finished(self, outcome): print(outcome.name)
      >>> dots: Progress = Dots()
    """

    def compiling(self) -> None:
        """Called before the wait for the compiler."""
        ...

    def compiled(self, seconds: float) -> None:
        """Called when the program is ready."""
        ...

    def advanced(self, step: int, rows: list[Row]) -> None:
        """Called several times a second; `rows` are the epochs finished since the last call."""
        ...

    def finished(self, outcome: Outcome) -> None:
        """Called when the run has ended, with why; not after an error."""
        ...


class Silent:
    """Shows nothing."""

    def compiling(self) -> None: ...
    def compiled(self, seconds: float) -> None: ...
    def advanced(self, step: int, rows: list[Row]) -> None: ...
    def finished(self, outcome: Outcome) -> None: ...


class Lines:
    """Prints about a dozen lines per run, and one at least every ten seconds."""

    def __init__(self, epochs: int, steps_per_epoch: int):
        self._epochs, self._steps_per_epoch = epochs, steps_per_epoch
        self._every = max(1, epochs // LINES_PER_RUN)
        self._started = self._printed = time.monotonic()
        self._last: Row = {}
        self._shown = True

    def compiling(self) -> None:
        print("compiling ...", flush=True)

    def compiled(self, seconds: float) -> None:
        print(f"compiled in {seconds:.1f} s, training ...", flush=True)
        self._started = self._printed = time.monotonic()

    def advanced(self, step: int, rows: list[Row]) -> None:
        now = time.monotonic()
        left = seconds_left(step, self._epochs * self._steps_per_epoch, now - self._started)
        for row in rows:
            self._last = row
            self._shown = False
            if row["epoch"] in (1, self._epochs) or row["epoch"] % self._every == 0:
                self._print(f"epoch {row['epoch']}/{self._epochs}  {describe(row)}  {left}")
        if now - self._printed > 10:
            self._print(f"step {step}/{self._epochs * self._steps_per_epoch}  {left}")

    def finished(self, outcome: Outcome) -> None:
        if not self._shown:
            self._print(f"epoch {self._last['epoch']}/{self._epochs}  {describe(self._last)}")
        print(outcome.value, flush=True)

    def _print(self, line: str) -> None:
        print(line, flush=True)
        self._printed, self._shown = time.monotonic(), True


class Bar:
    """A bar, and below it the newest numbers, drawn by rich.

    On a line of their own the numbers fit into 80 columns.
    """

    def __init__(self, epochs: int, steps_per_epoch: int):
        rich = require("fit(progress='bar')", "rich.progress", "app")
        console = require("fit(progress='bar')", "rich.console", "app")
        live = require("fit(progress='bar')", "rich.live", "app")
        self._epochs = epochs
        self._bar = rich.Progress(
            rich.TextColumn("[bold]{task.description}"),
            rich.BarColumn(bar_width=30),
            rich.TextColumn("ETA"),
            rich.TimeRemainingColumn(compact=True),
        )
        self._numbers = require("fit(progress='bar')", "rich.text", "app").Text()
        self._live = live.Live(console.Group(self._bar, self._numbers))
        self._task: Any = None
        self._total = epochs * steps_per_epoch

    def compiling(self) -> None:
        self._live.start()
        self._task = self._bar.add_task("compiling ...", total=None)

    def compiled(self, seconds: float) -> None:
        self._live.console.print(f"compiled in {seconds:.1f} s")
        self._bar.remove_task(self._task)
        self._task = self._bar.add_task("training", total=self._total)

    def advanced(self, step: int, rows: list[Row]) -> None:
        self._bar.update(self._task, completed=step)
        if rows:
            epoch = f"epoch {rows[-1]['epoch']}/{self._epochs}"
            self._bar.update(self._task, description=epoch)
            self._numbers.plain = describe(rows[-1])

    def finished(self, outcome: Outcome) -> None:
        self._live.stop()
        print(outcome.value, flush=True)


def choose_progress(
    progress: Literal["auto", "bar", "lines"] | Progress | None, epochs: int, steps_per_epoch: int
) -> Progress:
    """Return the display that `fit(progress=...)` asks for."""
    if progress is None:
        return Silent()
    if progress == "auto":
        rich = importlib.util.find_spec("rich") is not None
        progress = "bar" if sys.stdout.isatty() and rich else "lines"
    if progress == "bar":
        return Bar(epochs, steps_per_epoch)
    if progress == "lines":
        return Lines(epochs, steps_per_epoch)
    if isinstance(progress, str) or not hasattr(progress, "advanced"):
        rule = "`progress` must be 'auto', 'bar', 'lines', None or an object like train.Progress"
        fail("fit", rule, f"got {progress!r}", "Pass None for silence.")
    return progress


def describe(row: Row) -> str:
    """Write the numbers of a row that fit on a line: losses, dev metrics, learning rate."""
    shown = [
        name
        for name in row
        if name == "train_loss" or (name.startswith("dev_") and name not in _PARTS)
    ]
    parts = [f"{name} {row[name]:.4g}" for name in shown]
    if row.get("learning_rate") is not None:
        parts.append(f"learning_rate {row['learning_rate']:.3g}")
    return "  ".join(parts)


def seconds_left(step: int, total: int, elapsed: float) -> str:
    """Write the estimated time to the end, or nothing when there is no telling."""
    if step <= 0 or step >= total:
        return ""
    return f"ETA {elapsed * (total - step) / step:.0f} s"


_PARTS = ("dev_data_loss", "dev_penalty")
