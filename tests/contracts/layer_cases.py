"""Every layer of the library, once per form that matters; a new layer is one more row."""

from collections.abc import Callable
from typing import NamedTuple

from jaxopt_dl import nn


class LayerCase(NamedTuple):
    name: str
    factory: Callable[[], nn.Layer]
    spec: tuple[int, ...]
    """Shape of one example, without the batch axis."""
    needs_key: bool = False


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
    return nn.sequential(nn.lift(_flatten), block, nn.dense(2))


def _flatten(x):
    return x.reshape(x.shape[0], -1)


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
    LayerCase("lift_flatten", lambda: nn.lift(_flatten), (2, 3)),
    LayerCase("sequential", _network, (4,), needs_key=True),
    LayerCase("sequential_nested", _nested, (2, 3)),
]
