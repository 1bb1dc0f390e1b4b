"""Schedules made of schedules: one after another, and a gentle start."""

import dataclasses
import itertools
from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxopt_dl._core.errors import check_callable, fail, is_traced
from jaxopt_dl._core.trees import as_pytree
from jaxopt_dl._core.types import Array, Number

from ._numbers import as_count, as_float, length


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Join:
    """Schedules one after another, made by `join`; its fields are they and their starts.

    Examples:
      >>> from jaxopt_dl.schedules import constant, linear
      >>> schedule = join(constant(0.1), linear(0.1, 0.0, steps=2), boundaries=(3,))
      >>> schedule.schedules[0], schedule.boundaries
      (Constant(value=0.1), (3,))
    """

    schedules: tuple[Callable, ...]
    boundaries: tuple[Number, ...]

    def __call__(self, count: Number) -> Array:
        """Return the value at `count`, a scalar."""
        count = as_count(count)
        value = as_float(self.schedules[0](count))
        for schedule, boundary in zip(self.schedules[1:], self.boundaries, strict=True):
            start = as_count(boundary)
            later = as_float(schedule(jnp.maximum(count - start, 0)))
            value = jnp.where(count < start, value, later)
        return value


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Warmup:
    """A rise before a schedule, made by `warmup`; its fields are the two.

    Examples:
      >>> from jaxopt_dl.schedules import constant
      >>> warmup(constant(0.1), steps=3)
      Warmup(schedule=Constant(value=0.1), steps=3)
    """

    schedule: Callable
    steps: Number

    def __call__(self, count: Number) -> Array:
        """Return the value at `count`, a scalar."""
        count, steps = as_count(count), as_count(self.steps)
        share = jnp.minimum(as_float(count + 1) / as_float(steps + 1), 1.0)
        return share * as_float(self.schedule(jnp.maximum(count - steps, 0)))


def join(*schedules: Callable, boundaries: tuple[Number, ...]) -> Join:
    """Follow one schedule after another; each starts at its own count 0.

    Args:
      *schedules: at least one function of the count.
      boundaries: for each schedule but the first, the count of its first update: rising
        integers of at least 1.

    Returns:
      A schedule: a function of the count (0 at the first update) and a pytree of all numbers.

    Raises:
      TypeError: if a schedule is not a function, or a boundary no integer.
      ValueError: if the numbers of schedules and boundaries do not match, or boundaries do not
        rise.

    Examples:
      >>> from jaxopt_dl.schedules import constant, linear
      >>> schedule = join(constant(0.1), linear(0.1, 0.0, steps=2), boundaries=(3,))
      >>> [round(float(schedule(count)), 3) for count in range(6)]
      [0.1, 0.1, 0.1, 0.1, 0.05, 0.0]
    """
    if len(schedules) != len(boundaries) + 1:
        came = f"got {len(schedules)} schedules and {len(boundaries)} boundaries"
        advice = "Say where each schedule but the first starts."
        fail("join", "there must be one schedule more than boundaries", came, advice)
    starts = tuple(length("join", "boundaries", boundary) for boundary in boundaries)
    known = [int(start) for start in starts if not is_traced(start)]
    if any(later <= earlier for earlier, later in itertools.pairwise(known)):
        fail("join", "`boundaries` must rise", f"got {known}", "Sort them and drop repetitions.")
    return Join(tuple(_schedule("join", schedule) for schedule in schedules), starts)


def warmup(schedule: Callable, *, steps: Number) -> Warmup:
    """Rise to the first value of a schedule on a straight line, then follow it.

        value = schedule(0) * (count + 1) / (steps + 1)    for count < steps
        value = schedule(count - steps)                    from there on

    The first value is not zero, so that no update is without effect.

    Args:
      schedule: what follows, a function of the count.
      steps: updates before it, an integer of at least 1.

    Returns:
      A schedule: a function of the count (0 at the first update) and a pytree of all numbers.

    Raises:
      TypeError: if `schedule` is not a function, or `steps` no integer.
      ValueError: if `steps` is below 1.

    Examples:
      >>> from jaxopt_dl.schedules import linear
      >>> schedule = warmup(linear(0.4, 0.0, steps=2), steps=3)
      >>> [round(float(schedule(count)), 3) for count in range(6)]
      [0.1, 0.2, 0.3, 0.4, 0.2, 0.0]

    References:
      Goyal et al., "Accurate, Large Minibatch SGD: Training ImageNet in 1 Hour", 2017, section
      2.2. https://arxiv.org/abs/1706.02677
    """
    return Warmup(_schedule("warmup", schedule), length("warmup", "steps", steps))


def _schedule(who: str, schedule: Callable) -> Callable:
    check_callable(who, "schedule", schedule)
    return as_pytree(schedule)
