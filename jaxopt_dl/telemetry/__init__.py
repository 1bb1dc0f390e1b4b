"""What to look at in parameters, gradients and activations, as pure functions on any pytree."""

from ._activations import ActivationStats, activation_stats
from ._bias_variance import BiasVariance, Fit, bias_variance
from ._debug import DebugReport, debug_report
from ._gradients import Health, gradient_norms, health
from ._learning import LrVerdict, lr_verdict
from ._learning_curve import LearningCurve, learning_curve
from ._parameters import UnitSymmetry, layer_gains, sparsity, unit_symmetry

__all__ = [
    "ActivationStats",
    "BiasVariance",
    "DebugReport",
    "Fit",
    "Health",
    "LearningCurve",
    "LrVerdict",
    "UnitSymmetry",
    "activation_stats",
    "bias_variance",
    "debug_report",
    "gradient_norms",
    "health",
    "layer_gains",
    "learning_curve",
    "lr_verdict",
    "sparsity",
    "unit_symmetry",
]
