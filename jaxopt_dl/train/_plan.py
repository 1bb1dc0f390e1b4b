"""What decides the form of the compiled program of a training."""

from collections.abc import Callable
from typing import NamedTuple

from jax.sharding import Mesh

from jaxopt_dl import data as data_tools
from jaxopt_dl._core.types import Key, Objective, Probe


class Plan(NamedTuple):
    """What decides the form of the program: hashable, compared by value."""

    objective: Objective
    update: Callable
    takes_value: bool
    has_plateau: bool
    averaged: bool
    monitor: str
    maximize: bool
    batch_size: int
    accumulate: int
    drop_last: bool
    order: str
    mesh: Mesh | None
    probes: tuple[Probe, ...]

    def steps_per_epoch(self, rows: int) -> int:
        """Return the number of updates in one pass over `rows` examples."""
        return data_tools.num_batches(rows, self.batch_size, drop_last=self.drop_last)

    def always_full(self, rows: int) -> bool:
        """Whether no batch of an epoch has rows of padding."""
        return self.order == "iid" or self.drop_last or rows % self.batch_size == 0

    def batches(self, key: Key, rows: int) -> data_tools.Batches:
        """Return the batches of one epoch; a last one that is dropped may be among them."""
        if self.order == "iid":
            return data_tools.iid_batches(key, rows, self.batch_size)
        if self.order == "given":
            return data_tools.ordered_batches(rows, self.batch_size)
        return data_tools.epoch_batches(key, rows, self.batch_size, drop_last=self.drop_last)
