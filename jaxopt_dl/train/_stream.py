"""Data that is read while the training runs: arrays on disk, iterables of batches."""

import dataclasses
import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Protocol

import jax.numpy as jnp
import numpy as np

from jaxopt_dl import data as data_tools
from jaxopt_dl._core.errors import check_integer, fail
from jaxopt_dl._core.types import Batch

Batches = Callable[[int], Iterable[Batch]]


@dataclasses.dataclass(frozen=True, eq=False)
class Stream:
    """Batches read while they are needed, made by `stream`.

    Attributes:
      batches: epoch, from 0 -> its batches in order.
      steps_per_epoch: how many of them an epoch has.

    Examples:
      >>> stream(lambda epoch: [{"x": np.ones((4, 2))}] * 3, steps_per_epoch=3).steps_per_epoch
      3
    """

    batches: Batches
    steps_per_epoch: int


def stream(batches: Batches | Iterable[Batch], *, steps_per_epoch: int | None = None) -> Stream:
    """Train on batches that are read, or made, while the training runs.

    A thread reads ahead and sends the next batches to the device while it computes. The order is
    that in which they come. The numbers are those of the same rows in memory: the same bits where
    both or neither may have a short batch (`remainder="drop"` rules it out), else up to rounding.

    Args:
      batches: a function of the epoch, counted from 0, that returns an iterable of batches; or an
        object that can be iterated again and again, such as a list or a loader. A batch is a dict
        of arrays that share their first axis of `batch_size` rows; with a masking objective a
        batch may be shorter. The first batch is read once more, to learn its form.
      steps_per_epoch: batches of an epoch, at least 1; None asks `len(batches)`.

    Returns:
      What `fit` takes as `data`.

    Raises:
      TypeError: if `batches` is neither, is an iterator that can be used only once, or has no
        length and `steps_per_epoch` is None.
      ValueError: if `steps_per_epoch` is below 1. While training: if an epoch ends early, or a
        batch has another form than the first or is not finite.

    Examples:
      >>> def batches(epoch):
      ...     draws = np.random.default_rng(epoch)
      ...     for _ in range(10):
      ...         yield {"x": draws.normal(size=(32, 4)), "y": draws.integers(0, 2, 32)}
      >>> stream(batches, steps_per_epoch=10).steps_per_epoch
      10
    """
    function = batches if callable(batches) else None
    if function is None:
        if isinstance(batches, Iterator) or not isinstance(batches, Iterable):
            came = f"got {type(batches).__name__}"
            advice = "Pass a function of the epoch that returns an iterable of batches."
            rule = "`batches` must be a function, or iterable again in every epoch"
            fail("stream", rule, came, advice, kind=TypeError)
        function = lambda epoch: batches  # noqa: E731
    if steps_per_epoch is None:
        steps_per_epoch = _length(batches)
    check_integer("stream", "steps_per_epoch", steps_per_epoch, low=1)
    return Stream(function, int(steps_per_epoch))


