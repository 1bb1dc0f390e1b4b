"""The table of optimizers. A new optimizer is one more row."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
import optax

from jaxopt_dl import optim
from jaxopt_dl._core.trees import squared_norm
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
      moved: how many leaves of `head/bias`, `head/kernel`, `scale` have slots.
      read: `read(params, state)`, what a run is for; the parameters, as a rule.
    """

    name: str
    make: Callable[..., Any]
    numbers: dict[str, float]
    reference: Callable[..., Any]
    peer: Callable[..., Any] | None = None
    slots: int = 0
    shrinks: bool = False
    moved: int = 3
    read: Callable[..., Any] = lambda params, state: params

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


@functools.lru_cache
def _feeding(update):
    def feed(updates, state, params=None, **extra):
        value = squared_norm(updates) - 1.0
        return update(updates, state, params, value=value, **extra)

    return feed


def _fed(transformation):
    """A rule that watches a value, fed with the squared norm of the updates less 1."""
    return optax.GradientTransformationExtraArgs(
        transformation.init, _feeding(transformation.update)
    )


def _by_path(learning_rate, decay, limit):
    rules = {
        "*/kernel": optim.momentum(learning_rate, decay=decay),
        "head/*": optim.clip_by_value(limit),
    }
    return optim.by_path(rules, default=optim.freeze())


def _partition(learning_rate, decay, limit):
    rules = {
        "moved": optax.sgd(learning_rate, decay),
        "clipped": optax.clip(limit),
        "frozen": optax.set_to_zero(),
    }
    labels = {"head": {"kernel": "moved", "bias": "clipped"}, "scale": "frozen"}
    return optax.partition(rules, labels)


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
        "nesterov_ema",
        functools.partial(optim.nesterov, form="ema"),
        {"learning_rate": 0.2, "decay": 0.7},
        references.nesterov_ema,
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
        "rmsprop_centered",
        functools.partial(optim.rmsprop, centered=True),
        {"learning_rate": 0.004, "decay": 0.85, "eps": 0.05},
        references.rmsprop_centered,
        functools.partial(optax.rmsprop, centered=True),
        slots=2,
    ),
    Case(
        "rmsprop_centered_outside",
        functools.partial(optim.rmsprop, centered=True, eps_in_sqrt=False),
        {"learning_rate": 0.004, "decay": 0.85, "eps": 0.05},
        references.rmsprop_centered_outside,
        functools.partial(optax.rmsprop, centered=True, eps_in_sqrt=False),
        slots=2,
    ),
    Case(
        "adagrad",
        optim.adagrad,
        {"learning_rate": 0.05, "eps": 0.05},
        references.adagrad,
        slots=1,
    ),
    Case(
        "adagrad_inside",
        functools.partial(optim.adagrad, eps_in_sqrt=True),
        {"learning_rate": 0.05, "eps": 0.1},
        references.adagrad_inside,
        lambda learning_rate, eps: optax.adagrad(learning_rate, eps, 0.0),
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
        "proximal_l1",
        optim.proximal_l1,
        {"learning_rate": 0.05, "lambd": 0.3},
        references.proximal_l1,
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
        "scale_by_adagrad",
        optim.scale_by_adagrad,
        {"eps": 0.05},
        references.adagrad,
        slots=1,
    ),
    Case("ema", optim.ema, {"decay": 0.8}, references.ema_corrected, optax.ema, slots=1),
    Case(
        "ema_raw",
        functools.partial(optim.ema, debias=False),
        {"decay": 0.8},
        references.ema_raw,
        functools.partial(optax.ema, debias=False),
        slots=1,
    ),
    Case(
        "ema_params",
        optim.ema_params,
        {"decay": 0.8},
        references.ema_params,
        slots=1,
        read=lambda params, state: optim.averaged_params(state),
    ),
    Case(
        "ema_params_from_start",
        functools.partial(optim.ema_params, debias=False),
        {"decay": 0.8},
        references.ema_params_from_start,
        slots=1,
        read=lambda params, state: optim.averaged_params(state),
    ),
    Case(
        "by_path",
        _by_path,
        {"learning_rate": 0.02, "decay": 0.8, "limit": 0.6},
        references.by_path,
        _partition,
        slots=1,
        moved=1,
    ),
    Case(
        "reduce_on_plateau",
        lambda **numbers: _fed(optim.reduce_on_plateau(patience=1, **numbers)),
        {"factor": 0.7, "rtol": 0.01, "atol": 0.02, "min_scale": 0.2},
        references.reduce_on_plateau,
    ),
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
    Case("clip_by_norm", optim.clip_by_norm, {"max_norm": 0.7}, references.clip_by_norm),
    Case(
        "clip_by_value",
        optim.clip_by_value,
        {"limit": 0.6},
        references.clip_by_value,
        lambda limit: optax.clip(limit),
    ),
]

BAD_NUMBERS = {
    "learning_rate": [-0.1],
    "decay": [-0.1, 1.0, 1.5],
    "b1": [-0.1, 1.0, 1.5],
    "b2": [-0.1, 1.0, 1.5],
    "eps": [0.0, -1e-8],
    "eps_root": [-1e-8],
    "weight_decay": [-0.1],
    "max_norm": [0.0, -1.0],
    "limit": [0.0, -1.0],
    "lambd": [-0.1],
    "factor": [0.0, 1.0, -0.5],
    "rtol": [-0.1, 1.1],
    "atol": [-0.1],
    "min_scale": [-0.1, 1.1],
}
"""Values outside the range of each number; every number of every row is tried with all of them."""

NO_NUMBERS = [
    *(float("nan"), float("inf"), -float("inf")),
    *("0.1", True, None, 1 + 2j, [0.1]),
    *(np.array([0.1, 0.2]), jnp.array([0.1, 0.2]), np.array(0.5j), np.array(True)),
]
"""Values that no number may have."""
