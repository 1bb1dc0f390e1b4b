"""Optimizers: real optax transformations whose numbers are data.

An assembled rule such as `adam` keeps its numbers, and its schedules' numbers, in its state, so
other values run in the same compiled program. Blocks such as `scale_by_adam` compose with
`chain`; updates are added to the parameters.
"""

from jaxopt_dl._core.trees import is_kernel

from ._adagrad import AdagradState, adagrad, scale_by_adagrad
from ._adam import AdamState, adam, scale_by_adam
from ._by_path import ByPathState, FrozenState, by_path, freeze
from ._chain import chain
from ._clipping import ClipState, clip_by_global_norm, clip_by_norm, clip_by_value
from ._converged import converged
from ._describe import Description, LeafDescription, ScheduleDescription, describe
from ._ema import EmaState, effective_window, ema
from ._ema_params import EmaParamsState, averaged_params, ema_params
from ._gradient_limit import gradient_limit
from ._guard import SkipNonfiniteState, skip_nonfinite
from ._inspect import applied_learning_rate, with_hyperparams
from ._momentum import MomentumState, momentum, scale_by_momentum
from ._nesterov import NesterovState, nesterov, nesterov_iterate
from ._noise import gradient_noise
from ._plateau import PlateauState, reduce_on_plateau, with_evaluation
from ._proximal import ProximalL1State, proximal_l1
from ._rmsprop import CenteredRmspropState, RmspropState, rmsprop, scale_by_rmsprop
from ._sgd import SgdState, sgd
from ._state_size import state_size
from ._sweep import lr_sweep
from ._weight_decay import WeightDecayState, adamw, add_decayed_weights

__all__ = [
    "AdagradState",
    "AdamState",
    "ByPathState",
    "CenteredRmspropState",
    "ClipState",
    "Description",
    "EmaParamsState",
    "EmaState",
    "FrozenState",
    "LeafDescription",
    "MomentumState",
    "NesterovState",
    "PlateauState",
    "ProximalL1State",
    "RmspropState",
    "ScheduleDescription",
    "SgdState",
    "SkipNonfiniteState",
    "WeightDecayState",
    "adagrad",
    "adam",
    "adamw",
    "add_decayed_weights",
    "applied_learning_rate",
    "averaged_params",
    "by_path",
    "chain",
    "clip_by_global_norm",
    "clip_by_norm",
    "clip_by_value",
    "converged",
    "describe",
    "effective_window",
    "ema",
    "ema_params",
    "freeze",
    "gradient_limit",
    "gradient_noise",
    "is_kernel",
    "lr_sweep",
    "momentum",
    "nesterov",
    "nesterov_iterate",
    "proximal_l1",
    "reduce_on_plateau",
    "rmsprop",
    "scale_by_adagrad",
    "scale_by_adam",
    "scale_by_momentum",
    "scale_by_rmsprop",
    "sgd",
    "skip_nonfinite",
    "state_size",
    "with_evaluation",
    "with_hyperparams",
]
