"""`fit`: check the arguments once, then train."""

from collections.abc import Callable, Sequence
from typing import Literal

import jax
import optax
from jax.sharding import Mesh

from jaxopt_dl import data as data_tools
from jaxopt_dl import optim
from jaxopt_dl._core.errors import check_callable, check_choice, check_integer, check_key, fail
from jaxopt_dl._core.types import Batch, Key, Objective, Probe, PyTree, RunLength

from ._accumulate import check_accumulate
from ._clipping import CLIPPING
from ._hooks import Hook
from ._parallel import data_mesh, is_first_process, replicate
from ._plan import Plan
from ._progress import Progress, choose_progress
from ._run import FitResult, drive
from ._state import begin_run, own
from ._stopping import EarlyStopping, early_stopping
from ._stream import Stream, first_batch
from ._supervised import Supervised
from ._supply import make_supply
from ._validate import as_arrays, check_arrays, check_augment, check_objective


def fit(
    objective: Objective,
    params: PyTree,
    state: PyTree,
    optimizer: optax.GradientTransformation | Callable[[RunLength], optax.GradientTransformation],
    data: Batch | Stream,
    *,
    key: Key,
    epochs: int,
    batch_size: int,
    dev: Batch | None = None,
    augment: Callable[[Key, Batch], Batch] | None = None,
    stopping: EarlyStopping | None = None,
    remainder: Literal["mask", "drop"] | None = None,
    order: Literal["shuffle", "iid", "given"] = "shuffle",
    mesh: Mesh | None = None,
    accumulate: int = 1,
    averaged: bool = False,
    probes: Sequence[Probe] = (),
    probe_every: int = 100,
    progress: Literal["auto", "bar", "lines"] | Progress | None = "auto",
    hooks: Sequence[Hook] = (),
    should_stop: Callable[[], bool] = lambda: False,
) -> FitResult:
    """Train a model: compiled epochs, reshuffled on the device, the best parameters kept.

    The whole run is one compiled program, called in chunks of about a quarter of a second, so
    that progress is seen and Ctrl-C is heard. The data is an argument of the program and the
    numbers of `jaxopt_dl.optim` optimizers are too: a second run with other numbers, another
    key or other epochs compiles nothing. The same arguments give the same numbers, bit for
    bit, on the same machine.

    Args:
      objective: `objective(params, state, batch, *, key, training) -> (loss, Aux)`, such as
        `supervised(layer, loss)` makes.
      params: initial parameters, any pytree of floating-point arrays. Never deleted or changed.
      state: initial model state, any pytree of arrays.
      optimizer: an optax transformation, or a function of one `RunLength` that returns one
        (for schedules counted in epochs or fractions of the run). It is given the loss as
        `value=` if it takes extra arguments; `optim.reduce_on_plateau` instead sees the dev loss
        once per epoch (without a dev set, the epoch's training loss).
      data: name -> array, sharing their first axis; a batch holds rows of each, and `weight`
        and `mask`, each `(batch,)`. An array `weight`, `(rows,)`, weights the rows. Where an
        array is mapped from a file (`np.memmap`), rows are read while they are needed, ahead of
        use, with the same numbers as from memory. Or a `stream` of batches.
      key: a PRNG key; order of examples and model randomness come from it.
      epochs: passes over the data, at least 1.
      batch_size: rows per update, from 1 to the number of rows.
      dev: data for the evaluation at the end of each epoch, as `data`; None for none.
      augment: changes each training batch on the device, `(key, batch) -> batch`, such as
        `data.augment(data.hflip(), data.random_crop(padding=4))`; shapes and dtypes are kept.
        It never sees `dev`, and its numbers are data, as those of an optimizer.
      stopping: a rule from `early_stopping`; needs `dev`. None follows the dev loss and never
        stops early.
      remainder: what happens to the rows that do not fill a batch: `"mask"` pads the last batch
        (rows of padding have weight 0), `"drop"` leaves them out of this epoch. None masks for
        `supervised` objectives and drops for others, which may not know masks.
      order: `"shuffle"` takes every row once per epoch, in a new order each time; `"iid"` draws
        the rows of every batch independently and with replacement, as theory has it; `"given"`
        takes them as they come, the same in every epoch, which is for experiments on order.
      mesh: devices to share the work, a mesh with an axis `"data"` such as
        `jax.make_mesh((jax.device_count(),), ("data",))`, or None for one device. Each device
        holds a copy of parameters and data and computes its share of every batch; statistics are
        those of the whole batch, and the numbers those of one device up to rounding. With several
        processes (`jax.distributed`), every process calls `fit` with the same arguments.
      accumulate: into how many equal parts a batch is cut, computed one after another, where a
        whole one does not fit into memory. The update is that of the whole batch up to rounding,
        but for what looks across rows: batch norm takes the statistics of each part, and updates
        its running ones that often; dropout draws other masks.
      averaged: whether the average of the parameters is evaluated and kept as `best` in place of
        the newest; the optimizer is a chain that ends with `optim.ema_params()`. Model state,
        such as running statistics, is the newest.
      probes: pure functions `seen -> {name: scalar}` that look into a step inside the compiled
        program, such as `telemetry.probe_layers`; `seen` is a `ProbeInput`. Each function
        object is part of the program.
      probe_every: the probes measure the first step and from then on one in so many.
      progress: `"bar"` shows a display on a terminal, `"lines"` prints lines, `"auto"` chooses
        by whether standard output is a terminal, None is silent; or an object with the methods
        of `Progress`.
      hooks: functions called with a `Moment` several times a second, between two calls of the
        program, and once at the end, such as `tensorboard(folder)`. The program waits for them.
        What they raise ends the run.
      should_stop: asked several times a second; True ends the run as Ctrl-C does. A signal
        handler of the caller's own sets what it reads.

    Returns:
      A `FitResult`. A loss that is NaN or infinite ends the run with `Outcome.NON_FINITE`,
      Ctrl-C with `Outcome.INTERRUPTED`; both keep everything reached.

    Raises:
      TypeError: if an argument has the wrong type.
      ValueError: if the data is empty, ragged, not finite, does not fit the model, or is smaller
        than a batch; if labels are out of range; if `stopping` follows an unknown metric.

    Examples:
      >>> import jax, numpy as np
      >>> from jaxopt_dl import losses, nn, optim
      >>> from jaxopt_dl.train import supervised
      >>> x = np.linspace(-1, 1, 64, dtype=np.float32)[:, None]
      >>> layer = nn.dense(1)
      >>> params, state = layer.init(jax.random.key(0), (1,))
      >>> result = fit(
      ...     supervised(layer, losses.squared_error), params, state, optim.sgd(0.5),
      ...     {"x": x, "y": 3 * x}, key=jax.random.key(1), epochs=20, batch_size=16,
      ...     progress=None,
      ... )
      >>> result.outcome.name, round(float(result.last[0]["kernel"][0, 0]), 2)
      ('COMPLETED', 3.0)
    """
    check_key("fit", key)
    check_integer("fit", "epochs", epochs, low=1)
    check_integer("fit", "batch_size", batch_size, low=1)
    check_callable("fit", "should_stop", should_stop)
    for index, hook in enumerate(hooks):
        check_callable("fit", f"hooks[{index}]", hook)
    check_accumulate("fit", accumulate, batch_size)
    check_choice("fit", "averaged", averaged, [True, False])
    check_integer("fit", "probe_every", probe_every, low=1)
    for index, probe in enumerate(probes):
        check_callable("fit", f"probes[{index}]", probe)
    check_choice("fit", "remainder", remainder, ["mask", "drop", None])
    check_choice("fit", "order", order, ["shuffle", "iid", "given"])
    arrays = first_batch(data) if isinstance(data, Stream) else check_arrays("fit", "data", data)
    dev_arrays = None if dev is None else as_arrays("fit", "dev", dev)
    if not isinstance(data, Stream):
        _check_batch_size(batch_size, arrays)
    mesh = data_mesh("fit", mesh, batch_size)
    params, state = own(params), own(state)
    metric_names = _check_model(objective, params, state, arrays, dev_arrays)
    stopping = _choose_stopping(stopping, dev_arrays, metric_names)
    if remainder is None:
        remainder = "mask" if isinstance(objective, Supervised) else "drop"
    drop_last = remainder == "drop"
    augment = check_augment("fit", augment, arrays, batch_size)
    steps_per_epoch = _steps_per_epoch(data, arrays, batch_size, drop_last)
    total_steps = epochs * steps_per_epoch
    optimizer = _build(optimizer, RunLength(total_steps, steps_per_epoch))
    opt_state = optimizer.init(params)
    if averaged:
        optim.averaged_params(opt_state)  # raises where there is none
    has_plateau = _has_plateau(opt_state)
    clips = optim.gradient_limit(optimizer.update, opt_state) is not None
    summed = [*metric_names, *(CLIPPING if clips else ())]
    run = begin_run(params, state, opt_state, stopping.init(), summed, key)
    display = choose_progress(progress if is_first_process() else None, epochs, steps_per_epoch)
    plan = Plan(
        objective,
        optimizer.update,
        # A plateau is watched once per evaluation, not by the loss of every step.
        isinstance(optimizer, optax.GradientTransformationExtraArgs) and not has_plateau,
        has_plateau,
        averaged,
        stopping.monitor,
        stopping.maximize,
        batch_size,
        accumulate,
        drop_last,
        order,
        mesh,
        tuple(probes),
    )
    run, dev_arrays = replicate(mesh, (run, dev_arrays))
    with make_supply(plan, data, arrays, run.order) as supply:
        return drive(
            plan,
            run,
            supply,
            dev_arrays,
            augment,
            total_steps,
            probe_every,
            display,
            hooks,
            should_stop,
        )


