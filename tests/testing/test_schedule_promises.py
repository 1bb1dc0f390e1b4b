"""For every promise of schedules, a schedule that breaks it, and what is said then."""

import dataclasses
import itertools

import jax
import jax.numpy as jnp
import optax
import pytest

from jaxopt_dl import schedules, testing
from jaxopt_dl.testing import _schedule_numbers
from jaxopt_dl.testing._schedules import PROMISES
from tests.testing.broken import Broken, assert_found, name_of


def by_calls():
    """A schedule that counts for itself and ignores the count."""
    calls = itertools.count()
    return lambda count: 0.5 ** next(calls)


def stepwise(count):
    return 0.1 if count < 5 else 0.01


BROKEN = [
    Broken("returns_a_scalar", lambda count: jnp.ones(2), r"Given a count of type int: got shape"),
    Broken("returns_a_scalar", lambda count: "0.1", "It raised TypeError"),
    Broken("returns_a_scalar", lambda count: None, "Given a count of type int: got None"),
    Broken("repeats_itself", by_calls(), "Given count 0, a second call .* differs by up to"),
    Broken("is_finite", lambda count: 1.0 - 0.1 * count, "Given count 11: got -0.1"),
    Broken("is_finite", lambda count: 1.0 / count, "Given count 0: got inf"),
    Broken("compiles", stepwise, "It raised TracerBoolConversionError"),
    Broken("is_applied", by_calls(), "Given count 0: the value differs by up to"),
]


@pytest.mark.parametrize("case", BROKEN, ids=name_of)
def test_a_fault_is_found_and_named(case):
    assert_found("check_schedule", PROMISES, case)


def test_a_schedule_that_counts_for_itself_is_named_by_the_promise_that_explains_it():
    with pytest.raises(AssertionError, match="broken promise: The same count gives the same value"):
        testing.check_schedule(by_calls())


def test_every_promise_can_be_broken():
    assert {case.promise for case in BROKEN} == {promise.__name__ for promise in PROMISES}


@pytest.mark.parametrize(
    "schedule",
    [
        schedules.warmup(schedules.cosine(0.1, steps=10), steps=3),
        lambda count: 0.1,
        lambda count: 0.1 / (1 + count),
        optax.cosine_decay_schedule(0.1, 10),
        optax.piecewise_constant_schedule(0.1, {5: 0.1}),
    ],
    ids=["ours", "constant", "inverse", "optax cosine", "optax steps"],
)
def test_a_sound_schedule_passes(schedule):
    testing.check_schedule(schedule)


def test_strictness_is_asked_for_alone_and_named():
    with pytest.raises(AssertionError, match="without any promotion.*TypePromotionError"):
        testing.check_schedule(optax.cosine_decay_schedule(0.1, 10), strict=True)


@dataclasses.dataclass
class Hidden:
    """A schedule that hides its number from JAX."""

    factor: float

    def __call__(self, count):
        return jnp.asarray(self.factor, float) ** jnp.asarray(count, float)


@jax.tree_util.register_dataclass
@dataclasses.dataclass
class Open(Hidden):
    """The same with its number as a leaf."""


@jax.tree_util.register_dataclass
@dataclasses.dataclass
class Named(Hidden):
    """One that keeps something else of the number."""

    name: str = dataclasses.field(metadata={"static": True})


@jax.tree_util.register_dataclass
@dataclasses.dataclass
class Weak(Hidden):
    """One that returns a Python number."""

    def __call__(self, count):
        return 0.5


BROKEN_NUMBERS = [
    Broken("has_leaves", Hidden, "Given `factor` of 0.5: got the leaves"),
    Broken("has_one_structure", lambda factor: Named(factor, str(factor)), "traced a second time"),
    Broken("returns_a_strong_type", Weak, "Given a count of type int: got a float"),
    Broken("needs_no_device", lambda factor: Open(jnp.float32(factor)), "got a ArrayImpl"),
]


@pytest.mark.parametrize("case", BROKEN_NUMBERS, ids=name_of)
def test_numbers_that_are_no_data_are_found_and_named(case):
    piece = (case.piece, {"factor": 0.5})
    assert_found("check_numbers_are_data", _schedule_numbers.PROMISES, case._replace(piece=piece))


def test_every_promise_about_numbers_can_be_broken():
    names = {promise.__name__ for promise in _schedule_numbers.PROMISES}
    assert {case.promise for case in BROKEN_NUMBERS} == names


def test_a_schedule_with_open_numbers_passes():
    testing.check_numbers_are_data(Open, {"factor": 0.5})
