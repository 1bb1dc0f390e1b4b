"""Optimizers: real optax transformations whose numbers are data.

An assembled rule such as `adam` keeps its numbers, and its schedules' numbers, in its state, so
other values run in the same compiled program. Blocks such as `scale_by_adam` compose with
`chain`; updates are added to the parameters.
"""

from ._adam import AdamState, adam, scale_by_adam
from ._chain import chain
from ._clipping import ClipState, clip_by_global_norm, clip_by_value
from ._inspect import applied_learning_rate, with_hyperparams
from ._sgd import SgdState, sgd

__all__ = [
    "AdamState",
    "ClipState",
    "SgdState",
    "adam",
    "applied_learning_rate",
    "chain",
    "clip_by_global_norm",
    "clip_by_value",
    "scale_by_adam",
    "sgd",
    "with_hyperparams",
]