def _steps_per_epoch(data: Batch | Stream, arrays: Batch, batch_size: int, drop_last: bool) -> int:
    if isinstance(data, Stream):
        return data.steps_per_epoch
    rows = len(next(iter(arrays.values())))
    return data_tools.num_batches(rows, batch_size, drop_last=drop_last)


def _build(
    optimizer: optax.GradientTransformation | Callable[[RunLength], optax.GradientTransformation],
    length: RunLength,
) -> optax.GradientTransformation:
    if length.steps >= 2**31:
        advice = "Use fewer epochs or larger batches."
        fail("fit", "a run must have fewer than 2**31 steps", f"got {length.steps}", advice)
    module = getattr(optimizer, "__module__", None) or ""
    if callable(optimizer) and module.startswith(("jaxopt_dl.optim", "optax")):
        name = getattr(optimizer, "__name__", "it")
        advice = f"Call it: `{name}(1e-3)`."
        fail("fit", "`optimizer` must be a transformation", f"got the factory {name}", advice)
    built = optimizer(length) if callable(optimizer) else optimizer
    if not isinstance(built, optax.GradientTransformation):
        rule = "`optimizer` must be an optax transformation or a function returning one"
        advice = "Pass for example `optim.adam(1e-3)`."
        fail("fit", rule, f"got {type(built).__name__}", advice, kind=TypeError)
    return built


