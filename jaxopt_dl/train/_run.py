"""The host's side of a training: call the compiled program in chunks until the run ends."""

import dataclasses
import functools
import time
from collections.abc import Callable, Sequence

import jax
import numpy as np

from jaxopt_dl._core.trees import all_finite
from jaxopt_dl._core.types import Batch, Outcome, PyTree
from jaxopt_dl.data import Augmentation

from ._clipping import CLIPPING
from ._engine import Report, advance, probe_names
from ._history import History, Row, Table, shortest
from ._hooks import Hook, Moment
from ._parallel import anyone, slowest
from ._plan import Plan
from ._probing import rows_of
from ._progress import Progress
from ._source import Source
from ._state import RunState, TrainState
from ._supply import Supply

SECONDS_PER_CALL = 0.25
"""How long one call of the program should take: short enough for progress and Ctrl-C."""


@dataclasses.dataclass(frozen=True)
class FitResult:
    """What a training returns, whatever ended it.

    Attributes:
      best: `(params, state)` at the best dev evaluation; without a dev set the same as `last`.
      last: `(params, state)` after the last step; after a non-finite loss the last finite ones.
      best_epoch: the epoch of `best`, counted from 1; 0 if no epoch was finished.
      history: one row per finished epoch.
      probes: one row per measurement of the probes, `step` being the updates done before it.
      outcome: why the run ended.
      steps: updates done.
      compile_seconds: time spent tracing and compiling.
      run_seconds: time spent training.
      run: the whole state of the run at its end.

    Examples:
      >>> FitResult.__dataclass_fields__["best"].name
      'best'
    """

    best: tuple[PyTree, PyTree]
    last: tuple[PyTree, PyTree]
    best_epoch: int
    history: History
    probes: Table
    outcome: Outcome
    steps: int
    compile_seconds: float
    run_seconds: float
    run: RunState = dataclasses.field(repr=False)


def drive(
    plan: Plan,
    run: RunState,
    supply: Supply,
    dev: Batch | None,
    augment: Augmentation | None,
    total_steps: int,
    probe_every: int,
    progress: Progress,
    hooks: Sequence[Hook],
    should_stop: Callable[[], bool],
) -> FitResult:
    """Train to `total_steps`, a stop, a non-finite loss or an interruption."""
    source, _ = supply.at(0)
    steps_per_epoch = source.steps_per_epoch(plan)
    before, after, report = run, run, None
    names = probe_names(plan, run, source, augment)
    rows: dict[int, Row] = {}
    probed: dict[int, Row] = {}

    def train_to(source: Source, run: RunState, stop_at: int) -> tuple[RunState, Report]:
        return advance(plan, run, source, dev, augment, np.int32(stop_at), np.int32(probe_every))

    def keep(run: RunState, report: Report) -> tuple[list[Row], list[Row]]:
        new, measured = _rows(run, report, steps_per_epoch), rows_of(report.probed, names)
        rows.update({row["epoch"]: row for row in new})
        probed.update({row["step"]: row for row in measured})
        return new, measured

    outcome, compile_seconds, started = None, 0.0, time.perf_counter()
    try:
        progress.compiling()
        # A call that may do no step only compiles; and only if no earlier run did.
        jax.block_until_ready(train_to(source, run, 0))
        compile_seconds = time.perf_counter() - started
        progress.compiled(compile_seconds)
        budget = min(10, steps_per_epoch)
        while (outcome := _outcome(run, total_steps, should_stop)) is None:
            called = time.perf_counter()
            step = int(run.train.step)
            source, until = supply.at(step)
            after, report = train_to(source, run, min(step + budget, total_steps, until))
            jax.block_until_ready(after)
            budget = _next_budget(budget, slowest(time.perf_counter() - called))
            new, measured = keep(run, report)
            before, run = run, after
            progress.advanced(int(run.train.step), new)
            for hook in hooks:
                hook(Moment(int(run.train.step), new, measured, run, None))
    except KeyboardInterrupt:
        outcome = Outcome.INTERRUPTED
        if report is not None and after is not run:
            # The call in flight ends by itself in a fraction of a second; keep its work.
            keep(run, report)
            before, run = run, after
    run_seconds = time.perf_counter() - started - compile_seconds
    if not run.finite:
        outcome = Outcome.NON_FINITE
        replay = functools.partial(train_to, source, before)
        run = run._replace(train=_last_finite(replay, before, int(run.train.step)))
    progress.finished(outcome)
    for hook in hooks:
        hook(Moment(int(run.train.step), [], [], run, outcome))
    last = (run.train.params, run.train.model_state)
    return FitResult(
        best=last if dev is None and not plan.averaged else run.best,
        last=last,
        best_epoch=max(rows, default=0) if dev is None else int(run.stopping.best_epoch),
        history=History(list(rows.values())),
        probes=Table(list(probed.values())),
        outcome=outcome,
        steps=int(run.train.step),
        compile_seconds=compile_seconds,
        run_seconds=run_seconds,
        run=run,
    )


def _outcome(run: RunState, total_steps: int, should_stop: Callable[[], bool]) -> Outcome | None:
    if not run.finite:
        return Outcome.NON_FINITE
    if int(run.train.step) >= total_steps:
        return Outcome.COMPLETED
    if int(run.stopping.waited) >= int(run.stopping.patience):
        return Outcome.STOPPED_EARLY
    return Outcome.INTERRUPTED if anyone(should_stop()) else None


def _next_budget(budget: int, seconds: float) -> int:
    """Return how many steps the next call may do; grows carefully, as steps may be slow."""
    wanted = budget * SECONDS_PER_CALL / max(seconds, 1e-6)
    return max(1, int(min(wanted, 8 * budget, 1e9)))


def _rows(run: RunState, report: Report, steps_per_epoch: int) -> list[Row]:
    """Return the history rows of a call that started from `run`."""
    columns, count = jax.device_get((report.rows, report.count))
    finished = int(run.train.step) // steps_per_epoch
    rows = []
    for index in range(int(count)):
        epoch = finished + index + 1
        row: Row = {"epoch": epoch, "step": epoch * steps_per_epoch}
        row |= {name: shortest(columns[name][index]) for name in sorted(columns, key=_place)}
        rows.append({**row, "learning_rate": row.get("learning_rate")})
    return rows


def _place(column: str) -> tuple[bool, bool, bool, bool, str]:
    """Order columns: training before dev, the loss before the rest, then clipping and the rate."""
    return (
        column == "learning_rate",
        column in CLIPPING,
        column.startswith("dev_"),
        not column.endswith("_loss") or column.endswith("_data_loss"),
        column,
    )


def _last_finite(
    replay: Callable[[int], tuple[RunState, Report]], before: RunState, bad_step: int
) -> TrainState:
    """Replay a call to the last state before the bad step whose parameters are finite.

    Replaying costs nothing while all is well, and repeats the same numbers exactly.
    """
    low, high, best = int(before.train.step), bad_step - 1, before.train
    while low <= high:
        middle = high if best is before.train and high == bad_step - 1 else (low + high + 1) // 2
        train = replay(middle)[0].train
        if all_finite((train.params, train.model_state)):
            best, low = train, middle + 1
        else:
            high = middle - 1
    return best
