"""The compiled program of a training: any number of steps, evaluations and epochs in one call.

Structure is static (`Plan`); everything else, the data and every number included, is an
argument. So one compilation serves a whole run, and the next run with other numbers.
"""

import functools
from collections import OrderedDict
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxopt_dl import data as data_tools
from jaxopt_dl import optim
from jaxopt_dl._core import keys
from jaxopt_dl._core.trees import all_finite
from jaxopt_dl._core.types import Array, Batch, Probe, ProbeInput, PyTree

from ._clipping import CLIPPING, clipping
from ._evaluate import add_to_sums, evaluate_all, means
from ._parallel import keep_replicated, split_rows
from ._plan import Plan
from ._probing import Probed, empty, has_room, measure, record
from ._source import Source
from ._state import RunState, StepInfo, TrainState
from ._step import update_once
from ._stopping import EarlyStopping

ROWS_PER_CALL = 64
"""Most epochs one call of the program can report; longer calls just return earlier."""


class Report(NamedTuple):
    """What one call of the program tells the host.

    Attributes:
      rows: column -> values of the epochs that ended, `(ROWS_PER_CALL,)`.
      count: how many of them are filled.
      probed: what the probes found, or None where there are none.
    """

    rows: dict[str, Array]
    count: Array
    probed: Probed | None


@functools.partial(jax.jit, static_argnums=0)
def advance(
    plan: Plan,
    run: RunState,
    source: Source,
    dev: Batch | None,
    augment: data_tools.Augmentation | None,
    stop_at: Array,
    probe_every: Array,
) -> tuple[RunState, Report]:
    """Train until step `stop_at`, a stop, a non-finite loss, or a full report.

    How a run is cut into calls changes nothing about its numbers.
    """
    columns = _columns(run, dev)
    report = Report(
        {name: jnp.full((ROWS_PER_CALL,), jnp.nan, float) for name in columns},
        jnp.zeros((), jnp.int32),
        empty(probe_names(plan, run, source, augment)),
    )

    def unfinished(carry: tuple[RunState, Report]) -> Array:
        run, report = carry
        going = run.finite & ~run.stopping.stopped & (run.train.step < stop_at)
        return going & (report.count < ROWS_PER_CALL) & has_room(report.probed)

    def advance_epoch(carry: tuple[RunState, Report]) -> tuple[RunState, Report]:
        run, report = carry
        before = run.train.step
        run, learning_rate, probed = _run_steps(
            plan, run, report.probed, source, augment, stop_at, probe_every
        )
        report = report._replace(probed=None)  # large, and not needed below
        steps = source.steps_per_epoch(plan)
        ended = run.finite & (run.train.step % steps == 0) & (run.train.step > before)
        run, report = jax.lax.cond(
            ended,
            lambda: _end_epoch(plan, run, report, dev, steps, learning_rate),
            lambda: (run, report),
        )
        return run, report._replace(probed=probed)

    return keep_replicated(plan.mesh, jax.lax.while_loop(unfinished, advance_epoch, (run, report)))


def _run_steps(
    plan: Plan,
    run: RunState,
    probed: Probed | None,
    source: Source,
    augment: data_tools.Augmentation | None,
    stop_at: Array,
    probe_every: Array,
) -> tuple[RunState, Array | None, Probed | None]:
    """Train to the end of the epoch or to `stop_at`, whichever comes first."""
    steps = source.steps_per_epoch(plan)
    epoch = run.train.step // steps
    stop_at = jnp.minimum(stop_at, (epoch + 1) * steps)
    batch_at = source.epoch(plan, keys.at(run.order, epoch))

    def one(carry: tuple, *, probes: tuple[Probe, ...] = ()) -> tuple:
        train, sums, _, _, probed = carry
        batch = split_rows(plan.mesh, batch_at(train.step % steps))
        if augment is not None:
            batch = augment(keys.at(run.augment, train.step), batch)
        after, info, seen = _update(plan, train, batch)
        if probes:
            probed = record(probes, probed, train.step, seen)
        clipped = clipping(plan.update, train.opt_state, seen.gradients)
        sums = add_to_sums(sums, {"loss": info.loss, **info.metrics, **clipped}, info.weight)
        return after, sums, jnp.isfinite(info.loss), _as_float(info.learning_rate), probed

    def going(carry: tuple) -> Array:
        train, _, finite, _, probed = carry
        return finite & (train.step < stop_at) & has_room(probed)

    def due(carry: tuple) -> Array:
        return carry[0].step % probe_every == 0

    def stretch(carry: tuple) -> tuple:
        probing = functools.partial(one, probes=plan.probes)
        carry = jax.lax.while_loop(lambda carry: going(carry) & due(carry), probing, carry)
        return jax.lax.while_loop(lambda carry: going(carry) & ~due(carry), one, carry)

    # Only what a step changes is carried: the compiler copies and analyzes the rest needlessly.
    # With probes there are two loops and no branch, so that other steps stay as they are.
    start = (run.train, run.sums, run.finite, _next_learning_rate(run), probed)
    steps_of = stretch if plan.probes else one
    train, sums, finite, rate, probed = jax.lax.while_loop(going, steps_of, start)
    return run._replace(train=train, sums=sums, finite=finite), rate, probed


