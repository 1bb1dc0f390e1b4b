"""A configuration in, a trained network and its figures out; nothing is printed or written."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxopt_dl import data, train
from jaxopt_dl._core.types import Key, PyTree

from ._augment import Augmenting, build_augmenting
from ._build import build_objective, build_optimizer
from ._config import Config
from ._data import Prepared, prepare, streams
from ._limits import refuse

Progress = Any
"""What `fit(progress=...)` takes."""


@dataclasses.dataclass(frozen=True, eq=False)
class Job:
    """A training that has been checked and can start.

    Attributes:
      config: what was asked for.
      prepared: the data.
      objective: network, loss and penalty.
      params: initial parameters.
      state: initial model state.
      augmenting: what changes the training set, or None.
      key: the stream of the training.
    """

    config: Config
    prepared: Prepared
    objective: train.Supervised
    params: PyTree
    state: PyTree
    augmenting: Augmenting | None
    key: Key

    @property
    def monitored(self) -> str:
        """The column of the history that chooses the best epoch."""
        return f"dev_{self.config.training.monitor}"


def make_job(config: Config) -> Job:
    """Load the data and build the network.

    Raises:
      Refusal: naming the key of the configuration that is to blame.
    """
    split_key, init_key, fit_key = streams(config.seed)
    prepared = prepare(config.data, split_key)
    _check_training(config, prepared)
    x = prepared.parts["train"]["x"]
    objective = build_objective(
        config.model,
        config.penalty,
        x.ndim - 1,
        prepared.outputs,
        prepared.classes is not None,
        len(x),
    )
    params, state = jax.jit(objective.layer.init, static_argnums=1)(init_key, x.shape[1:])
    augmenting = build_augmenting(config.augment, prepared)
    return Job(config, prepared, objective, params, state, augmenting, fit_key)


def run_job(
    job: Job, *, progress: Progress = None, should_stop: Callable[[], bool] = lambda: False
) -> train.FitResult:
    """Train; the result says how it ended."""
    training = job.config.training
    stopping = train.early_stopping(
        patience=training.patience or None,
        monitor=training.monitor,
        maximize=training.monitor == "accuracy",
    )
    return train.fit(
        job.objective,
        job.params,
        job.state,
        build_optimizer(job.config),
        job.augmenting.rows if job.augmenting else job.prepared.parts["train"],
        key=job.key,
        epochs=training.epochs,
        batch_size=training.batch_size,
        dev=job.prepared.parts["dev"],
        augment=job.augmenting.steps if job.augmenting else None,
        stopping=stopping,
        progress=progress,
        should_stop=should_stop,
    )


def kept(result: train.FitResult) -> tuple[PyTree, PyTree]:
    """Return the parameters and state of the best epoch, the newest ones before there is one."""
    return result.best if result.best_epoch else result.last


def predictions(job: Job, kept: tuple[PyTree, PyTree]) -> dict[str, np.ndarray]:
    """Return part -> logits, or predictions in the units of the targets, `(rows, outputs)`."""
    parts = job.prepared.parts
    # All parts in one call, so that one program is compiled.
    x = np.concatenate([batch["x"] for batch in parts.values()])
    outputs = train.predict(job.objective.layer.apply, *kept, jnp.asarray(x))
    if "y" in job.prepared.normalizers:
        outputs = data.denormalize(job.prepared.normalizers["y"], outputs)
    ends = np.cumsum([len(batch["x"]) for batch in parts.values()])
    return dict(zip(parts, np.split(np.asarray(outputs), ends[:-1]), strict=True))


def _check_training(config: Config, prepared: Prepared) -> None:
    rows = len(prepared.parts["train"]["x"])
    size = config.training.batch_size
    if size > rows:
        rule = f"must not exceed the {rows} examples of the training set"
        refuse("training.batch_size", rule, size, f"Choose {rows} or less.")
    if config.training.monitor == "accuracy" and prepared.classes is None:
        rule = "must be loss for a regression"
        refuse("training.monitor", rule, "accuracy", "Choose loss, or store y as integers.")
