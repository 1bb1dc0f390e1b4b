"""Where the compiled program takes its batches from: data on the device, or a chunk of batches."""

import dataclasses
from collections.abc import Callable
from typing import Protocol

import jax
import jax.numpy as jnp
import numpy as np

from jaxopt_dl._core.types import Array, Batch, Key
from jaxopt_dl.data import Batches

from ._plan import Plan


class Source(Protocol):
    """A pytree of arrays from which steps take their batches."""

    def steps_per_epoch(self, plan: Plan) -> int:
        """Return the number of updates in one pass."""
        ...

    def epoch(self, plan: Plan, key: Key) -> Callable[[Array], Batch]:
        """Return the batches of one epoch, by their place in it; `key` decides their order."""
        ...


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class InMemory:
    """A whole data set on the device, `(rows, ...)` each."""

    data: Batch

    def steps_per_epoch(self, plan: Plan) -> int:
        """Return the number of updates in one pass."""
        return plan.steps_per_epoch(_rows(self.data))

    def epoch(self, plan: Plan, key: Key) -> Callable[[Array], Batch]:
        """Return the batches of one epoch, gathered when they are asked for."""
        return _gathered(plan, self.data, plan.batches(key, _rows(self.data)))


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Ordered:
    """A whole data set on the device, and the order of one epoch, found beforehand.

    A program that finds the order itself does so in every call, and many rows take long to sort.
    """

    data: Batch
    batches: Batches

    def steps_per_epoch(self, plan: Plan) -> int:
        """Return the number of updates in one pass."""
        return InMemory(self.data).steps_per_epoch(plan)

    def epoch(self, plan: Plan, key: Key) -> Callable[[Array], Batch]:
        """Return the batches of the epoch this is the order of."""
        return _gathered(plan, self.data, self.batches)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Chunk:
    """Some batches of an epoch, `(batches, batch_size, ...)` each, already in their order.

    Attributes:
      batches: name -> rows.
      masks: which rows are real, `(batches, batch_size)`.
      first: place of the first batch in its epoch.
      steps: batches in an epoch.
      full: whether no batch has rows of padding.
    """

    batches: Batch
    masks: Array | np.ndarray
    first: Array | np.ndarray
    steps: int = dataclasses.field(metadata={"static": True})
    full: bool = dataclasses.field(metadata={"static": True})

    def steps_per_epoch(self, plan: Plan) -> int:
        """Return the number of updates in one pass."""
        return self.steps

    def epoch(self, plan: Plan, key: Key) -> Callable[[Array], Batch]:
        """Return the batches that are here; the host has put them in order."""
        mask_at = _masks(self.masks, self.full)

        def batch(place: Array) -> Batch:
            here = place - self.first
            rows = {name: values[here] for name, values in self.batches.items()}
            return with_weight(rows, mask_at(here))

        return batch


def _rows(data: Batch) -> int:
    return next(iter(data.values())).shape[0]


def _gathered(plan: Plan, data: Batch, batches: Batches) -> Callable[[Array], Batch]:
    mask_at = _masks(batches.mask, plan.always_full(_rows(data)))
    return lambda place: take(data, batches.indices[place], mask_at(place))


def _masks(masks: Array | np.ndarray, full: bool) -> Callable[[Array], Array]:
    """Return the mask of a batch by its place: a constant, where it can be.

    The compiler then removes every operation that asks it, 7 % of a step of a small network.
    What it removes may change the rounding, so data that takes another way has to agree here.
    """
    constant = jnp.ones(masks.shape[1:], bool)
    return lambda place: constant if full else jnp.asarray(masks)[place]


def take(data: Batch, indices: Array, mask: Array) -> dict[str, Array]:
    """Gather the rows of one batch; add `weight`, 0 on padding, and `mask`, where it is not 0."""
    return with_weight({name: values[indices] for name, values in data.items()}, mask)


def with_weight(batch: Batch, mask: Array) -> dict[str, Array]:
    """Add `weight`, 0 outside the mask, and `mask`, where it is not 0."""
    weight = batch.get("weight", jnp.ones(mask.shape, float))
    weight = jnp.where(mask, weight, jnp.zeros_like(weight))
    return {**batch, "weight": weight, "mask": weight > 0}
