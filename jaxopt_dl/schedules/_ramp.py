"""Schedules that arrive and stay: constant, linear, cosine."""

import dataclasses

import jax
import jax.numpy as jnp

from jaxopt_dl._core.types import Array, Number

from ._numbers import as_float, between, length, progress, real


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Constant:
    """One value for ever, made by `constant`; its fields are its numbers.

    Examples:
      >>> constant(0.1)
      Constant(value=0.1)
    """

    value: Number

    def __call__(self, count: Number) -> Array:
        """Return the value at `count`, a scalar."""
        del count
        return as_float(self.value)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Linear:
    """A straight line between two values, made by `linear`; its fields are its numbers.

    Examples:
      >>> schedule = linear(0.1, 0.0, steps=100)
      >>> jax.tree.map(lambda number: number / 2, schedule)  # a pytree of its numbers
      Linear(initial=0.05, final=0.0, steps=50.0)
    """

    initial: Number
    final: Number
    steps: Number

    def __call__(self, count: Number) -> Array:
        """Return the value at `count`, a scalar."""
        return between(self.initial, self.final, progress(count, self.steps))


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Cosine:
    """Half a cosine wave, made by `cosine`; its fields are its numbers.

    Examples:
      >>> cosine(0.1, steps=100)
      Cosine(initial=0.1, final=0.0, steps=100)
    """

    initial: Number
    final: Number
    steps: Number

    def __call__(self, count: Number) -> Array:
        """Return the value at `count`, a scalar."""
        share = (1 - jnp.cos(jnp.pi * progress(count, self.steps))) / 2
        return between(self.initial, self.final, share)


def constant(value: Number) -> Constant:
    """Keep one value.

    A rule takes a plain number as well; this is for places that need a schedule.

    Args:
      value: at least 0.

    Returns:
      A schedule: a function of the count and a pytree of its number.

    Raises:
      TypeError: if `value` is not a number.
      ValueError: if `value` is negative or not finite.

    Examples:
      >>> print(constant(0.5)(100))
      0.5
    """
    return Constant(real("constant", "value", value))


def linear(initial: Number, final: Number, *, steps: Number) -> Linear:
    """Go from one value to another on a straight line, then stay there.

        value = (1 - s) * initial + s * final,   s = min(count / steps, 1)

    Args:
      initial: value at count 0, at least 0.
      final: value from count `steps` on, at least 0; it may be the larger one.
      steps: length of the line, an integer of at least 1.

    Returns:
      A schedule: a function of the count (0 at the first update) and a pytree of its numbers.

    Raises:
      TypeError: if a number is not a number, or `steps` is no integer.
      ValueError: if a number is out of range.

    Examples:
      >>> schedule = linear(0.1, 0.001, steps=100)
      >>> [round(float(schedule(count)), 5) for count in (0, 25, 50, 100, 150)]
      [0.1, 0.07525, 0.0505, 0.001, 0.001]

    References:
      Goodfellow, Bengio and Courville, "Deep Learning", 2016, equation 8.14.
    """
    return Linear(
        real("linear", "initial", initial),
        real("linear", "final", final),
        length("linear", "steps", steps),
    )


def cosine(initial: Number, *, steps: Number, final: Number = 0.0) -> Cosine:
    """Fall along half a cosine wave, slowly at both ends, then stay there.

        value = final + (initial - final) * (1 + cos(pi * s)) / 2,   s = min(count / steps, 1)

    Args:
      initial: value at count 0, at least 0.
      steps: length of the half wave, an integer of at least 1.
      final: value from count `steps` on, at least 0.

    Returns:
      A schedule: a function of the count (0 at the first update) and a pytree of its numbers.

    Raises:
      TypeError: if a number is not a number, or `steps` is no integer.
      ValueError: if a number is out of range.

    Examples:
      >>> schedule = cosine(0.1, steps=100)
      >>> [round(float(schedule(count)), 4) for count in (0, 25, 50, 100)]
      [0.1, 0.0854, 0.05, 0.0]

    References:
      Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", 2017,
      equation 5, without restarts. https://arxiv.org/abs/1608.03983
    """
    return Cosine(
        real("cosine", "initial", initial),
        real("cosine", "final", final),
        length("cosine", "steps", steps),
    )