class Reader(Protocol):
    """What chunks are read with."""

    batch_bytes: int
    full: bool

    def read(self, epoch: int, first: int, count: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Return `count` batches of an epoch from place `first` on, and which rows are real."""
        ...


class ArrayReader:
    """Rows of arrays on the host or on disk, in an order that is decided for each epoch.

    Attributes:
      batch_bytes: size of one batch.
      full: whether no batch has rows of padding.
    """

    def __init__(
        self,
        arrays: Mapping[str, np.ndarray],
        order: Callable[[int], data_tools.Batches],
        batch_size: int,
        *,
        full: bool,
    ):
        self.full = full
        self._arrays, self._order = arrays, functools.lru_cache(maxsize=1)(order)
        self.batch_bytes = sum(x[:1].nbytes for x in arrays.values()) * batch_size

    def read(self, epoch: int, first: int, count: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Gather rows; a value that is not finite is refused with its row."""
        batches = self._order(epoch)
        indices = np.asarray(batches.indices[first : first + count])
        rows = {name: np.asarray(values[indices]) for name, values in self._arrays.items()}
        for name, values in rows.items():
            flat = values.reshape(-1, *values.shape[2:])
            _check_values(f"data[{name!r}] (rows as read in epoch {epoch + 1})", name, flat)
        return rows, np.asarray(batches.mask[first : first + count])


class IterableReader:
    """Batches of a stream, one after another.

    Attributes:
      batch_bytes: size of one batch.
      full: whether no batch has rows of padding.
    """

    def __init__(self, source: Stream, example: Batch, batch_size: int, *, may_be_short: bool):
        self.full = not may_be_short
        self._source, self._form = source, _form(example)
        self._batch_size, self._may_be_short = batch_size, may_be_short
        self._epoch, self._place, self._iterator = -1, 0, iter(())
        rows = len(next(iter(example.values())))
        self.batch_bytes = sum(x.nbytes for x in example.values()) * batch_size // max(rows, 1)

    def read(self, epoch: int, first: int, count: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Take the next batches; in another epoch, or from an earlier place, begin again."""
        if (epoch, first) != (self._epoch, self._place):
            self._epoch, self._place = epoch, 0
            self._iterator = iter(self._source.batches(epoch))
            while self._place < first:
                self._take()
        taken = [self._take() for _ in range(count)]
        stacked = {name: np.stack([batch[name] for batch, _ in taken]) for name in self._form}
        return stacked, np.stack([mask for _, mask in taken])

    def _take(self) -> tuple[dict[str, np.ndarray], np.ndarray]:
        where = f"batch {self._place + 1} of epoch {self._epoch + 1}"
        batch = next(self._iterator, None)
        if batch is None:
            rule = f"an epoch must have {self._source.steps_per_epoch} batches"
            advice = "Correct `steps_per_epoch`, or make every epoch as long."
            fail("fit", rule, f"got {self._place} in epoch {self._epoch + 1}", advice)
        arrays = as_batch(where, batch)
        if _form(arrays) != self._form:
            rule = f"{where} must have the form of the first one, {self._form}"
            fail("fit", rule, f"got {_form(arrays)}", "Make all batches alike.")
        for name, values in arrays.items():
            _check_values(f"{name!r} of {where}", name, values)
        self._place += 1
        return self._filled(where, arrays)

    def _filled(self, where: str, batch: Batch) -> tuple[dict[str, np.ndarray], np.ndarray]:
        rows = len(next(iter(batch.values())))
        missing = self._batch_size - rows
        if missing < 0 or (missing and not self._may_be_short):
            rule = f"{where} must have {self._batch_size} rows, the batch size"
            fail("fit", rule, f"got {rows}", "Leave the rest out, or pass remainder='mask'.")
        pad = lambda x: np.pad(x, [(0, missing)] + [(0, 0)] * (x.ndim - 1))  # noqa: E731
        return {name: pad(x) for name, x in batch.items()}, np.arange(self._batch_size) < rows


def as_batch(where: str, batch: Any) -> dict[str, np.ndarray]:
    """Return a batch as arrays of numbers that share their first axis."""
    if not isinstance(batch, Mapping) or not batch:
        advice = 'Yield for example `{"x": inputs, "y": targets}`.'
        came = f"got {type(batch).__name__}"
        fail("fit", f"{where} must be a dict of arrays", came, advice, kind=TypeError)
    arrays = {}
    for name, values in batch.items():
        array = np.asarray(values)
        if not (jnp.issubdtype(array.dtype, np.number) or array.dtype == bool):
            came, advice = f"got dtype {array.dtype}", "Convert it to numbers."
            fail("fit", f"{name!r} of {where} must hold numbers", came, advice, kind=TypeError)
        arrays[name] = array
    sizes = {name: array.shape[:1] for name, array in arrays.items()}
    if len(set(sizes.values())) != 1 or () in sizes.values() or (0,) in sizes.values():
        rule = f"the arrays of {where} must share their number of rows"
        fail("fit", rule, f"got shapes { {n: a.shape for n, a in arrays.items()} }", "Check it.")
    return arrays


def first_batch(source: Stream) -> dict[str, np.ndarray]:
    """Return the first batch of the first epoch, read apart from the training."""
    batch = next(iter(source.batches(0)), None)
    if batch is None:
        fail("fit", "a stream must have batches", "got none", "Check what it iterates over.")
    return as_batch("the first batch", batch)


def _check_values(name: str, entry: str, values: np.ndarray) -> None:
    data_tools.check_finite("fit", name, values)
    if entry == "weight" and values.min() < 0:
        advice = "Pass 0 or more."
        fail("fit", f"{name} must not be negative", f"got {values.min()}", advice)


def _form(batch: Batch) -> dict[str, str]:
    """Return name -> dtype and shape of a row, in one order."""
    return {name: f"{batch[name].dtype}{list(batch[name].shape[1:])}" for name in sorted(batch)}


def _length(batches: Any) -> int:
    try:
        return len(batches)
    except TypeError:
        came = f"got {type(batches).__name__}"
        advice = "Pass `steps_per_epoch=`."
        fail("stream", "`batches` must have a length", came, advice, kind=TypeError)
