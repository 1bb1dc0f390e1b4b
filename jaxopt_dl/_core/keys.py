"""Named streams of randomness, split once.

`fold_in(key, 3)` for epoch 3 and for step 3 is the same key, so each purpose first gets a
stream of its own, and indexes are folded into that.
"""

from typing import NamedTuple

import jax

from jaxopt_dl._core.types import Array, Key


class Streams(NamedTuple):
    """One key per purpose; fold an index in before use.

    Attributes:
      init: parameters.
      order: the order of examples, one index per epoch.
      augment: random changes of the data, one index per step.
      model: randomness inside the model (dropout), one index per step.
    """

    init: Key
    order: Key
    augment: Key
    model: Key


def streams(key: Key) -> Streams:
    """Split `key` into the named streams.

    Examples:
      >>> streams(jax.random.key(0)).order.shape
      ()
    """
    return Streams(*jax.random.split(key, len(Streams._fields)))


def at(stream: Key, index: int | Array) -> Key:
    """Return the key of one epoch or step of a stream."""
    return jax.random.fold_in(stream, index)
