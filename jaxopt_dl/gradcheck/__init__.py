"""Gradient checking: is the gradient right, and if not, which leaf, entry, function and line.

It takes any scalar function over pytrees and knows nothing of layers or training.
"""

from ._check import assert_gradients, check_gradients
from ._curve import StepSizeCurve, step_size_curve
from ._notes import Grade, finite_difference, grade, relative_difference
from ._report import Cause, ComponentReport, Coverage, GradientReport, LeafReport
from ._textbook import textbook_check

__all__ = [
    "Cause",
    "ComponentReport",
    "Coverage",
    "Grade",
    "GradientReport",
    "LeafReport",
    "StepSizeCurve",
    "assert_gradients",
    "check_gradients",
    "finite_difference",
    "grade",
    "relative_difference",
    "step_size_curve",
    "textbook_check",
]
