"""What to look at in parameters, gradients and activations, as pure functions on any pytree."""

from ._activations import ActivationStats, activation_stats
from ._batch_axes import batch_axes
from ._bias_variance import BiasVariance, Fit, bias_variance
from ._debug import DebugReport, debug_report
from ._gradient_statistics import GradientStatistics, gradient_statistics
from ._gradients import Health, gradient_norms, health
from ._learning import LrVerdict, lr_verdict
from ._learning_curve import LearningCurve, learning_curve
from ._parameters import UnitSymmetry, layer_gains, sparsity, unit_symmetry
from ._probes import probe_activations, probe_gradient, probe_layers
from ._site_stats import SiteStats, site_stats, site_symmetry
from ._tap_gradients import Tapped, tap_gradients
from ._taps import tap

__all__ = [
    "ActivationStats",
    "BiasVariance",
    "DebugReport",
    "Fit",
    "GradientStatistics",
    "Health",
    "LearningCurve",
    "LrVerdict",
    "SiteStats",
    "Tapped",
    "UnitSymmetry",
    "activation_stats",
    "batch_axes",
    "bias_variance",
    "debug_report",
    "gradient_norms",
    "gradient_statistics",
    "health",
    "layer_gains",
    "learning_curve",
    "lr_verdict",
    "probe_activations",
    "probe_gradient",
    "probe_layers",
    "site_stats",
    "site_symmetry",
    "sparsity",
    "tap",
    "tap_gradients",
    "unit_symmetry",
]
