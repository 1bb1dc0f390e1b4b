"""How a suite is held to its word: for every promise a piece that breaks it."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import pytest

from jaxopt_dl.testing._promise import hold, stated


class Broken(NamedTuple):
    """A piece with one fault.

    Attributes:
      promise: name of the promise it breaks.
      piece: what is given to the promise.
      says: pattern of what the message says came.
    """

    promise: str
    piece: Any
    says: str


def name_of(case: Broken) -> str:
    return case.promise


def assert_found(who: str, promises: tuple[Callable, ...], case: Broken) -> None:
    """Check that the promise sees the fault, and says what was promised, what came, what to do."""
    promise = next(p for p in promises if p.__name__ == case.promise)
    sentence, advice = stated(promise)
    subject = case.piece if isinstance(case.piece, tuple) else (case.piece,)
    plain = jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow")
    with plain[0], plain[1], pytest.raises(AssertionError, match=f"(?s){case.says}") as raised:
        hold(who, promise, *subject)
    message = str(raised.value)
    assert message.startswith(f"{who}: broken promise: {sentence} ")
    assert message.endswith(f" {advice}") and advice.endswith(".")
    assert "\n" not in message


@jax.custom_batching.custom_vmap
def doubled_under_vmap(x):
    return x


@doubled_under_vmap.def_vmap
def _(size, batched, x):
    return 2 * x, batched[0]


@jax.custom_vjp
def with_doubled_gradient(x):
    return x


with_doubled_gradient.defvjp(lambda x: (x, None), lambda _, g: (2 * g,))
