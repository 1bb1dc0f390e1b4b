"""Momentum: a running sum, or a running mean, of gradients."""

from typing import Any, Literal, NamedTuple

import optax

from jaxopt_dl._core.errors import check_choice
from jaxopt_dl._core.types import Array, Number, PyTree

from ._moments import average
from ._rule import descend, leafwise, rule

Form = Literal["classical", "ema"]


class MomentumState(NamedTuple):
    """State of `momentum`: the velocity, in units of the gradient, as `trace`.

    Examples:
      >>> import jax.numpy as jnp
      >>> rule, g = momentum(0.1, decay=0.5), jnp.array([2.0, -4.0])
      >>> _, state = rule.update(g, rule.init(g))
      >>> _, state = rule.update(g, state)
      >>> print(state.count, state.trace)
      2 [ 3. -6.]
    """

    count: Array
    trace: PyTree
    hyperparams: dict[str, Any]


def momentum(
    learning_rate: Number, *, decay: Number = 0.9, form: Form = "classical"
) -> optax.GradientTransformationExtraArgs:
    """Step along the accumulated gradients, so that jumping between valley walls cancels out.

        classical:  trace <- decay * trace + g
        ema:        trace <- decay * trace + (1 - decay) * g
        w <- w - learning_rate * trace

    The two are one rule at different learning rates: classical with `a` is ema with
    `a / (1 - decay)`. The default is the classical form, which optax, PyTorch and Keras use, so
    learning rates found there carry over. With `decay = 0` both are plain `sgd`. The trace is in
    units of the gradient: a new learning rate applies at once to all of the trace.

    Args:
      learning_rate: step size, at least 0, or a schedule.
      decay: share of the old trace kept, in [0, 1), or a schedule. A gradient k updates old
        still counts `decay**k`.
      form: `"classical"` (sum) or `"ema"` (mean).

    Returns:
      A transformation whose state is a `MomentumState`; `trace` has the shapes of the parameters
      and is kept in at least float32.

    Raises:
      TypeError: if a number is not a number, or parameters are not floating-point.
      ValueError: if a number is out of range, `form` is unknown, or gradients do not fit the
        parameters.

    Examples:
      >>> import jax.numpy as jnp
      >>> rule, w = momentum(0.1), jnp.array(1.0)
      >>> state = rule.init(w)
      >>> for _ in range(3):
      ...     updates, state = rule.update(w, state, w)  # the gradient of w^2 / 2 is w
      ...     w = w + updates
      >>> round(float(w), 4)
      0.486

    References:
      Polyak, "Some methods of speeding up the convergence of iteration methods", 1964. There
      the velocity contains the learning rate; with a constant one the iterates are the same.
    """
    return _momentum("momentum", {"learning_rate": learning_rate, "decay": decay}, form)


def scale_by_momentum(
    *, decay: Number = 0.9, form: Form = "classical"
) -> optax.GradientTransformationExtraArgs:
    """Return the accumulated gradients: `momentum` without learning rate and sign.

    A block for `chain`, to be followed by `sgd(learning_rate)`.

    Args:
      decay: share of the old trace kept, in [0, 1), or a schedule.
      form: `"classical"` (sum) or `"ema"` (mean).

    Returns:
      A transformation whose state is a `MomentumState` without `learning_rate`.

    Raises:
      TypeError: if `decay` is not a number, or parameters are not floating-point.
      ValueError: if `decay` is out of range, `form` is unknown, or gradients do not fit the
        parameters.

    Examples:
      >>> import jax.numpy as jnp
      >>> block, g = scale_by_momentum(decay=0.5), jnp.array(1.0)
      >>> directions, state = block.update(g, block.init(g))
      >>> directions, state = block.update(g, state)
      >>> float(directions)
      1.5
    """
    return _momentum("scale_by_momentum", {"decay": decay}, form)


def _momentum(who: str, numbers: dict[str, Number], form: Form):
    check_choice(who, "form", form, ("classical", "ema"))
    return rule(who, MomentumState, _step, numbers, form=form)


@leafwise
def _step(n, gradient, trace, *, form):
    if form == "classical":
        trace = n.decay * trace + gradient
    else:
        trace = average(trace, gradient, n.decay)
    return descend(n, trace), trace
