"""Early stopping as a pure rule: it follows one dev metric and remembers the best epoch."""

from typing import NamedTuple

import jax.numpy as jnp

from jaxopt_dl._core.errors import check_choice, check_integer, check_number, fail
from jaxopt_dl._core.types import Array, Number

NEVER = 2**31 - 1


class StoppingState(NamedTuple):
    """What the rule remembers; its numbers are data, so new ones never recompile.

    Attributes:
      best: the best value so far, a scalar; infinite before the first.
      best_epoch: the epoch of that value, counted from 1, a scalar int32; 0 before the first.
      waited: evaluations since then, a scalar int32.
      patience: evaluations without improvement after which to stop, a scalar int32.
      min_delta: how much better counts as better, a scalar.

    Examples:
      >>> int(early_stopping(patience=3).init().patience)
      3
    """

    best: Array
    best_epoch: Array
    waited: Array
    patience: Array
    min_delta: Array

    @property
    def stopped(self) -> Array:
        """Whether patience has run out, a boolean scalar."""
        return self.waited >= self.patience


class EarlyStopping(NamedTuple):
    """A rule made by `early_stopping`: two pure functions, `init` and `update`.

    Attributes:
      monitor: the dev metric it follows.
      maximize: whether larger is better.
      patience: evaluations without improvement after which to stop.
      min_delta: how much better counts as better.

    Examples:
      >>> early_stopping(patience=5, monitor="accuracy", maximize=True).monitor
      'accuracy'
    """

    monitor: str
    maximize: bool
    patience: int
    min_delta: Number

    def init(self) -> StoppingState:
        """Return the state before the first evaluation."""
        worst = -jnp.inf if self.maximize else jnp.inf
        return StoppingState(
            best=jnp.asarray(worst, float),
            best_epoch=jnp.zeros((), jnp.int32),
            waited=jnp.zeros((), jnp.int32),
            patience=jnp.asarray(self.patience, jnp.int32),
            min_delta=jnp.asarray(self.min_delta, float),
        )

    def update(self, state: StoppingState, value: Array, epoch: Array) -> StoppingState:
        """Return the state after one evaluation.

        Args:
          state: the state before.
          value: the monitored metric, a scalar. NaN never counts as an improvement.
          epoch: the epoch just finished, counted from 1.
        """
        value = jnp.asarray(value).astype(state.best.dtype)
        improved = (
            value > state.best + state.min_delta
            if self.maximize
            else value < state.best - state.min_delta
        )
        epoch = jnp.asarray(epoch, jnp.int32)
        return state._replace(
            best=jnp.where(improved, value, state.best),
            best_epoch=jnp.where(improved, epoch, state.best_epoch),
            waited=jnp.where(improved, jnp.zeros_like(state.waited), state.waited + 1),
        )


def early_stopping(
    *,
    patience: int | None,
    min_delta: Number = 0.0,
    monitor: str = "loss",
    maximize: bool = False,
) -> EarlyStopping:
    """Stop a run when a dev metric has not improved for `patience` evaluations.

    The minimum of a dev curve is only known afterwards, so the rule waits, and `fit` returns the
    parameters of the best epoch whatever ended the run.

    Args:
      patience: evaluations without improvement after which to stop, at least 1; None never stops
        and only remembers the best epoch.
      min_delta: an improvement must exceed this, at least 0, in units of the metric.
      monitor: the dev metric to follow, such as `"loss"` or `"accuracy"`.
      maximize: whether larger is better.

    Returns:
      A rule with pure `init() -> state` and `update(state, value, epoch) -> state`.

    Raises:
      TypeError: if a number has the wrong type.
      ValueError: if a number is out of range, or `maximize` is not a bool.

    Examples:
      >>> rule = early_stopping(patience=2)
      >>> state = rule.init()
      >>> for epoch, loss in enumerate([0.5, 0.4, 0.45, 0.42], start=1):
      ...     state = rule.update(state, loss, epoch)
      >>> int(state.best_epoch), bool(state.stopped)
      (2, True)

    References:
      Prechelt, "Early Stopping - But When?", 1998. https://doi.org/10.1007/3-540-49430-8_3
    """
    if patience is not None:
        check_integer("early_stopping", "patience", patience, low=1)
        patience = min(patience, NEVER)
    check_choice("early_stopping", "maximize", maximize, [True, False])
    if not isinstance(monitor, str):
        came = f"got {monitor!r}"
        advice = "Pass for example monitor='loss'."
        fail("early_stopping", "`monitor` must be a name", came, advice, kind=TypeError)
    check_number("early_stopping", "min_delta", min_delta, low=0)
    return EarlyStopping(monitor, maximize, NEVER if patience is None else patience, min_delta)
