"""Optimizers: real optax transformations whose numbers are data.

An assembled rule such as `adam` keeps its numbers, and its schedules' numbers, in its state, so
other values run in the same compiled program. Blocks such as `scale_by_adam` compose with
`chain`; updates are added to the parameters.
"""

from ._adam import AdamState, adam, scale_by_adam
from ._chain import chain
from ._clipping import ClipState, clip_by_global_norm, clip_by_value
from ._guard import SkipNonfiniteState, skip_nonfinite
from ._inspect import applied_learning_rate, with_hyperparams
from ._momentum import MomentumState, momentum, scale_by_momentum
from ._nesterov import NesterovState, nesterov, nesterov_iterate
from ._rmsprop import RmspropState, rmsprop, scale_by_rmsprop
from ._sgd import SgdState, sgd
from ._weight_decay import WeightDecayState, adamw, add_decayed_weights, is_kernel

__all__ = [
    "AdamState",
    "ClipState",
    "MomentumState",
    "NesterovState",
    "RmspropState",
    "SgdState",
    "SkipNonfiniteState",
    "WeightDecayState",
    "adam",
    "adamw",
    "add_decayed_weights",
    "applied_learning_rate",
    "chain",
    "clip_by_global_norm",
    "clip_by_value",
    "is_kernel",
    "momentum",
    "nesterov",
    "nesterov_iterate",
    "rmsprop",
    "scale_by_adam",
    "scale_by_momentum",
    "scale_by_rmsprop",
    "sgd",
    "skip_nonfinite",
    "with_hyperparams",
]
