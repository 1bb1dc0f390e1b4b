"""Nesterov's accelerated gradient, as published: the gradient is taken after the velocity."""

from typing import Any, NamedTuple

import numpy as np
import optax

from jaxopt_dl._core.errors import check_choice, fail
from jaxopt_dl._core.trees import leaves_with_paths, map_with_paths, widen
from jaxopt_dl._core.types import Array, Number, PyTree

from ._find import states_of
from ._momentum import Form
from ._order import check_order
from ._rule import descend, leafwise, rule


class NesterovState(NamedTuple):
    """State of `nesterov`: `lookahead` is how far the parameters are ahead of the iterate.

    Examples:
      >>> import jax.numpy as jnp
      >>> rule, g = nesterov(0.5, decay=0.5), jnp.array([2.0, -4.0])
      >>> _, state = rule.update(g, rule.init(g))
      >>> print(state.count, state.lookahead)
      1 [-0.5  1. ]
    """

    count: Array
    lookahead: PyTree
    hyperparams: dict[str, Any]


def nesterov(
    learning_rate: Number, *, decay: Number = 0.9, form: Form = "classical"
) -> optax.GradientTransformationExtraArgs:
    """Take the gradient where the velocity leads, and correct the velocity with it.

        classical:  v <- decay * v - learning_rate * g(w + decay * v)
        ema:        v <- decay * v - learning_rate * (1 - decay) * g(w + decay * v)
        w <- w + v

    A transformation is only given gradients at the parameters. The parameters therefore hold the
    look-ahead point `w + decay * v`, where the published rule takes its gradient; the iterate
    `w` itself is `nesterov_iterate(params, opt_state)`. The velocity is in units of the
    parameters, so both stay exact when the learning rate or `decay` changes during a run.

    Args:
      learning_rate: step size, at least 0, or a schedule.
      decay: share of the velocity kept, in [0, 1), or a schedule; its value at a count is the
        share of the velocity of that update which the next one keeps.
      form: `"classical"`, or `"ema"`, whose learning rate is larger by `1 / (1 - decay)`.

    Returns:
      A transformation whose state is a `NesterovState`; `lookahead` has the shapes of the
      parameters and is kept in at least float32. In a chain nothing may change updates after it.

    Raises:
      TypeError: if a number is not a number, or parameters are not floating-point.
      ValueError: if a number is out of range, `form` is unknown, or gradients do not fit the
        parameters.

    Examples:
      >>> import jax.numpy as jnp
      >>> rule, params = nesterov(0.1), jnp.array(1.0)
      >>> state = rule.init(params)
      >>> for _ in range(2):
      ...     updates, state = rule.update(params, state, params)  # the gradient of w^2 / 2
      ...     params = params + updates
      >>> round(float(params), 4), round(float(nesterov_iterate(params, state)), 4)
      (0.5751, 0.729)

    References:
      Nesterov, "A method of solving a convex programming problem with convergence rate
      O(1/k^2)", 1983, in the form of Sutskever et al., "On the importance of initialization and
      momentum in deep learning", 2013, equations 3 and 4. With a constant learning rate the
      parameters equal those of `optax.sgd(nesterov=True)`; with a changing one optax rescales
      the old velocity, and this rule does not. Some texts take the gradient of the ema form at
      `w + decay * z` with a `z` not yet multiplied by the learning rate; that diverges in steep
      directions however small the rate is.
    """
    check_choice("nesterov", "form", form, ("classical", "ema"))
    numbers = {"learning_rate": learning_rate, "decay": decay}
    return rule("nesterov", NesterovState, _step, numbers, form=form)


def nesterov_iterate(params: PyTree, opt_state: PyTree) -> PyTree:
    """Return the iterate `w` of Nesterov's rule from parameters at the look-ahead point.

    It is the point to evaluate and to keep at the end of a run; near a minimum the two meet.
    Parameters that another rule moves, under `by_path` or `optax.masked`, are returned as they are.

    Args:
      params: parameters as `nesterov` moves them.
      opt_state: the state of `nesterov`, alone, in a chain or inside wrappers.

    Returns:
      Arrays of the shapes and dtypes of `params`.

    Raises:
      ValueError: if the state holds no `NesterovState`, or one of other parameters, or the members
        of a chain cannot stand in their order.

    Examples:
      >>> import jax.numpy as jnp
      >>> params = jnp.array([1.0, 2.0])
      >>> print(nesterov_iterate(params, nesterov(0.1).init(params)))
      [1. 2.]
    """
    check_order("nesterov_iterate", opt_state)
    found = states_of(opt_state, NesterovState)
    if not found:
        advice = "Pass the state of an optimizer with `nesterov` in it."
        rule = "`opt_state` must hold a `NesterovState`"
        fail("nesterov_iterate", rule, "found none", advice)
    # Leaves of other rules are absent from a state, so each parameter is found at most once.
    ahead = {path: leaf for state in found for path, leaf in leaves_with_paths(state.lookahead)}
    _check_of_these(ahead, params)

    def iterate(path: str, leaf: Array) -> Array:
        return (widen(leaf) - ahead[path]).astype(leaf.dtype) if path in ahead else leaf

    return map_with_paths(iterate, params)


def _check_of_these(ahead: dict[str, Array], params: PyTree) -> None:
    shapes = {path: np.shape(leaf) for path, leaf in leaves_with_paths(params)}
    for path, leaf in ahead.items():
        if shapes.get(path) != np.shape(leaf):
            came = f"got {shapes.get(path, 'nothing')} at `{path}` instead of {np.shape(leaf)}"
            rule = "`params` must be those of the state"
            fail("nesterov_iterate", rule, came, "Pass parameters and state of the same step.")


@leafwise
def _step(n, gradient, lookahead, *, form):
    # At `w + lookahead`: v = lookahead - a * g. The parameters move to `w + v + decay * v`.
    step = descend(n, gradient if form == "classical" else (1 - n.decay) * gradient)
    ahead = n.decay * (lookahead + step)
    return step + ahead, ahead
