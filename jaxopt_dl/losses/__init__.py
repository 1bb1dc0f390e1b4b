"""Losses and metrics, one value per example; penalties on parameters; the one reduction."""

from ._classification import accuracy, sigmoid_cross_entropy, softmax_cross_entropy
from ._penalties import l1_penalty, l2_penalty
from ._reduce import weighted_mean
from ._regression import squared_error

__all__ = [
    "accuracy",
    "l1_penalty",
    "l2_penalty",
    "sigmoid_cross_entropy",
    "softmax_cross_entropy",
    "squared_error",
    "weighted_mean",
]
