"""Tables from names to pieces: complete, and each number where it belongs."""

import dataclasses
import typing
from typing import Any

import jax
import jax.numpy as jnp
import pytest

from jaxopt_dl import optim
from jaxopt_dl._core.types import RunLength
from jaxopt_dl.cli import _build, _config
from jaxopt_dl.cli._config import Config, Model, Optimizer, Penalty, Schedule

MODEL, FREE = Model(), Penalty()
LENGTH = RunLength(steps=100, steps_per_epoch=10)


def allowed(section: type, field: str) -> tuple[str, ...]:
    return typing.get_args(typing.get_type_hints(section)[field])


@pytest.mark.parametrize(
    ("section", "field", "table"),
    [
        (_config.Model, "activation", _build.ACTIVATIONS),
        (_config.Model, "initializer", _build.INITIALIZERS),
        (_config.Optimizer, "kind", _build.OPTIMIZERS),
        (_config.Schedule, "kind", _build.SCHEDULES),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_allowed_name_has_a_row_and_every_row_is_allowed(section, field, table):
    assert tuple(table) == allowed(section, field)


def applied_rates(config: Config, counts: list[int]) -> list[float]:
    """The learning rates that the built optimizer applies at these counts."""
    w = jnp.ones(3)
    rule = _build.build_optimizer(config)(LENGTH)
    state, rates = rule.init(w), []
    for _ in range(max(counts) + 1):
        rates.append(float(optim.applied_learning_rate(state)))
        _, state = rule.update(w, state, w)
    return [rates[count] for count in counts]


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (Schedule(), [0.5, 0.5, 0.5]),
        (Schedule(kind="inverse_time", rate=1.0), [0.5, 0.25, 1 / 6]),
        (Schedule(kind="inverse_time", rate=1.0, period=2.0), [0.5, 1 / 3, 0.25]),
        (Schedule(kind="exponential", rate=0.5), [0.5, 0.25, 0.125]),
        (Schedule(kind="exponential", rate=0.5, period=0.5), [0.5, 0.125, 0.03125]),
        (Schedule(kind="inverse_sqrt"), [0.5, 0.5 / 2**0.5, 0.5 / 3**0.5]),
        (Schedule(kind="linear", final=0.1), [0.5, 0.46, 0.42]),
        (Schedule(kind="cosine", final=0.1), [0.5, 0.49021130, 0.46180340]),
    ],
)
def test_a_schedule_counts_in_epochs(schedule, expected):
    config = Config(optimizer=Optimizer(kind="sgd", learning_rate=0.5), schedule=schedule)
    assert applied_rates(config, [0, 10, 20]) == pytest.approx(expected, rel=1e-6)


def hyperparams(optimizer: Optimizer) -> dict[str, float]:
    state: Any = _build.build_optimizer(Config(optimizer=optimizer))(LENGTH).init(jnp.ones(3))
    return {name: float(value) for name, value in state.hyperparams.items() if not callable(value)}


@pytest.mark.parametrize(
    ("optimizer", "expected"),
    [
        (Optimizer(kind="sgd"), {}),
        (Optimizer(kind="momentum", decay=0.25), {"decay": 0.25}),
        (Optimizer(kind="nesterov", decay=0.25), {"decay": 0.25}),
        (Optimizer(kind="rmsprop", decay=0.25, eps=0.5), {"decay": 0.25, "eps": 0.5}),
        (Optimizer(kind="adam", b1=0.25, b2=0.75, eps=0.5), {"b1": 0.25, "b2": 0.75, "eps": 0.5}),
    ],
    ids=lambda value: getattr(value, "kind", ""),
)
def test_an_optimizer_gets_its_numbers(optimizer, expected):
    found = hyperparams(optimizer)
    assert {name: found[name] for name in expected} == expected


def test_gradients_are_clipped_to_the_norm():
    rule = _build.build_optimizer(Config(optimizer=Optimizer(kind="sgd", clip_norm=2.0)))(LENGTH)
    w = jnp.array([30.0, -40.0])
    updates, _ = rule.update(w, rule.init(w), w)
    assert jnp.allclose(updates, -1e-3 * jnp.array([1.2, -1.6]))


@pytest.mark.parametrize(
    ("config", "note"),
    [
        (Config(optimizer=Optimizer(kind="sgd", b1=0.5)), "optimizer.b1 = 0.5"),
        (Config(optimizer=Optimizer(kind="adam", decay=0.5)), "optimizer.decay = 0.5"),
        (Config(schedule=Schedule(kind="constant", period=2.0)), "schedule.period = 2.0"),
        (Config(schedule=Schedule(kind="cosine", rate=0.5)), "schedule.rate = 0.5"),
    ],
)
def test_a_number_without_effect_is_told(config, note):
    assert [told.startswith(note) for told in _build.without_effect(config)] == [True]


def test_numbers_with_effect_are_not_told():
    optimizer = Optimizer(kind="rmsprop", learning_rate=0.5, decay=0.5, eps=0.5, clip_norm=1.0)
    schedule = Schedule(kind="exponential", rate=0.5, period=2.0)
    assert _build.without_effect(Config(optimizer=optimizer, schedule=schedule)) == []


def objective(model: Model = MODEL, penalty: Penalty = FREE, axes: int = 1):
    return _build.build_objective(model, penalty, axes, 3, True, 50)


def test_the_network_has_the_layers_of_the_configuration(key):
    model = Model(hidden=(7, 5), batch_norm=True, keep_prob=0.5)
    params, state = objective(model).layer.init(key, (4,))
    shapes = jax.tree.map(jnp.shape, params)
    assert shapes == {
        "00_dense": {"kernel": (4, 7)},
        "01_batch_norm": {"scale": (7,), "bias": (7,)},
        "04_dense": {"kernel": (7, 5)},
        "05_batch_norm": {"scale": (5,), "bias": (5,)},
        "head": {"kernel": (5, 3), "bias": (3,)},
    }
    assert set(state) == {"01_batch_norm", "05_batch_norm"}


def test_a_network_without_hidden_layers_is_linear(key):
    params, _ = objective(Model(hidden=())).layer.init(key, (4,))
    assert jax.tree.map(jnp.shape, params) == {"head": {"kernel": (4, 3), "bias": (3,)}}


def test_pictures_are_flattened(key):
    params, _ = objective(Model(hidden=()), axes=2).layer.init(key, (4, 5))
    assert params["head"]["kernel"].shape == (20, 3)


def test_penalties_are_divided_by_the_examples():
    penalty = objective(penalty=Penalty(l1=10.0, l2=100.0)).penalty
    params = {"head": {"kernel": jnp.array([[1.0, -2.0]]), "bias": jnp.ones(2)}}
    assert penalty is not None
    assert float(penalty(params)) == pytest.approx(10 * 3 / 50 + 100 * 5 / 2 / 50)


def test_equal_configurations_share_one_objective_so_nothing_compiles_twice():
    assert objective(dataclasses.replace(Model(hidden=(3,)))) is objective(Model(hidden=(3,)))