def probe_names(
    plan: Plan, run: RunState, source: Source, augment: data_tools.Augmentation | None
) -> tuple[str, ...]:
    """Return what the probes of a plan measure, in order, by tracing one step.

    Raises:
      TypeError: if a probe does not return a dict.
      ValueError: if a value is no scalar, or two probes use one name.
    """
    # Of a compiled function, so that a second run remembers the trace.
    return tuple(_look.eval_shape(plan, run, source, augment)) if plan.probes else ()


@functools.partial(jax.jit, static_argnums=0)
def _look(
    plan: Plan, run: RunState, source: Source, augment: data_tools.Augmentation | None
) -> OrderedDict[str, Array]:
    batch = source.epoch(plan, run.order)(jnp.zeros((), jnp.int32))
    if augment is not None:
        batch = augment(run.augment, batch)
    seen = _update(plan, run.train, batch)[2]
    return OrderedDict(measure(plan.probes, seen))  # a plain dict would come back sorted


def _update(plan: Plan, train: TrainState, batch: Batch) -> tuple[TrainState, StepInfo, ProbeInput]:
    return update_once(
        plan.objective, plan.update, plan.takes_value, train, batch, accumulate=plan.accumulate
    )


def _end_epoch(
    plan: Plan,
    run: RunState,
    report: Report,
    dev: Batch | None,
    steps: int,
    learning_rate: Array | None,
) -> tuple[RunState, Report]:
    """Evaluate dev, remember the best parameters, write one row of the report."""
    train = run.train
    # A loss is finite once more when only the last update went wrong.
    run = run._replace(finite=all_finite((train.params, train.model_state)))
    row = {_column(name): value for name, value in means(run.sums).items()}
    kept = _evaluated(plan, train)
    if learning_rate is not None:
        row["learning_rate"] = learning_rate
    if dev is None:
        run = run._replace(best=(kept, train.model_state))
    else:
        measured = evaluate_all(
            plan.objective, kept, train.model_state, dev, plan.batch_size, plan.mesh
        )
        row |= {f"dev_{name}": value for name, value in measured.items()}
        run = _judge(plan, run, kept, measured, train.step // steps)
    if plan.has_plateau:
        watched = row["train_loss" if dev is None else "dev_loss"]
        opt_state = optim.with_evaluation(run.train.opt_state, watched)
        run = run._replace(train=run.train._replace(opt_state=opt_state))
    rows = {
        name: report.rows[name].at[report.count].set(_as_float(value))
        for name, value in row.items()
    }
    sums = jax.tree.map(jnp.zeros_like, run.sums)
    return run._replace(sums=sums), report._replace(rows=rows, count=report.count + 1)


def _evaluated(plan: Plan, train: TrainState) -> PyTree:
    """Return the parameters that are evaluated and kept: the newest, or their average."""
    if not plan.averaged:
        return train.params
    average = optim.averaged_params(train.opt_state)
    return jax.tree.map(lambda mean, leaf: mean.astype(leaf.dtype), average, train.params)


def _judge(
    plan: Plan, run: RunState, kept: PyTree, measured: dict[str, Array], epoch: Array
) -> RunState:
    """Update the stopping rule and the best parameters by the monitored dev metric."""
    rule = EarlyStopping(plan.monitor, plan.maximize, 0, 0.0)
    finite = run.finite & jnp.isfinite(measured["loss"])
    value = jnp.where(finite, measured[plan.monitor], jnp.nan)
    stopping = rule.update(run.stopping, value, epoch)
    improved = stopping.best_epoch == epoch
    current = (kept, run.train.model_state)
    best = jax.lax.cond(improved, lambda: current, lambda: run.best)
    return run._replace(stopping=stopping, best=best, finite=finite)


def _columns(run: RunState, dev: Batch | None) -> list[str]:
    names = [name for name in run.sums if name != "weight"]
    columns = [_column(name) for name in names]
    columns += [] if dev is None else [f"dev_{name}" for name in names if name not in CLIPPING]
    known = _next_learning_rate(run) is not None
    return [*columns, "learning_rate"] if known else columns


def _column(name: str) -> str:
    return name if name in CLIPPING else f"train_{name}"


def _next_learning_rate(run: RunState) -> Array | None:
    return _as_float(optim.applied_learning_rate(run.train.opt_state))


def _as_float(value: Array | None) -> Array | None:
    return None if value is None else value.astype(jnp.zeros((), float).dtype)
