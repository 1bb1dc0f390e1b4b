"""Losses and metrics, one value per example; penalties on parameters; the one reduction."""

from ._classification import (
    accuracy,
    error_rate,
    sigmoid_cross_entropy,
    soft_target_cross_entropy,
    softmax_cross_entropy,
)
from ._linear import normal_equations
from ._penalties import elastic_net_penalty, l1_penalty, l2_penalty, soft_threshold
from ._reduce import weighted_mean
from ._regression import absolute_error, huber, squared_error

__all__ = [
    "absolute_error",
    "accuracy",
    "elastic_net_penalty",
    "error_rate",
    "huber",
    "l1_penalty",
    "l2_penalty",
    "normal_equations",
    "sigmoid_cross_entropy",
    "soft_target_cross_entropy",
    "soft_threshold",
    "softmax_cross_entropy",
    "squared_error",
    "weighted_mean",
]
