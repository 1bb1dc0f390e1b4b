"""The table of optimizers. A new optimizer is one more row."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import optax

from jaxopt_dl import optim
from tests.contracts import optimizer_references as references


@dataclasses.dataclass(frozen=True)
class Case:
    """One optimizer or block, and what it is compared with.

    Attributes:
      name: the id of its tests.
      make: `make(**numbers)` returns the transformation.
      numbers: every number it takes, with a value inside its range.
      reference: the formula in NumPy, see `optimizer_references`.
      peer: the same rule in optax, `peer(**numbers)`, where optax has it.
      slots: arrays per parameter in the state.
      shrinks: whether parameters move at zero gradient.
    """

    name: str
    make: Callable[..., Any]
    numbers: dict[str, float]
    reference: Callable[..., Any]
    peer: Callable[..., Any] | None = None
    slots: int = 0
    shrinks: bool = False

    @property
    def is_block(self) -> bool:
        return "learning_rate" not in self.numbers


ADAM = {"b1": 0.8, "b2": 0.98, "eps": 1e-2, "eps_root": 1e-3}


def _kernels(params):
    return {"head": {"kernel": True, "bias": False}, "scale": False}


def _sgd_with_ema(learning_rate, decay):
    return optax.chain(optax.ema(decay, debias=False), optax.scale(-learning_rate))


def _corrected_rmsprop(learning_rate, decay, eps):
    return optax.rmsprop(learning_rate, decay, eps, eps_in_sqrt=False, bias_correction=True)


CASES = [
    Case("sgd", optim.sgd, {"learning_rate": 0.05}, references.sgd, optax.sgd),
    Case(
        "momentum",
        optim.momentum,
        {"learning_rate": 0.02, "decay": 0.8},
        references.classical_momentum,
        lambda learning_rate, decay: optax.sgd(learning_rate, decay),
        slots=1,
    ),
    Case(
        "momentum_ema",
        functools.partial(optim.momentum, form="ema"),
        {"learning_rate": 0.2, "decay": 0.7},
        references.ema_momentum,
        _sgd_with_ema,
        slots=1,
    ),
    Case(
        "nesterov",
        optim.nesterov,
        {"learning_rate": 0.02, "decay": 0.8},
        references.nesterov,
        lambda learning_rate, decay: optax.sgd(learning_rate, decay, nesterov=True),
        slots=1,
    ),
    Case(
        "rmsprop",
        optim.rmsprop,
        {"learning_rate": 0.004, "decay": 0.85, "eps": 0.05},
        references.rmsprop_inside,
        optax.rmsprop,
        slots=1,
    ),
    Case(
        "rmsprop_outside_corrected",
        functools.partial(optim.rmsprop, eps_in_sqrt=False, bias_correction=True),
        {"learning_rate": 0.004, "decay": 0.85, "eps": 0.05},
        references.rmsprop_outside_corrected,
        _corrected_rmsprop,
        slots=1,
    ),
    Case(
        "adam",
        optim.adam,
        {"learning_rate": 0.03, **ADAM},
        references.adam,
        optax.adam,
        slots=2,
    ),
    Case(
        "adam_uncorrected",
        functools.partial(optim.adam, bias_correction=False),
        {"learning_rate": 0.03, **ADAM},
        references.adam_uncorrected,
        slots=2,
    ),
    Case(
        "adamw",
        optim.adamw,
        {"learning_rate": 0.03, "b1": 0.8, "b2": 0.98, "eps": 1e-1, "weight_decay": 0.3},
        references.adamw,
        functools.partial(optax.adamw, mask=_kernels),
        slots=2,
        shrinks=True,
    ),
    Case(
        "skip_nonfinite",
        lambda **numbers: optim.skip_nonfinite(optim.momentum(**numbers)),
        {"learning_rate": 0.02, "decay": 0.8},
        references.classical_momentum,
        slots=1,
    ),
    Case(
        "scale_by_momentum",
        optim.scale_by_momentum,
        {"decay": 0.8},
        references.classical_momentum,
        lambda decay: optax.trace(decay),
        slots=1,
    ),
    Case(
        "scale_by_rmsprop",
        optim.scale_by_rmsprop,
        {"decay": 0.85, "eps": 0.05},
        references.rmsprop_inside,
        optax.scale_by_rms,
        slots=1,
    ),
    Case("scale_by_adam", optim.scale_by_adam, ADAM, references.adam, optax.scale_by_adam, slots=2),
    Case(
        "add_decayed_weights",
        optim.add_decayed_weights,
        {"weight_decay": 0.3},
        references.decayed_weights,
        functools.partial(optax.add_decayed_weights, mask=_kernels),
        shrinks=True,
    ),
    Case(
        "clip_by_global_norm",
        optim.clip_by_global_norm,
        {"max_norm": 1.5},
        references.clip_by_global_norm,
        optax.clip_by_global_norm,
    ),
    Case(
        "clip_by_value",
        optim.clip_by_value,
        {"limit": 0.6},
        references.clip_by_value,
        lambda limit: optax.clip(limit),
    ),
]

BAD_NUMBERS = {
    "learning_rate": [-0.1, float("nan"), float("inf"), "0.1", True, None],
    "decay": [-0.1, 1.0, float("nan")],
    "b1": [-0.1, 1.0, float("nan")],
    "b2": [-0.1, 1.0, 1.5],
    "eps": [0.0, -1e-8, float("nan")],
    "eps_root": [-1e-8, float("nan")],
    "weight_decay": [-0.1, float("inf")],
    "max_norm": [0.0, -1.0, float("nan")],
    "limit": [0.0, -1.0, "1"],
}
"""Values outside the range of each number; every number of every row is tried with all of them."""
