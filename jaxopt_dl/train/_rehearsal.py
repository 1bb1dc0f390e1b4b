"""Before the real training: does everything run, and can the model learn at all?"""

import itertools
from typing import Any, NamedTuple

from jaxopt_dl._core.errors import check_integer
from jaxopt_dl._core.types import Batch, Key, Objective, Outcome, PyTree

from ._evaluate import evaluate
from ._fit import fit
from ._run import FitResult
from ._stream import Stream, first_batch
from ._validate import check_arrays


class DryRun(NamedTuple):
    """What a few steps of a training say about it.

    Attributes:
      finite: whether the losses were.
      steps: updates done.
      metrics: name -> value after them, on the dev set; empty without one.
      compile_seconds: time spent tracing and compiling; 0 if it had been done before.
      seconds_per_step: time per update.

    Examples:
      >>> DryRun(True, 10, {"loss": 2.3}, 1.5, 0.002).seconds_per_step * 10_000
      20.0
    """

    finite: bool
    steps: int
    metrics: dict[str, float]
    compile_seconds: float
    seconds_per_step: float


def dry_run(
    objective: Objective,
    params: PyTree,
    state: PyTree,
    optimizer: Any,
    data: Batch | Stream,
    *,
    dev: Batch | None = None,
    batch_size: int,
    **options: Any,
) -> DryRun:
    """Do at most ten steps and an evaluation of a training, and keep nothing of it.

    All is checked and compiled as for the real one, which then compiles nothing if it is called
    with the same arguments: a mistake shows after seconds instead of hours.

    Args:
      objective: as in `fit`.
      params: as in `fit`.
      state: as in `fit`.
      optimizer: as in `fit`.
      data: as in `fit`.
      dev: as in `fit`.
      batch_size: as in `fit`.
      **options: the other arguments of `fit`; hooks are not called.

    Returns:
      A `DryRun`.

    Raises:
      TypeError: as `fit`.
      ValueError: as `fit`.

    Examples:
      >>> import jax, numpy as np
      >>> from jaxopt_dl import losses, nn, optim
      >>> from jaxopt_dl.train import supervised
      >>> x = np.ones((64, 1), np.float32)
      >>> layer = nn.dense(1)
      >>> params, state = layer.init(jax.random.key(0), (1,))
      >>> found = dry_run(
      ...     supervised(layer, losses.squared_error), params, state, optim.sgd(0.5),
      ...     {"x": x, "y": 3 * x}, key=jax.random.key(1), epochs=1000, batch_size=16,
      ... )
      >>> found.finite, found.steps
      (True, 4)
    """
    calls = itertools.count()
    quiet = dict(progress=None, hooks=(), should_stop=lambda: next(calls) > 0)
    rest = {"dev": dev, "batch_size": batch_size, **options, **quiet}
    result = fit(objective, params, state, optimizer, data, **rest)
    metrics = {}
    if dev is not None:
        metrics = evaluate(objective, *result.last, dev, batch_size=batch_size)
    finite = result.outcome is not Outcome.NON_FINITE
    each = result.run_seconds / max(result.steps, 1)
    return DryRun(finite, result.steps, metrics, result.compile_seconds, each)


def overfit_one_batch(
    objective: Objective,
    params: PyTree,
    state: PyTree,
    optimizer: Any,
    data: Batch | Stream,
    *,
    key: Key,
    batch_size: int = 32,
    steps: int = 300,
) -> FitResult:
    """Train on the first rows of the data alone, again and again.

    A model that can learn anything knows a few rows by heart soon: the loss goes to its least
    value, near 0 for plain cross-entropy and squared error. If it does not, something is wrong
    that more data will not cure: the loss, the labels, the rate, a layer that cuts the gradient.
    Try it without penalty, dropout and augmentation, which work against it.

    Args:
      objective: as in `fit`.
      params: as in `fit`.
      state: as in `fit`.
      optimizer: as in `fit`.
      data: as in `fit`.
      key: a PRNG key.
      batch_size: how many rows, at most; at least 1.
      steps: updates, at least 1.

    Returns:
      A `FitResult`; every row of its history is one update.

    Raises:
      TypeError: as `fit`.
      ValueError: as `fit`.

    Examples:
      >>> import jax, numpy as np
      >>> from jaxopt_dl import losses, nn, optim
      >>> from jaxopt_dl.train import supervised
      >>> x = np.random.default_rng(0).normal(size=(64, 1)).astype(np.float32)
      >>> layer = nn.dense(1)
      >>> params, state = layer.init(jax.random.key(0), (1,))
      >>> result = overfit_one_batch(
      ...     supervised(layer, losses.squared_error), params, state, optim.sgd(0.5),
      ...     {"x": x, "y": 3 * x}, key=jax.random.key(1), batch_size=8,
      ... )
      >>> bool(result.history["train_loss"][-1] < 1e-6)
      True
    """
    check_integer("overfit_one_batch", "batch_size", batch_size, low=1)
    check_integer("overfit_one_batch", "steps", steps, low=1)
    whole = first_batch(data) if isinstance(data, Stream) else check_arrays("fit", "data", data)
    rows = {name: values[:batch_size] for name, values in whole.items()}
    size = len(next(iter(rows.values())))
    return fit(
        objective,
        params,
        state,
        optimizer,
        rows,
        key=key,
        epochs=steps,
        batch_size=size,
        order="given",
        progress=None,
    )
