"""The host's side of the batches: data that lies on the device, or chunks read ahead of use."""

import abc
import concurrent.futures
import contextlib
import functools

import jax
import jax.numpy as jnp
import numpy as np

from jaxopt_dl import data as data_tools
from jaxopt_dl._core import keys
from jaxopt_dl._core.types import Batch, Key

from ._parallel import replicate
from ._plan import Plan
from ._source import Chunk, InMemory, Ordered, Source
from ._stream import ArrayReader, IterableReader, Reader, Stream
from ._validate import is_on_disk

CHUNK_BYTES = 2**25
"""About how much one chunk holds; three of them exist at a time."""

MANY_ROWS = 2**14
"""From here on sorting takes milliseconds, and an epoch is long enough to be a call of its own."""


class Supply(contextlib.AbstractContextManager, abc.ABC):
    """What a run takes its sources from; leaving it lets go of what was opened."""

    @abc.abstractmethod
    def at(self, step: int) -> tuple[Source, int]:
        """Return the source that holds a step, and the step at which it ends."""

    def __exit__(self, *error: object) -> None:
        """Let go of what was opened."""


class Resident(Supply):
    """A data set that stays on the device for the whole run."""

    def __init__(self, data: Batch):
        self._source = InMemory(data)

    def at(self, step: int) -> tuple[Source, int]:
        """Return the data set, whatever the step."""
        return self._source, 2**31


class Sorted(Supply):
    """A large data set that stays on the device; its order is found once per epoch."""

    def __init__(self, data: Batch, plan: Plan, rows: int, order: Key):
        self._data, self._plan, self._rows = data, plan, rows
        self._order, self._steps = order, plan.steps_per_epoch(rows)
        self._held: tuple[int, Ordered] | None = None

    def at(self, step: int) -> tuple[Source, int]:
        """Return the data set in the order of the step's epoch, and where that epoch ends."""
        epoch = step // self._steps
        if self._held is None or self._held[0] != epoch:
            batches = replicate(self._plan.mesh, _order(self._plan, self._rows, self._order, epoch))
            self._held = epoch, Ordered(self._data, batches)
        return self._held[1], (epoch + 1) * self._steps


class Prefetched(Supply):
    """Chunks of batches; while one is trained on, a thread reads the next and sends it."""

    def __init__(self, reader: Reader, plan: Plan, steps_per_epoch: int):
        self._reader, self._plan, self._steps = reader, plan, steps_per_epoch
        self._batches = min(steps_per_epoch, max(1, CHUNK_BYTES // max(reader.batch_bytes, 1)))
        self._thread = concurrent.futures.ThreadPoolExecutor(1, "jaxopt_dl-prefetch")
        # The scope of float64 belongs to a thread.
        self._wide = jnp.result_type(float) == np.float64
        self._held: tuple[tuple[int, int], Chunk] | None = None
        self._next: tuple[tuple[int, int], concurrent.futures.Future] | None = None

    def at(self, step: int) -> tuple[Source, int]:
        """Return the chunk that holds a step; errors of reading are raised here."""
        epoch, place = divmod(step, self._steps)
        first = place - place % self._batches
        if self._held is None or self._held[0] != (epoch, first):
            self._held = (epoch, first), self._fetch(epoch, first)
            self._read_ahead(epoch, first + self._batches)
        return self._held[1], epoch * self._steps + min(first + self._batches, self._steps)

    def __exit__(self, *error: object) -> None:
        """End the thread; what it reads is dropped."""
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _fetch(self, epoch: int, first: int) -> Chunk:
        if self._next is not None and self._next[0] == (epoch, first):
            return self._next[1].result()
        return self._read(epoch, first)

    def _read_ahead(self, epoch: int, first: int) -> None:
        if first >= self._steps:
            epoch, first = epoch + 1, 0
        self._next = (epoch, first), self._thread.submit(self._read, epoch, first)

    def _read(self, epoch: int, first: int) -> Chunk:
        with jax.enable_x64(self._wide):
            return self._sent(epoch, first)

    def _sent(self, epoch: int, first: int) -> Chunk:
        count = min(self._batches, self._steps - first)
        batches, masks = self._reader.read(epoch, first, count)
        missing = self._batches - count
        if missing:  # One form for every chunk, so that one program serves them all.
            pad = lambda x: np.pad(x, [(0, missing)] + [(0, 0)] * (x.ndim - 1))  # noqa: E731
            batches, masks = jax.tree.map(pad, batches), pad(masks)
        chunk = Chunk(batches, masks, np.asarray(first, np.int32), self._steps, self._reader.full)
        chunk = jax.device_put(chunk)
        return jax.block_until_ready(replicate(self._plan.mesh, chunk))


def make_supply(plan: Plan, data: Batch | Stream, arrays: Batch, order: Key) -> Supply:
    """Return the supply of a run.

    Args:
      plan: the form of the program.
      data: what `fit` was given.
      arrays: the same, checked; of a stream, its first batch.
      order: the stream of the order of examples.
    """
    if isinstance(data, Stream):
        short = not plan.drop_last
        reader = IterableReader(data, arrays, plan.batch_size, may_be_short=short)
        return Prefetched(reader, plan, data.steps_per_epoch)
    rows = len(next(iter(arrays.values())))
    if not any(map(is_on_disk, arrays.values())):
        on_device = {name: jnp.asarray(values) for name, values in arrays.items()}
        on_device = replicate(plan.mesh, on_device)
        return Sorted(on_device, plan, rows, order) if rows >= MANY_ROWS else Resident(on_device)
    in_epoch = lambda epoch: _order(plan, rows, order, epoch)  # noqa: E731
    reader = ArrayReader(arrays, in_epoch, plan.batch_size, full=plan.always_full(rows))
    return Prefetched(reader, plan, plan.steps_per_epoch(rows))


@functools.partial(jax.jit, static_argnums=(0, 1))
def _order(plan: Plan, rows: int, order: Key, epoch: int) -> data_tools.Batches:
    return plan.batches(keys.at(order, epoch), rows)
