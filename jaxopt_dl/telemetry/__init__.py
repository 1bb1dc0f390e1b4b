"""What to look at in parameters, gradients and activations, as pure functions on any pytree."""

from ._activations import ActivationStats, activation_stats
from ._gradients import Health, gradient_norms, health
from ._learning import LrVerdict, lr_verdict
from ._parameters import UnitSymmetry, layer_gains, sparsity, unit_symmetry

__all__ = [
    "ActivationStats",
    "Health",
    "LrVerdict",
    "UnitSymmetry",
    "activation_stats",
    "gradient_norms",
    "health",
    "layer_gains",
    "lr_verdict",
    "sparsity",
    "unit_symmetry",
]