def _has_plateau(opt_state: PyTree) -> bool:
    is_plateau = lambda node: isinstance(node, optim.PlateauState)  # noqa: E731
    return any(map(is_plateau, jax.tree.leaves(opt_state, is_leaf=is_plateau)))


def _check_batch_size(batch_size: int, data: Batch) -> None:
    rows = len(next(iter(data.values())))
    if batch_size > rows:
        rule = f"`batch_size` must not exceed the {rows} rows of data"
        fail("fit", rule, f"got {batch_size}", f"Pass at most {rows}.")


def _check_model(
    objective: Objective, params: PyTree, state: PyTree, data: Batch, dev: Batch | None
) -> list[str]:
    """Check that model and data fit; return the names of the metrics, `loss` first."""
    metrics = check_objective("fit", objective, params, state, data)
    if dev is not None:
        if dev.keys() - {"weight"} != data.keys() - {"weight"}:
            rule = "`dev` must hold the same arrays as `data`"
            fail("fit", rule, f"got {sorted(dev)} and {sorted(data)}", "Name them alike.")
        check_objective("fit", objective, params, state, dev)
    return ["loss", *metrics]


def _choose_stopping(
    stopping: EarlyStopping | None, dev: Batch | None, metric_names: list[str]
) -> EarlyStopping:
    if stopping is None:
        return early_stopping(patience=None)
    if not isinstance(stopping, EarlyStopping):
        came = f"got {type(stopping).__name__}"
        advice = "Pass `train.early_stopping(patience=...)`."
        fail("fit", "`stopping` must be an EarlyStopping rule", came, advice, kind=TypeError)
    if dev is None:
        fail("fit", "`stopping` needs dev data to follow", "got dev=None", "Pass `dev=`.")
    check_choice("fit", "stopping.monitor", stopping.monitor, metric_names)
    return stopping
