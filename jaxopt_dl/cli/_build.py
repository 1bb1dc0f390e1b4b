"""Names of the configuration -> pieces of the library: one table per kind, one row per name."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import optax

from jaxopt_dl import losses, nn, optim, schedules, train
from jaxopt_dl._core.types import Layer, Metric, RunLength

from ._config import Config, Model, Optimizer, Penalty, Schedule

ACTIVATIONS: dict[str, Callable] = {
    "relu": nn.relu,
    "leaky_relu": nn.leaky_relu,
    "tanh": nn.tanh,
    "sigmoid": nn.sigmoid,
    "selu": nn.selu,
}

INITIALIZERS: dict[str, Callable] = {
    "he_normal": nn.he_normal,
    "he_uniform": nn.he_uniform,
    "xavier_normal": nn.xavier_normal,
    "xavier_uniform": nn.xavier_uniform,
    "lecun_normal": nn.lecun_normal,
    "lecun_uniform": nn.lecun_uniform,
}


class Row(NamedTuple):
    """How one kind is made, and which numbers of its section it uses."""

    make: Callable[..., Any]
    numbers: tuple[str, ...] = ()


# `make(learning_rate, **numbers)`
OPTIMIZERS = {
    "sgd": Row(optim.sgd),
    "momentum": Row(optim.momentum, ("decay",)),
    "nesterov": Row(optim.nesterov, ("decay",)),
    "rmsprop": Row(optim.rmsprop, ("decay", "eps")),
    "adam": Row(optim.adam, ("b1", "b2", "eps")),
}

# `make(learning_rate, length of the run, **numbers)`
SCHEDULES = {
    "constant": Row(lambda rate, length: schedules.constant(rate)),
    "inverse_time": Row(
        lambda initial, length, rate, period: schedules.inverse_time(
            initial, rate, decay_steps=_steps(length, period)
        ),
        ("rate", "period"),
    ),
    "exponential": Row(
        lambda initial, length, rate, period: schedules.exponential(
            initial, rate, decay_steps=_steps(length, period)
        ),
        ("rate", "period"),
    ),
    "inverse_sqrt": Row(
        lambda initial, length, period: schedules.inverse_sqrt(
            initial, decay_steps=_steps(length, period)
        ),
        ("period",),
    ),
    "linear": Row(
        lambda initial, length, final: schedules.linear(initial, final, steps=length.steps),
        ("final",),
    ),
    "cosine": Row(
        lambda initial, length, final: schedules.cosine(initial, final=final, steps=length.steps),
        ("final",),
    ),
}


def build_optimizer(config: Config) -> Callable[[RunLength], optax.GradientTransformation]:
    """Return what `fit` takes as `optimizer`."""
    rule, decay = OPTIMIZERS[config.optimizer.kind], SCHEDULES[config.schedule.kind]
    limit = config.optimizer.clip_norm

    def build(length: RunLength) -> optax.GradientTransformation:
        numbers = _numbers(config.schedule, decay)
        rate = decay.make(config.optimizer.learning_rate, length, **numbers)
        optimizer = rule.make(rate, **_numbers(config.optimizer, rule))
        return optim.chain(optim.clip_by_global_norm(limit), optimizer) if limit else optimizer

    return build


def without_effect(config: Config) -> list[str]:
    """Return a sentence for each number that was set and that the chosen kind does not use."""
    rule, decay = OPTIMIZERS[config.optimizer.kind], SCHEDULES[config.schedule.kind]
    used = {"optimizer": ("learning_rate", "clip_norm", *rule.numbers), "schedule": decay.numbers}
    return [
        f"{section}.{field.name} = {getattr(values, field.name)} has no effect with "
        f"{section}.kind = {values.kind}"
        for section, values in (("optimizer", config.optimizer), ("schedule", config.schedule))
        for field in dataclasses.fields(values)
        if field.name not in ("kind", *used[section])
        and getattr(values, field.name) != field.default
    ]


@functools.lru_cache
def build_objective(
    model: Model, penalty: Penalty, axes: int, outputs: int, classes: bool, examples: int
) -> train.Supervised:
    """Return the objective; equal arguments give the same one, so nothing compiles twice.

    Args:
      model: the network.
      penalty: the price of large kernels.
      axes: axes of one example; more than one are flattened.
      outputs: numbers the network gives for an example.
      classes: whether they are logits of classes.
      examples: size of the training set.
    """
    loss: Metric = losses.softmax_cross_entropy if classes else losses.squared_error
    metrics = {"accuracy": losses.accuracy} if classes else {}
    layer = _build_layer(model, axes, outputs)
    return train.supervised(layer, loss, penalty=_build_penalty(penalty, examples), metrics=metrics)


def _build_layer(model: Model, axes: int, outputs: int) -> Layer:
    layers = [nn.lift(_flatten)] if axes > 1 else []
    for units in model.hidden:
        kernel_init = INITIALIZERS[model.initializer]()
        layers.append(nn.dense(units, use_bias=not model.batch_norm, kernel_init=kernel_init))
        if model.batch_norm:
            layers.append(nn.batch_norm())
        layers.append(nn.lift(ACTIVATIONS[model.activation]))
        if model.keep_prob < 1:
            layers.append(nn.dropout(keep_prob=model.keep_prob))
    return nn.sequential(*layers, nn.dense(outputs, name="head"))


def _build_penalty(penalty: Penalty, examples: int) -> Callable | None:
    prices = [(losses.l1_penalty, penalty.l1), (losses.l2_penalty, penalty.l2)]
    used = [(price, strength) for price, strength in prices if strength]
    if not used:
        return None
    return lambda params: sum(price(params, s, examples=examples) for price, s in used)


def _numbers(section: Optimizer | Schedule, row: Row) -> dict[str, float]:
    return {name: getattr(section, name) for name in row.numbers}


def _steps(length: RunLength, epochs: float) -> int:
    return max(1, round(epochs * length.steps_per_epoch))


def _flatten(x):
    return x.reshape(x.shape[0], -1)
