"""Layers as pairs of pure functions, and the initializers and activations they use."""

from jaxopt_dl._core.types import Layer

from ._activations import leaky_relu, relu, selu, sigmoid, tanh
from ._backprop import mlp_backprop
from ._batch_norm import batch_norm
from ._conv import conv
from ._dense import dense
from ._derivatives import relu_derivative, sigmoid_derivative, tanh_derivative
from ._dropout import dropout
from ._embedding import embedding
from ._flatten import flatten
from ._initializers import (
    constant,
    he_normal,
    he_uniform,
    lecun_normal,
    lecun_uniform,
    normal,
    variance_scaling,
    xavier_normal,
    xavier_uniform,
    zeros,
)
from ._layer_norm import layer_norm
from ._lift import lift
from ._mlp import default_keep_probs, mlp
from ._orthogonal import orthogonal
from ._pool import average_pool, global_average_pool, global_max_pool, max_pool
from ._residual import residual
from ._rnn import gru, lstm, rnn
from ._sequential import sequential
from ._smooth_activations import elu, gelu, mish, silu, softplus
from ._summary import Summary, SummaryRow, summary

__all__ = [
    "Layer",
    "Summary",
    "SummaryRow",
    "average_pool",
    "batch_norm",
    "constant",
    "conv",
    "default_keep_probs",
    "dense",
    "dropout",
    "elu",
    "embedding",
    "flatten",
    "gelu",
    "global_average_pool",
    "global_max_pool",
    "gru",
    "he_normal",
    "he_uniform",
    "layer_norm",
    "leaky_relu",
    "lecun_normal",
    "lecun_uniform",
    "lift",
    "lstm",
    "max_pool",
    "mish",
    "mlp",
    "mlp_backprop",
    "normal",
    "orthogonal",
    "relu",
    "relu_derivative",
    "residual",
    "rnn",
    "selu",
    "sequential",
    "sigmoid",
    "sigmoid_derivative",
    "silu",
    "softplus",
    "summary",
    "tanh",
    "tanh_derivative",
    "variance_scaling",
    "xavier_normal",
    "xavier_uniform",
    "zeros",
]
