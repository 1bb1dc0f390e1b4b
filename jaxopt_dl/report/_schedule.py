"""A schedule as a picture, before a training."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from jaxopt_dl._core.errors import check_callable, check_integer, fail, require
from jaxopt_dl._core.types import Array

POINTS = 1000
"""Most places at which a schedule is drawn."""


def plot_schedule(
    schedule: Callable[[Any], Array],
    *,
    steps: int,
    steps_per_epoch: int | None = None,
    label: str = "learning rate",
) -> Any:
    """Draw what a schedule is going to do, before the training.

    Args:
      schedule: `count -> value`; the first update sees 0.
      steps: updates in the run, at least 1.
      steps_per_epoch: updates in one pass over the data; with it the axis counts epochs.
      label: what the values are.

    Returns:
      A `matplotlib.figure.Figure`; save it by `figure.savefig("rate.svg")`, or let a notebook
      show it.

    Raises:
      ModuleNotFoundError: without matplotlib, the extra `app`.
      TypeError: if the schedule is not a function.
      ValueError: if a length is below 1, or the schedule returns no number.

    Examples:
      >>> from jaxopt_dl import schedules
      >>> rate = schedules.warmup(schedules.cosine(0.01, steps=900), steps=100)
      >>> figure = plot_schedule(rate, steps=1000, steps_per_epoch=50)
      >>> figure.axes[0].get_xlabel()
      'epoch'
    """
    who = "plot_schedule"
    check_callable(who, "schedule", schedule)
    check_integer(who, "steps", steps, low=1)
    if steps_per_epoch is not None:
        check_integer(who, "steps_per_epoch", steps_per_epoch, low=1)
    counts = np.unique(np.linspace(0, steps - 1, min(steps, POINTS)).round().astype(np.int32))
    values = np.asarray(jax.lax.map(schedule, counts))
    if values.shape != counts.shape:
        came = f"got shape {values.shape[1:]}"
        fail(who, "`schedule` must return one number", came, "Return a scalar.")
    figure = require(who, "matplotlib.figure", "app").Figure(figsize=(5, 3), layout="constrained")
    axes = figure.add_subplot()
    # What an update sees holds until the next one.
    axes.step(counts / (steps_per_epoch or 1), values, where="post")
    axes.set_xlabel("epoch" if steps_per_epoch else "update")
    axes.set_ylabel(label)
    axes.grid(alpha=0.3)
    return figure
