"""Schedules that fall for ever: inverse time, exponential, inverse square root."""

import dataclasses

import jax
import jax.numpy as jnp

from jaxopt_dl._core.errors import check_choice
from jaxopt_dl._core.types import Array, Number

from ._numbers import as_float, length, periods, real

_STATIC = {"static": True}


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class InverseTime:
    """Decay as one over time, made by `inverse_time`; its fields are its numbers.

    Examples:
      >>> schedule = inverse_time(0.2, 1.0, decay_steps=17)
      >>> schedule.rate, schedule.decay_steps
      (1.0, 17)
    """

    initial: Number
    rate: Number
    decay_steps: Number
    staircase: bool = dataclasses.field(metadata=_STATIC)

    def __call__(self, count: Number) -> Array:
        """Return the value at `count`, a scalar."""
        elapsed = periods(count, self.decay_steps, staircase=self.staircase)
        return as_float(self.initial) / (1 + as_float(self.rate) * elapsed)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Exponential:
    """Decay by a factor per period, made by `exponential`; its fields are its numbers.

    Examples:
      >>> exponential(0.2, 0.95)
      Exponential(initial=0.2, rate=0.95, decay_steps=1, staircase=False)
    """

    initial: Number
    rate: Number
    decay_steps: Number
    staircase: bool = dataclasses.field(metadata=_STATIC)

    def __call__(self, count: Number) -> Array:
        """Return the value at `count`, a scalar."""
        elapsed = periods(count, self.decay_steps, staircase=self.staircase)
        return as_float(self.initial) * jnp.power(as_float(self.rate), elapsed)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class InverseSqrt:
    """Decay as one over the root of time, made by `inverse_sqrt`; its fields are its numbers.

    Examples:
      >>> jax.tree.leaves(inverse_sqrt(0.2, decay_steps=17))  # the numbers, as data
      [0.2, 1.0, 17]
    """

    initial: Number
    k: Number
    decay_steps: Number
    staircase: bool = dataclasses.field(metadata=_STATIC)

    def __call__(self, count: Number) -> Array:
        """Return the value at `count`, a scalar."""
        elapsed = periods(count, self.decay_steps, staircase=self.staircase)
        return as_float(self.initial) * as_float(self.k) / jnp.sqrt(1 + elapsed)


def inverse_time(
    initial: Number, rate: Number, *, decay_steps: Number = 1, staircase: bool = False
) -> InverseTime:
    """Decay as one over time.

        value = initial / (1 + rate * count / decay_steps)

    Args:
      initial: value at count 0, at least 0.
      rate: at least 0; after `1 / rate` periods the value has halved.
      decay_steps: steps of one period, an integer of at least 1; the steps of an epoch make
        `rate` count epochs.
      staircase: whether `count / decay_steps` is rounded down, by exact integer division.

    Returns:
      A schedule: a function of the count (0 at the first update) and a pytree of its numbers.

    Raises:
      TypeError: if a number is not a number, or `decay_steps` is no integer.
      ValueError: if a number is out of range, or `staircase` is not a bool.

    Examples:
      >>> schedule = inverse_time(0.2, 1.0)
      >>> [round(float(schedule(count)), 4) for count in range(4)]
      [0.2, 0.1, 0.0667, 0.05]
    """
    return InverseTime(
        real("inverse_time", "initial", initial),
        real("inverse_time", "rate", rate),
        *_period("inverse_time", decay_steps, staircase),
    )


def exponential(
    initial: Number, rate: Number, *, decay_steps: Number = 1, staircase: bool = False
) -> Exponential:
    """Multiply by the same factor in every period.

        value = initial * rate ** (count / decay_steps)

    Args:
      initial: value at count 0, at least 0.
      rate: factor of one period, positive; below 1 the value decays.
      decay_steps: steps of one period, an integer of at least 1.
      staircase: whether `count / decay_steps` is rounded down, by exact integer division.

    Returns:
      A schedule: a function of the count (0 at the first update) and a pytree of its numbers.

    Raises:
      TypeError: if a number is not a number, or `decay_steps` is no integer.
      ValueError: if a number is out of range, or `staircase` is not a bool.

    Examples:
      >>> schedule = exponential(0.2, 0.95, decay_steps=17, staircase=True)
      >>> [round(float(schedule(count)), 4) for count in (0, 16, 17, 34)]
      [0.2, 0.2, 0.19, 0.1805]
    """
    return Exponential(
        real("exponential", "initial", initial),
        real("exponential", "rate", rate, low_open=True),
        *_period("exponential", decay_steps, staircase),
    )


def inverse_sqrt(
    initial: Number, k: Number = 1.0, *, decay_steps: Number = 1, staircase: bool = False
) -> InverseSqrt:
    """Decay as one over the square root of time.

        value = initial * k / sqrt(1 + count / decay_steps)

    Periods count from 1, so the value at count 0 is finite.

    Args:
      initial: at least 0; with `k = 1` the value at count 0.
      k: factor of all values, at least 0.
      decay_steps: steps of one period, an integer of at least 1.
      staircase: whether `count / decay_steps` is rounded down, by exact integer division.

    Returns:
      A schedule: a function of the count (0 at the first update) and a pytree of its numbers.

    Raises:
      TypeError: if a number is not a number, or `decay_steps` is no integer.
      ValueError: if a number is out of range, or `staircase` is not a bool.

    Examples:
      >>> schedule = inverse_sqrt(0.2)
      >>> [round(float(schedule(count)), 4) for count in range(4)]
      [0.2, 0.1414, 0.1155, 0.1]
    """
    return InverseSqrt(
        real("inverse_sqrt", "initial", initial),
        real("inverse_sqrt", "k", k),
        *_period("inverse_sqrt", decay_steps, staircase),
    )


def _period(who: str, decay_steps: Number, staircase: bool):
    check_choice(who, "staircase", staircase, (True, False))
    return length(who, "decay_steps", decay_steps), staircase
