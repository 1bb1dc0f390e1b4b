"""For every promise about a rule's numbers, a rule that breaks it, and what is said then."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
import pytest

from jaxopt_dl import optim, testing
from jaxopt_dl.testing._numbers import PROMISES, Subject, uses_its_numbers
from tests.testing.broken import Broken, assert_found, name_of


class Numbers(NamedTuple):
    hyperparams: dict[str, Any]


@functools.partial(jax.tree_util.register_dataclass, data_fields=(), meta_fields=("hyperparams",))
class Frozen:
    """A state whose numbers are part of the program."""

    def __init__(self, hyperparams):
        self.hyperparams = hyperparams


def step(updates, state, params=None, **extra):
    (rate,) = state.hyperparams.values()
    rate = rate(0) if callable(rate) else rate
    return jax.tree.map(lambda g: -g * jnp.asarray(rate, g.dtype), updates), state


def descent(fault, learning_rate):
    """Plain gradient descent with its rate in the state, and a fault planted by name."""
    name = "pace" if fault == "renamed" else "learning_rate"
    if fault == "deaf":
        learning_rate = 0.1
    if fault == "host":
        learning_rate = float(learning_rate)

    def init(params):
        frozen = fault == "frozen" or (fault == "frozen schedule" and callable(learning_rate))
        if frozen:
            return Frozen(Hashable({name: learning_rate}))
        rate = learning_rate if callable(learning_rate) else jnp.asarray(learning_rate, float)
        return Numbers({name: rate})

    update = functools.partial(step) if fault == "closure" else step
    return optax.GradientTransformationExtraArgs(init, update)


class Hashable(dict):
    def __hash__(self):
        return id(self)


def broken(promise, fault, says):
    numbers = {"learning_rate": 0.1}
    return Broken(promise, Subject(functools.partial(descent, fault), numbers), says)


def momentum_without(learning_rate, decay):
    """Momentum that keeps its second number in the state and never looks at it."""
    inner = optim.momentum(learning_rate, decay=0.5)

    def init(params):
        state: Any = inner.init(params)
        return state._replace(hyperparams={**state.hyperparams, "decay": jnp.asarray(decay, float)})

    def update(updates, state, params=None, **extra):
        fixed = {**state.hyperparams, "decay": jnp.float32(0.5)}
        after: Any
        moved, after = inner.update(updates, state._replace(hyperparams=fixed), params)
        return moved, after._replace(hyperparams=state.hyperparams)

    return optax.GradientTransformationExtraArgs(init, update)


BROKEN = [
    Broken(
        "uses_its_numbers",
        Subject(momentum_without, {"learning_rate": 0.1, "decay": 0.9}),
        "without effect: `decay`\\.",
    ),
    broken("uses_its_numbers", "deaf", "without effect: `learning_rate`"),
    broken("is_one_function", "closure", "got two functions"),
    broken("traces_once", "frozen", "Given the rule alone: .*traced a second time"),
    broken("traces_schedules_once", "frozen schedule", "Given the rule alone: .*second time"),
    broken("sweeps", "host", "Given float64: It raised ConcretizationTypeError"),
    broken("can_be_edited", "renamed", "Given another `learning_rate`: It raised ValueError"),
    broken("knows_its_rate", "renamed", "got None instead of 0.1"),
]


@pytest.mark.parametrize("case", BROKEN, ids=name_of)
def test_a_fault_is_found_and_named(case):
    assert_found("check_numbers_are_data", PROMISES, case._replace(piece=(case.piece,)))


def test_every_promise_can_be_broken():
    assert {case.promise for case in BROKEN} == {promise.__name__ for promise in PROMISES}


def test_a_rule_of_the_library_passes():
    testing.check_numbers_are_data(optim.momentum, {"learning_rate": 0.1, "decay": 0.9})


def test_what_makes_nothing_known_raises():
    with pytest.raises(TypeError, match="must return a rule or a schedule, got float"):
        testing.check_numbers_are_data(lambda rate: rate, {"rate": 0.1})


def test_a_number_that_only_a_value_brings_to_bear_is_tried_with_one():
    numbers = {"factor": 0.5, "patience": 2.0, "cooldown": 1.0}
    with pytest.raises(AssertionError, match="without effect: `cooldown`, `factor`, `patience`"):
        testing.check_numbers_are_data(optim.reduce_on_plateau, numbers)
    whole = Subject(optim.reduce_on_plateau, numbers, extra={"value": 1.0})
    uses_its_numbers(whole)


def test_parameters_without_leaves_raise():
    with pytest.raises(ValueError, match="check_numbers_are_data: `params` must hold at least one"):
        testing.check_numbers_are_data(optim.sgd, {"learning_rate": 0.1}, params={})
