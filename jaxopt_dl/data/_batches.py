"""Which examples make up each mini-batch, as arrays of indices made on the device."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxopt_dl._core.errors import check_integer, check_key, fail
from jaxopt_dl._core.types import Array, Key, PyTree

_TYPICAL = (512, 256, 128, 64)
_FEW_UPDATES = 100


class Batches(NamedTuple):
    """The batches of one epoch.

    Attributes:
      indices: `(num_batches, batch_size)` int32, which examples; 0 on padding.
      mask: `(num_batches, batch_size)` bool, False on padding.

    Examples:
      >>> batches = epoch_batches(jax.random.key(0), 5, 2)
      >>> print(batches.indices.shape, batches.mask.sum(axis=1))
      (3, 2) [2 2 1]
    """

    indices: Array
    mask: Array


def num_batches(m: int, batch_size: int, *, drop_last: bool = False) -> int:
    """Return the number of updates in one pass over `m` examples.

    Args:
      m: number of examples, at least 1.
      batch_size: examples per update, between 1 and `m`.
      drop_last: leave out the last batch where it is not full.

    Returns:
      `ceil(m / batch_size)`, or `floor` with `drop_last`.

    Raises:
      TypeError: if a number is not an integer.
      ValueError: if one is below 1 or the batch is larger than the data.

    Examples:
      >>> num_batches(1797, 64), num_batches(1797, 64, drop_last=True)
      (29, 28)
    """
    _check_sizes("num_batches", m, batch_size)
    return _count(m, batch_size, drop_last)


def epoch_batches(key: Key, m: int, batch_size: int, *, drop_last: bool = False) -> Batches:
    """Shuffle the examples and cut the order into batches: one epoch, each example once.

    Give every epoch a key of its own, so that successive gradients stay nearly independent. It
    works inside `jit` with `m` and `batch_size` static; the last batch is padded to full size.

    Args:
      key: decides the order.
      m: number of examples, at least 1.
      batch_size: examples per batch, between 1 and `m`.
      drop_last: leave out the last batch where it is not full; each epoch then misses others.

    Returns:
      Indices and mask, each `(num_batches, batch_size)`.

    Raises:
      TypeError: if `key` is not a key or a number is not an integer.
      ValueError: if a number is below 1 or the batch is larger than the data.

    Examples:
      >>> batches = epoch_batches(jax.random.key(0), 10, 4)
      >>> batches.indices.shape, batches.mask.sum(axis=1).tolist()
      ((3, 4), [4, 4, 2])
    """
    check_key("epoch_batches", key)
    _check_sizes("epoch_batches", m, batch_size)
    return _cut(jax.random.permutation(key, m), batch_size, _count(m, batch_size, drop_last))


def ordered_batches(m: int, batch_size: int) -> Batches:
    """Cut the examples into batches in their own order, for evaluation and prediction.

    Every example comes exactly once; a set smaller than one batch gives one padded batch.

    Args:
      m: number of examples, at least 1.
      batch_size: examples per batch, at least 1.

    Returns:
      Indices and mask, each `(ceil(m / batch_size), batch_size)`.

    Raises:
      TypeError: if a number is not an integer.
      ValueError: if one is below 1.

    Examples:
      >>> ordered_batches(5, 3).indices.tolist()
      [[0, 1, 2], [3, 4, 0]]
    """
    check_integer("ordered_batches", "m", m, low=1)
    check_integer("ordered_batches", "batch_size", batch_size, low=1)
    return _cut(jnp.arange(m), batch_size, _count(m, batch_size, drop_last=False))


def iid_batches(key: Key, m: int, batch_size: int) -> Batches:
    """Draw as many batches as an epoch has, independently and with replacement.

    This is stochastic gradient descent as theory has it; one pass sees about 63 % of the
    examples. `epoch_batches` sees them all and is the better default.

    Args:
      key: decides the draws.
      m: number of examples, at least 1.
      batch_size: examples per batch, between 1 and `m`.

    Returns:
      Indices and mask, each `(ceil(m / batch_size), batch_size)`; every batch is full.

    Raises:
      TypeError: if `key` is not a key or a number is not an integer.
      ValueError: if a number is below 1 or the batch is larger than the data.

    Examples:
      >>> iid_batches(jax.random.key(0), 10, 4).indices.shape
      (3, 4)
    """
    check_key("iid_batches", key)
    _check_sizes("iid_batches", m, batch_size)
    shape = (_count(m, batch_size, drop_last=False), batch_size)
    return Batches(jax.random.randint(key, shape, 0, m, jnp.int32), jnp.ones(shape, bool))


def suggest_batch_size(m: int) -> int:
    """Suggest a batch size for `m` examples: a rule of thumb to start from.

    Up to 2000 examples the whole set is one cheap batch. Above, batches of 64 to 512 are
    typical; this takes the largest that still gives 100 updates per epoch, or 64.

    Args:
      m: number of examples, at least 1.

    Returns:
      `m` itself, or one of 64, 128, 256, 512.

    Raises:
      TypeError: if `m` is not an integer.
      ValueError: if `m` is below 1.

    Examples:
      >>> suggest_batch_size(1797), suggest_batch_size(2001), suggest_batch_size(60_000)
      (1797, 64, 512)
    """
    check_integer("suggest_batch_size", "m", m, low=1)
    if m <= 2000:
        return m
    return next((size for size in _TYPICAL if m >= size * _FEW_UPDATES), _TYPICAL[-1])


def estimate_batch_bytes(data: PyTree, batch_size: int) -> int:
    """Return the memory one batch of `data` takes, to compare with that of the device.

    It counts the data alone; activations and gradients come on top and grow with it.

    Args:
      data: arrays (or shapes with dtypes) that share their first axis, the examples.
      batch_size: examples per batch, at least 1.

    Returns:
      Bytes.

    Raises:
      TypeError: if `batch_size` is not an integer.
      ValueError: if `batch_size` is below 1 or an array has no axes.

    Examples:
      >>> estimate_batch_bytes({"x": jnp.zeros((1797, 64))}, 256)
      65536
    """
    check_integer("estimate_batch_bytes", "batch_size", batch_size, low=1)
    return sum(_row_bytes(leaf) for leaf in jax.tree.leaves(data)) * batch_size


def _row_bytes(leaf: Array) -> int:
    if not leaf.shape:
        advice = "Put the examples on the first axis."
        fail("estimate_batch_bytes", "arrays must have axes", "got a scalar", advice)
    return int(np.prod(leaf.shape[1:], dtype=np.int64)) * np.dtype(leaf.dtype).itemsize


def _check_sizes(who: str, m: int, batch_size: int) -> None:
    check_integer(who, "m", m, low=1)
    check_integer(who, "batch_size", batch_size, low=1)
    if batch_size > m:
        came = f"got {batch_size} for {m} examples"
        fail(who, "`batch_size` must not exceed the data", came, f"Pass {m} or less.")


def _count(m: int, batch_size: int, drop_last: bool) -> int:
    return int(m // batch_size if drop_last else -(-m // batch_size))


def _cut(order: Array, batch_size: int, count: int) -> Batches:
    places = count * batch_size
    padding = max(0, places - len(order))
    indices = jnp.pad(order.astype(jnp.int32)[:places], (0, padding))
    mask = jnp.arange(places) < len(order)
    return Batches(indices.reshape(count, batch_size), mask.reshape(count, batch_size))
