"""Layers and losses at random shapes, for the gradient checker; a new one is one more row."""

from collections.abc import Callable
from typing import Any

import numpy as np

from jaxopt_dl import losses, nn

Random = np.random.Generator


def _size(random: Random, low: int = 1, high: int = 4) -> int:
    return int(random.integers(low, high + 1))


def _window(random: Random, rank: int = 2, high: int = 3) -> tuple[int, ...]:
    return tuple(_size(random, 1, high) for _ in range(rank))


def _padding(random: Random) -> str:
    return str(random.choice(["SAME", "VALID"]))


def _image(random: Random) -> tuple[int, ...]:
    return (_size(random, 5, 7), _size(random, 5, 7), _size(random, 1, 3))


def _sequence(random: Random) -> tuple[int, ...]:
    return (_size(random, 1, 5), _size(random))


def _conv(random: Random):
    options = {"strides": _size(random, 1, 3), "padding": _padding(random)}
    dilation = _size(random, 1, 2)
    layer = nn.conv(_size(random), _window(random), dilation=dilation, **options)
    return layer, _image(random)


def _conv_large(random: Random):
    return nn.conv(_size(random, 1, 2), (_size(random, 6, 7), 7)), _image(random)


def _conv_on_sequences(random: Random):
    layer = nn.conv(_size(random), _window(random, rank=1), strides=_size(random, 1, 2))
    return layer, (_size(random, 3, 7), _size(random))


def _pool(factory: Callable[..., nn.Layer]):
    def make(random: Random):
        strides = random.choice([None, 1, 2])
        strides = None if strides is None else int(strides)
        return factory(_window(random), strides=strides, padding=_padding(random)), _image(random)

    return make


def _residual(random: Random):
    width = _size(random, 2, 4)
    shortcut = nn.dense(width) if random.random() < 0.5 else None
    inner = nn.sequential(nn.dense(_size(random)), nn.lift(nn.tanh), nn.dense(width))
    return nn.residual(inner, shortcut=shortcut), (width,)


def _mlp(random: Random):
    activation = random.choice([nn.tanh, nn.sigmoid, nn.gelu, nn.silu, nn.mish, nn.softplus])
    return nn.mlp([_size(random) for _ in range(_size(random))], activation=activation), (3,)


def _recurrent(factory: Callable[..., nn.Layer]):
    def make(random: Random):
        return factory(_size(random), sequences=bool(random.random() < 0.5)), _sequence(random)

    return make


def _embedding(random: Random):
    return nn.embedding(5, _size(random)), (_size(random),)


def _plain(factory: Callable[..., nn.Layer], **options: Any):
    def make(random: Random):
        shape = tuple(_size(random, 1, 3) for _ in range(_size(random, 0, 2)))
        # Normalization is constant in a layer of one feature: nothing to check there.
        return factory(**options), (*shape, _size(random, 2, 5))

    return make


def _dense(random: Random):
    shape = _plain(nn.batch_norm)(random)[1]
    return nn.dense(_size(random), use_bias=bool(random.random() < 0.5)), shape


LAYERS: dict[str, Callable[[Random], tuple[nn.Layer, tuple[int, ...]]]] = {
    "dense": _dense,
    "conv": _conv,
    "conv_large": _conv_large,
    "conv_on_sequences": _conv_on_sequences,
    "max_pool": _pool(nn.max_pool),
    "average_pool": _pool(nn.average_pool),
    "global_average_pool": lambda random: (nn.global_average_pool(), _image(random)),
    "global_max_pool": lambda random: (nn.global_max_pool(), _image(random)),
    "batch_norm": _plain(nn.batch_norm),
    "layer_norm": _plain(nn.layer_norm),
    "dropout": _plain(nn.dropout, keep_prob=0.7),
    "flatten": _plain(nn.flatten),
    "relu": _plain(nn.lift, function=nn.relu),
    "selu": _plain(nn.lift, function=nn.selu),
    "elu": _plain(nn.lift, function=nn.elu),
    "leaky_relu": _plain(nn.lift, function=nn.leaky_relu),
    "embedding": _embedding,
    "rnn": _recurrent(nn.rnn),
    "gru": _recurrent(nn.gru),
    "lstm": _recurrent(nn.lstm),
    "residual": _residual,
    "mlp": _mlp,
}


def _classes(random: Random):
    batch, classes = _size(random), _size(random, 2, 5)
    return random.normal(size=(batch, classes)) * 3, random.integers(0, classes, batch)


def _smoothed(logits, labels):
    weights = np.linspace(0.5, 2.0, logits.shape[-1])
    return losses.softmax_cross_entropy(logits, labels, label_smoothing=0.1, class_weights=weights)


def _distributions(random: Random):
    logits, _ = _classes(random)
    return logits, random.dirichlet(np.ones(logits.shape[1]), len(logits))


def _yes_or_no(random: Random):
    shape = _window(random, rank=_size(random, 1, 3))
    return random.normal(size=shape) * 3, random.integers(0, 2, shape)


def _numbers(random: Random):
    shape = _window(random, rank=_size(random, 1, 3))
    return random.normal(size=shape), random.normal(size=shape)


LOSSES: dict[str, tuple[Callable, Callable[[Random], tuple[np.ndarray, np.ndarray]]]] = {
    "softmax": (losses.softmax_cross_entropy, _classes),
    "softmax_smoothed": (_smoothed, _classes),
    "soft_targets": (losses.soft_target_cross_entropy, _distributions),
    "sigmoid": (losses.sigmoid_cross_entropy, _yes_or_no),
    "squared": (losses.squared_error, _numbers),
    "absolute": (losses.absolute_error, _numbers),
    "huber": (losses.huber, _numbers),
}
