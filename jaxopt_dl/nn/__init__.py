"""Layers as pairs of pure functions, and the initializers and activations they use."""

from jaxopt_dl._core.types import Layer

from ._activations import leaky_relu, relu, selu, sigmoid, tanh
from ._batch_norm import batch_norm
from ._dense import dense
from ._dropout import dropout
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
from ._lift import lift
from ._sequential import sequential

__all__ = [
    "Layer",
    "batch_norm",
    "constant",
    "dense",
    "dropout",
    "he_normal",
    "he_uniform",
    "leaky_relu",
    "lecun_normal",
    "lecun_uniform",
    "lift",
    "normal",
    "relu",
    "selu",
    "sequential",
    "sigmoid",
    "tanh",
    "variance_scaling",
    "xavier_normal",
    "xavier_uniform",
    "zeros",
]
