"""L1 regularization that reaches zero: a gradient step, then soft thresholding."""

from collections.abc import Callable
from typing import Any, NamedTuple

import optax

from jaxopt_dl._core.numerics import shrink
from jaxopt_dl._core.trees import map_with_paths, widen
from jaxopt_dl._core.types import Array, Number, PyTree

from ._check import check_params_given
from ._chosen import choosing, marks_in
from ._numbers import cast
from ._rule import descend, rule


class ProximalL1State(NamedTuple):
    """State of `proximal_l1`: a counter, which parameters it thresholds, and the numbers.

    Examples:
      >>> import jax.numpy as jnp
      >>> state = proximal_l1(0.5, lambd=0.25).init({"kernel": jnp.ones(3), "bias": jnp.ones(3)})
      >>> print(state.count, state.thresholded, state.hyperparams["lambd"])
      0 {'bias': Mark(chosen=False), 'kernel': Mark(chosen=True)} 0.25
    """

    count: Array
    thresholded: PyTree
    hyperparams: dict[str, Any]


def proximal_l1(
    learning_rate: Number, *, lambd: Number, thresholded: Callable[[str], bool] | None = None
) -> optax.GradientTransformationExtraArgs:
    """Step against the gradient of the loss, then shrink by soft thresholding.

        v <- w - learning_rate * g
        w <- sign(v) * max(|v| - learning_rate * lambd, 0)

    It minimizes `loss + lambd * sum(|w|)` where `g` is the gradient of the loss *alone*. A
    subgradient step with the penalty in the loss jumps over zero and almost never lands on it;
    this one makes unneeded weights exactly zero. It takes the place of `sgd` in a
    chain, so `chain(scale_by_momentum(), proximal_l1(...))` works too. The shrinking alone is
    `losses.soft_threshold`.

    Args:
      learning_rate: step size, at least 0, or a schedule.
      lambd: strength of the penalty, at least 0, or a schedule; `lambd / examples` of
        `l1_penalty`.
      thresholded: `path -> bool` chooses the parameters that are penalized; by default the
        kernels, see `is_kernel`. The others take plain gradient steps.

    Returns:
      A transformation whose state is a `ProximalL1State`; its update needs `params`. In a chain
      nothing may change updates after it.

    Raises:
      TypeError: if a number is not a number, or parameters are not floating-point.
      ValueError: if a number is out of range, if `thresholded` chooses no parameter, if the
        update gets no `params`, or if gradients do not fit the parameters.

    Examples:
      >>> import jax.numpy as jnp
      >>> rule = proximal_l1(0.1, lambd=0.5)
      >>> w = {"kernel": jnp.array([0.5, -0.02, 0.1, -0.05])}
      >>> updates, state = rule.update({"kernel": jnp.zeros(4)}, rule.init(w), w)
      >>> [round(float(x), 3) for x in w["kernel"] + updates["kernel"]]
      [0.45, 0.0, 0.05, 0.0]

    References:
      Parikh and Boyd, "Proximal Algorithms", 2014, sections 4.2 and 6.5.2.
    """
    who, numbers = "proximal_l1", {"learning_rate": learning_rate, "lambd": lambd}
    start = choosing(who, "thresholded", thresholded)
    return rule(who, ProximalL1State, _step, numbers, start=start)


def _step(n, updates, slots, params):
    check_params_given("proximal_l1", params)
    thresholded = marks_in(slots[0])

    def move(path: str, gradient: Array, param: Array) -> Array:
        numbers = cast(n, widen(gradient).dtype)
        step = descend(numbers, widen(gradient))
        if not thresholded[path]:
            return step
        old = param.astype(step.dtype)
        return shrink(old + step, numbers.learning_rate * numbers.lambd) - old

    return map_with_paths(move, updates, params), slots
