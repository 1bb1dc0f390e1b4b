"""Every layer of the library, once per form that matters; a new layer is one more row."""

from collections.abc import Callable
from typing import NamedTuple

import jax

from jaxopt_dl import nn


class LayerCase(NamedTuple):
    name: str
    factory: Callable[[], nn.Layer]
    spec: tuple[int, ...]
    """Shape of one example, without the batch axis."""
    needs_key: bool = False
    indices: int | None = None
    """For layers on integers: how many indices there are."""


def _network() -> nn.Layer:
    return nn.sequential(
        nn.dense(5, use_bias=False, kernel_init=nn.he_normal()),
        nn.batch_norm(),
        nn.lift(nn.relu),
        nn.dropout(keep_prob=0.6),
        nn.dense(3, name="head"),
    )


def _nested() -> nn.Layer:
    block = nn.sequential(nn.dense(4), nn.batch_norm(), nn.lift(nn.tanh), name="block")
    return nn.sequential(nn.flatten(), block, nn.dense(2))


def _residual() -> nn.Layer:
    way = nn.sequential(nn.dense(4), nn.batch_norm(), nn.dropout(keep_prob=0.6))
    return nn.residual(way, shortcut=nn.dense(4, use_bias=False))


def _convolutional() -> nn.Layer:
    return nn.sequential(
        nn.conv(4, (3, 2), use_bias=False),
        nn.batch_norm(),
        nn.lift(nn.relu),
        nn.max_pool((2, 2)),
        nn.residual(nn.conv(4, (1, 1))),
        nn.global_average_pool(),
        nn.dense(3),
    )


def _embedding() -> nn.Layer:
    # Its table is float32 in every scope, so it is drawn without rounding: under vmap the last
    # digit of a normal draw may differ.
    def digits(key, shape, dtype):
        return jax.random.randint(key, shape, -9, 10).astype(dtype)

    return nn.embedding(7, 3, kernel_init=digits)


LAYERS = [
    LayerCase("dense", lambda: nn.dense(3), (4,)),
    LayerCase("dense_without_bias", lambda: nn.dense(3, use_bias=False), (4,)),
    LayerCase("dense_on_sequences", lambda: nn.dense(3), (2, 4)),
    LayerCase("batch_norm", lambda: nn.batch_norm(), (4,)),
    LayerCase("batch_norm_on_images", lambda: nn.batch_norm(decay=0.5), (3, 2, 4)),
    LayerCase("batch_norm_unbiased", lambda: nn.batch_norm(unbiased_running=True), (4,)),
    LayerCase("dropout", lambda: nn.dropout(keep_prob=0.5), (6,), needs_key=True),
    LayerCase("dropout_keeping_all", lambda: nn.dropout(keep_prob=1.0), (6,)),
    LayerCase("lift_relu", lambda: nn.lift(nn.relu), (4,)),
    LayerCase("lift_leaky_relu", lambda: nn.lift(nn.leaky_relu), (4,)),
    LayerCase("lift_selu", lambda: nn.lift(nn.selu), (4,)),
    LayerCase("lift_sigmoid", lambda: nn.lift(nn.sigmoid), (4,)),
    LayerCase("lift_tanh", lambda: nn.lift(nn.tanh), (4,)),
    LayerCase("conv", lambda: nn.conv(3, (3, 2), strides=(1, 2)), (5, 4, 2)),
    LayerCase("conv_on_sequences", lambda: nn.conv(3, (3,), dilation=2), (6, 2)),
    LayerCase("conv_large", lambda: nn.conv(2, (6, 7)), (4, 5, 2)),
    LayerCase("max_pool", lambda: nn.max_pool((2, 3)), (5, 6, 2)),
    LayerCase("max_pool_overlapping", lambda: nn.max_pool((3,), strides=2, padding="SAME"), (6, 2)),
    LayerCase("average_pool", lambda: nn.average_pool((2, 2), padding="SAME"), (5, 4, 2)),
    LayerCase("global_average_pool", lambda: nn.global_average_pool(), (5, 4, 2)),
    LayerCase("global_max_pool", lambda: nn.global_max_pool(), (5, 2)),
    LayerCase("layer_norm", lambda: nn.layer_norm(), (3, 4)),
    LayerCase("flatten", lambda: nn.flatten(), (2, 3)),
    LayerCase("embedding", _embedding, (4,), indices=7),
    LayerCase("rnn", lambda: nn.rnn(3), (5, 2)),
    LayerCase("gru", lambda: nn.gru(3, sequences=False), (5, 2)),
    LayerCase("lstm", lambda: nn.lstm(3), (5, 2)),
    LayerCase("residual", _residual, (4,), needs_key=True),
    LayerCase("mlp", lambda: nn.mlp((5, 3), keep_probs=(0.9, 0.6, 1.0)), (4,), needs_key=True),
    LayerCase("sequential", _network, (4,), needs_key=True),
    LayerCase("sequential_nested", _nested, (2, 3)),
    LayerCase("sequential_convolutional", _convolutional, (5, 6, 2)),
]
