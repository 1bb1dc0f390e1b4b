"""The table of schedules. A new schedule is one more row."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import optax

from jaxopt_dl import schedules


@dataclasses.dataclass(frozen=True)
class Case:
    """One schedule, and what it is compared with.

    Attributes:
      name: the id of its tests.
      make: `make(**numbers)` returns the schedule.
      numbers: every number it takes; integers are lengths in steps.
      reference: the formula in NumPy, `reference(count, **numbers)`.
      peer: the same schedule in optax, `peer(**numbers)`, where optax has it.
    """

    name: str
    make: Callable[..., Any]
    numbers: dict[str, Any]
    reference: Callable[..., Any]
    peer: Callable[..., Any] | None = None

    @property
    def real_numbers(self) -> list[str]:
        return [name for name, value in self.numbers.items() if isinstance(value, float)]

    @property
    def lengths(self) -> list[str]:
        return [name for name, value in self.numbers.items() if isinstance(value, int)]


def _inverse_time(count, initial, rate, decay_steps):
    return initial / (1.0 + rate * count / decay_steps)


def _inverse_time_stairs(count, initial, rate, decay_steps):
    return initial / (1.0 + rate * (count // decay_steps))


def _exponential(count, initial, rate, decay_steps):
    return initial * rate ** (count / decay_steps)


def _exponential_stairs(count, initial, rate, decay_steps):
    return initial * rate ** (count // decay_steps)


def _inverse_sqrt(count, initial, k, decay_steps):
    return k / np.sqrt(1.0 + count / decay_steps) * initial


def _linear(count, initial, final, steps):
    share = min(count / steps, 1.0)
    return (1.0 - share) * initial + share * final


def _cosine(count, initial, final, steps):
    return final + (initial - final) * (1.0 + np.cos(np.pi * min(count / steps, 1.0))) / 2.0


def _warmup(count, initial, rate, steps):
    if count < steps:
        return initial * (count + 1.0) / (steps + 1.0)
    return initial * rate ** (count - steps)


def _join(count, value, initial, boundary):
    return value if count < boundary else initial / (1.0 + 0.5 * (count - boundary))


CASES = [
    Case(
        "constant",
        schedules.constant,
        {"value": 0.3},
        lambda count, value: value,
        lambda value: optax.constant_schedule(value),
    ),
    Case(
        "inverse_time",
        schedules.inverse_time,
        {"initial": 0.3, "rate": 0.7, "decay_steps": 3},
        _inverse_time,
    ),
    Case(
        "inverse_time_stairs",
        functools.partial(schedules.inverse_time, staircase=True),
        {"initial": 0.3, "rate": 0.7, "decay_steps": 3},
        _inverse_time_stairs,
    ),
    Case(
        "exponential",
        schedules.exponential,
        {"initial": 0.3, "rate": 0.8, "decay_steps": 3},
        _exponential,
        lambda initial, rate, decay_steps: optax.exponential_decay(initial, decay_steps, rate),
    ),
    Case(
        "exponential_stairs",
        functools.partial(schedules.exponential, staircase=True),
        {"initial": 0.3, "rate": 0.8, "decay_steps": 3},
        _exponential_stairs,
        lambda initial, rate, decay_steps: optax.exponential_decay(
            initial, decay_steps, rate, staircase=True
        ),
    ),
    Case(
        "inverse_sqrt",
        schedules.inverse_sqrt,
        {"initial": 0.3, "k": 1.4, "decay_steps": 3},
        _inverse_sqrt,
    ),
    Case(
        "linear",
        schedules.linear,
        {"initial": 0.3, "final": 0.07, "steps": 11},
        _linear,
        lambda initial, final, steps: optax.linear_schedule(initial, final, steps),
    ),
    Case(
        "cosine",
        schedules.cosine,
        {"initial": 0.3, "final": 0.06, "steps": 11},
        _cosine,
        lambda initial, final, steps: optax.cosine_decay_schedule(initial, steps, final / initial),
    ),
    Case(
        "warmup",
        lambda initial, rate, steps: schedules.warmup(
            schedules.exponential(initial, rate), steps=steps
        ),
        {"initial": 0.3, "rate": 0.8, "steps": 4},
        _warmup,
    ),
    Case(
        "join",
        lambda value, initial, boundary: schedules.join(
            schedules.constant(value),
            schedules.inverse_time(initial, 0.5),
            boundaries=(boundary,),
        ),
        {"value": 0.2, "initial": 0.3, "boundary": 5},
        _join,
    ),
]
