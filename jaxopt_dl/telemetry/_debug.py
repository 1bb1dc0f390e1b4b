"""Evidence about a network that does not learn, put together on one page."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from jaxopt_dl._core.errors import check_floating, check_integer, check_shape, fail, is_traced
from jaxopt_dl._core.types import Number, PyTree

from ._activations import ActivationStats
from ._gradients import Health, gradient_norms, health
from ._learning import LrVerdict, lr_verdict
from ._site_stats import SiteStats

WHO = "debug_report"
FAR = 2
"""A start this many times above or below the loss of guessing is not one of guessing."""

MANY_DEAD = 0.5

REMEDIES = {
    Health.VANISHING: "its updates are tiny; use a matching initializer or normalization",
    Health.EXPLODING: "its updates overshoot; clip the norm or lower the learning rate",
    Health.NON_FINITE: "look for the first such value going forward",
}
RATES = {
    LrVerdict.TOO_SMALL: "try three or ten times the rate",
    LrVerdict.TOO_LARGE: "try a third or a tenth of the rate",
    LrVerdict.DIVERGING: "try a tenth of the rate, or clip the gradient",
    LrVerdict.FLAT: "nothing moves, every step jumps across the valley, or noise hides it",
}


class DebugReport(NamedTuple):
    """What is known about a network that does not learn; `str(report)` is for people.

    Attributes:
      loss: the loss.
      guessing: the loss of guessing among the classes, ln(classes), or None.
      norms: layer -> norm of its gradient.
      health: layer -> `Health` of its gradient.
      dead_units: layer -> share of its units that are 0 for every example, in [0, 1].
      learning_rate: the `LrVerdict` of the curve, or None without one.
      findings: what is out of the ordinary and what to do, in the order to look at it.

    Examples:
      >>> import jax.numpy as jnp
      >>> print(debug_report(2.31, {"kernel": jnp.full((2, 2), 1e-9)}, classes=10))
      loss 2.31, guessing 2.303
      gradient norm of the parameters: 2e-09, vanishing
      - the gradient of the parameters is vanishing: its updates are tiny; use a matching \
initializer or normalization.
    """

    loss: float
    guessing: float | None
    norms: dict[str, float]
    health: dict[str, Health]
    dead_units: dict[str, float]
    learning_rate: LrVerdict | None
    findings: tuple[str, ...]

    def __str__(self) -> str:
        guessing = "" if self.guessing is None else f", guessing {self.guessing:.4g}"
        lines = [f"loss {self.loss:.4g}{guessing}"]
        for layer, norm in self.norms.items():
            lines.append(f"gradient norm of {_named(layer)}: {norm:.3g}, {self.health[layer]}")
        lines += [f"dead units in {name}: {dead:.0%}" for name, dead in self.dead_units.items()]
        if self.learning_rate is not None:
            lines.append(f"learning rate: {self.learning_rate}")
        return "\n".join([*lines, *(f"- {finding}." for finding in self.findings)])


def debug_report(
    loss: Number,
    gradients: PyTree,
    *,
    activations: Mapping[str, ActivationStats | SiteStats] | None = None,
    curve: Any = None,
    classes: int | None = None,
) -> DebugReport:
    """Put together the evidence about a network that does not learn, and say what stands out.

    Before any training a balanced classifier knows nothing, so its loss is that of guessing,
    ln(classes): 2.3026 for 10. A loss beyond twice or below half of that is a finding, and so are
    a layer whose gradient is not healthy, a layer with more than half of its units dead, and a
    learning rate that the curve calls anything but good.

    Args:
      loss: the cross-entropy (in nats) or another loss over a batch, a scalar.
      gradients: its gradients, any pytree of floating-point arrays.
      activations: what `activation_stats` or, for a model without named layers, `site_stats` says
        of the same batch, if it is known.
      curve: `(n,)` losses of at least 5 updates or epochs as for `lr_verdict`, if it has trained.
      classes: number of balanced classes, at least 2, if the loss is that of a fresh classifier.

    Returns:
      A `DebugReport`.

    Raises:
      TypeError: if something is traced, or not a number.
      ValueError: if there are no gradients, or `curve` or `classes` cannot be used.

    Examples:
      >>> import jax, jax.numpy as jnp
      >>> cost = lambda w: jnp.mean((jnp.ones((4, 3)) @ w["kernel"]) ** 2)
      >>> loss, gradients = jax.value_and_grad(cost)({"kernel": jnp.ones((3, 1))})
      >>> debug_report(loss, gradients).findings
      ()
    """
    value = _number(loss)
    if classes is not None:
        check_integer(WHO, "classes", classes, low=2)
    guessing = None if classes is None else math.log(classes)
    states = health(gradients)
    norms = {layer: float(norm) for layer, norm in gradient_norms(gradients).items()}
    dead = {layer: float(stats.dead) for layer, stats in (activations or {}).items()}
    verdict = None if curve is None else lr_verdict(curve)
    findings = (
        *_of_start(value, guessing),
        *_of_gradients(states),
        *_of_units(dead),
        *_of_rate(verdict),
    )
    return DebugReport(value, guessing, norms, states, dead, verdict, findings)


def _of_start(loss: float, guessing: float | None) -> list[str]:
    if not math.isfinite(loss):
        return ["the loss is not finite: look for the first such value going forward"]
    if guessing is None or guessing / FAR <= loss <= guessing * FAR:
        return []
    if loss > guessing:
        return ["the start is sure and wrong: normalize the inputs, or start with smaller weights"]
    return ["the start knows more than it can: labels leak into the inputs, or it is trained"]


def _of_gradients(states: Mapping[str, Health]) -> list[str]:
    return [
        f"the gradient of {_named(layer)} is {state}: {REMEDIES[state]}"
        for layer, state in states.items()
        if state in REMEDIES
    ]


def _of_units(dead: Mapping[str, float]) -> list[str]:
    advice = "start with smaller weights or a lower rate, or use an activation that never is flat"
    return [
        f"{share:.0%} of the units of {layer} are dead: {advice}"
        for layer, share in dead.items()
        if share > MANY_DEAD
    ]


def _of_rate(verdict: LrVerdict | None) -> list[str]:
    if verdict is None or verdict not in RATES:
        return []
    return [f"the learning rate is {verdict}: {RATES[verdict]}"]


def _named(layer: str) -> str:
    return layer or "the parameters"


def _number(loss: Number) -> float:
    if is_traced(loss):
        rule, advice = "`loss` must be a number", "Call it outside of compiled programs."
        fail(WHO, rule, "got a traced array", advice, kind=TypeError)
    check_shape(WHO, "loss", loss, ())
    check_floating(WHO, "loss", loss)
    return float(loss)
