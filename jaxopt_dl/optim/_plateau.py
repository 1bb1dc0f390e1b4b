"""Smaller steps when a watched value has stopped improving."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxopt_dl._core.errors import check_shape, fail
from jaxopt_dl._core.trees import widen
from jaxopt_dl._core.types import Array, Number, PyTree

from ._check import check_params, check_state, check_updates
from ._find import states_of
from ._numbers import check_hyperparam, default_float, evaluate, stored
from ._order import Link, check_order, link

WHO = "reduce_on_plateau"


class PlateauState(NamedTuple):
    """State of `reduce_on_plateau`: the factor in force, and what the rule remembers.

    Attributes:
      count: updates so far, a scalar int32.
      scale: what updates are multiplied by, a scalar; 1 at the start.
      best: the lowest value so far, a scalar; infinite before the first.
      waited: evaluations without improvement, a scalar int32.
      resting: evaluations of the cooldown that are left, a scalar int32.
      hyperparams: the numbers of the rule.

    Examples:
      >>> import jax.numpy as jnp
      >>> state = with_evaluation(reduce_on_plateau().init(jnp.ones(3)), -0.5)
      >>> print(state.best, state.waited, state.scale)
      -0.5 0 1.0
    """

    count: Array
    scale: Array
    best: Array
    waited: Array
    resting: Array
    hyperparams: dict[str, Any]


def reduce_on_plateau(
    *,
    factor: Number = 0.1,
    patience: Number = 10,
    rtol: Number = 1e-4,
    atol: Number = 0.0,
    cooldown: Number = 0,
    min_scale: Number = 0.0,
) -> optax.GradientTransformationExtraArgs:
    """Multiply updates by a scale that falls whenever a value stops improving.

        improved:  value < best - (atol + rtol * |best|)
        scale <- max(scale * factor, min_scale)    after `patience` evaluations without improvement

    Put it after the rule whose step it scales, `chain(adam(1e-3), reduce_on_plateau())`; only for
    `nesterov` before it, where it scales the gradient, since nothing may change an update after
    that. The value is fed once per evaluation, either to the state,
    `opt_state = with_evaluation(opt_state, dev_loss)`, or as optax does,
    `update(updates, opt_state, params, value=dev_loss)`; an update without `value` only scales. A
    value that is NaN or infinite is never an improvement. For a value that should grow, such as an
    accuracy, feed its negative.

    Args:
      factor: of the scale at each reduction, in (0, 1), or a schedule.
      patience: evaluations without improvement before a reduction, at least 1, or a schedule.
      rtol: how much better counts as better, as a share of `|best|`, in [0, 1], or a schedule.
      atol: the same in units of the value, at least 0, or a schedule.
      cooldown: evaluations after a reduction in which none are counted, at least 0, or a schedule.
      min_scale: the scale never falls below, in [0, 1], or a schedule.

    Returns:
      A transformation whose state is a `PlateauState`. `applied_learning_rate` does not include
      the scale; read `scale`.

    Raises:
      TypeError: if a number is not a number, or parameters are not floating-point.
      ValueError: if a number is out of range, `value` is an array, or gradients do not fit the
        parameters.

    Examples:
      >>> import jax.numpy as jnp
      >>> from jaxopt_dl.optim import chain, sgd
      >>> rule, w = chain(sgd(1.0), reduce_on_plateau(factor=0.5, patience=2)), jnp.ones(2)
      >>> state = rule.init(w)
      >>> for dev_loss in (-1.0, -1.2, -1.2, -1.1):  # the third and fourth do not improve
      ...     state = with_evaluation(state, dev_loss)
      >>> print(rule.update(w, state, w)[0])
      [-0.5 -0.5]

    References:
      `optax.contrib.reduce_on_plateau`, whose scales it reproduces for positive values and
      `accumulation_size=1`. There the bar is `(1 - rtol) * best - atol`, which for negative values
      lies *above* the best, so that standing still passes for improvement, and `value` must be
      given at every update.
    """
    numbers = {
        "factor": factor,
        "patience": patience,
        "rtol": rtol,
        "atol": atol,
        "cooldown": cooldown,
        "min_scale": min_scale,
    }
    for name, number in numbers.items():
        check_hyperparam(WHO, name, number)

    def init(params: PyTree) -> PlateauState:
        check_params(WHO, params)
        return PlateauState(
            count=jnp.zeros((), jnp.int32),
            scale=jnp.ones((), default_float()),
            best=jnp.full((), jnp.inf, default_float()),
            waited=jnp.zeros((), jnp.int32),
            resting=jnp.zeros((), jnp.int32),
            hyperparams={name: stored(number) for name, number in numbers.items()},
        )

    return optax.GradientTransformationExtraArgs(init, _update)


def with_evaluation(opt_state: PyTree, value: Number) -> PyTree:
    """Return the state after one evaluation: `reduce_on_plateau` has seen one more value.

    Args:
      opt_state: the state of `reduce_on_plateau`, alone, in a chain or inside wrappers.
      value: the watched value, a scalar, such as the dev loss; lower is better.

    Returns:
      A state of the same structure, shapes and dtypes.

    Raises:
      ValueError: if the state holds no `PlateauState`, `value` is not one number, or the members
        of a chain cannot stand in their order.

    Examples:
      >>> import jax.numpy as jnp
      >>> state = reduce_on_plateau(factor=0.5, patience=1).init(jnp.ones(2))
      >>> for loss in (0.3, 0.3):
      ...     state = with_evaluation(state, loss)
      >>> print(state.scale)
      0.5
    """
    check_order("with_evaluation", opt_state)
    if not states_of(opt_state, PlateauState):
        advice = "Put `reduce_on_plateau()` into the chain."
        rule = "`opt_state` must hold a `PlateauState`"
        fail("with_evaluation", rule, "found none", advice)

    def observe(node):
        return _observed("with_evaluation", node, value) if _is_plateau(node) else node

    return jax.tree.map(observe, opt_state, is_leaf=_is_plateau)


def _is_plateau(node: Any) -> bool:
    return isinstance(node, PlateauState)


def _update(updates, state, params=None, *, value=None, **extra):
    del extra
    check_state(WHO, state, PlateauState)
    check_updates(WHO, updates, params, ())
    if value is not None:
        state = _observed(WHO, state, value)
    scaled = jax.tree.map(lambda u: _scaled(u, state.scale), updates)
    return scaled, state._replace(count=jnp.asarray(optax.safe_increment(state.count)))


def _scaled(update: Array, scale: Array) -> Array:
    wide = widen(update)
    return (wide * scale.astype(wide.dtype)).astype(jnp.result_type(update))


def _observed(who: str, state: PlateauState, value: Number) -> PlateauState:
    check_shape(who, "value", value, ())
    n = evaluate(state.hyperparams, state.count, step=state.count)
    value = jnp.asarray(value).astype(state.best.dtype)
    margin = jnp.where(jnp.isfinite(state.best), n.atol + n.rtol * jnp.abs(state.best), 0.0)
    improved = jnp.isfinite(value) & (value < state.best - margin)
    resting = state.resting > 0
    waited = jnp.where(improved | resting, 0, state.waited + 1)
    reduced = ~resting & (waited.astype(n.patience.dtype) >= n.patience)
    scale = jnp.where(reduced, jnp.maximum(state.scale * n.factor, n.min_scale), state.scale)
    # A number out of range is NaN, and every comparison with it False: it must not pass for rest.
    unknown = jnp.isnan(n.factor + n.patience + n.rtol + n.atol + n.cooldown + n.min_scale)
    return state._replace(
        scale=jnp.where(unknown, jnp.nan, scale),
        best=jnp.where(improved, value, state.best),
        waited=jnp.where(reduced, 0, waited),
        resting=jnp.where(
            resting, state.resting - 1, jnp.where(reduced, n.cooldown.astype(jnp.int32), 0)
        ),
    )


link(_update, Link("Plateau", WHO, False))
