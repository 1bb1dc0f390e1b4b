"""How a suite is run: one promise after another, each a function whose docstring states it."""

import contextlib
import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import numpy as np


def hold_all(who: str, promises: Sequence[Callable], *subject: Any) -> None:
    """Check every promise of a suite about one subject, in its order."""
    for promise in promises:
        hold(who, promise, *subject)


def hold(who: str, promise: Callable, *subject: Any) -> None:
    """Check one promise, under strict dtype and rank promotion.

    Raises:
      AssertionError: naming the promise, the input for which it is broken, and what came.
    """
    strict = jax.numpy_dtype_promotion("strict"), jax.numpy_rank_promotion("raise")
    try:
        with strict[0], strict[1]:
            promise(*subject)
    except Exception as error:  # whatever went wrong, the promise is broken
        sentence = (inspect.getdoc(promise) or promise.__name__).splitlines()[0]
        raise AssertionError(f"{who}: broken promise: {sentence} {_told(error)}") from error


@contextlib.contextmanager
def given(what: str) -> Iterator[None]:
    """Say for which input a promise was broken."""
    try:
        yield
    except Exception as error:
        raise AssertionError(f"Given {what}: {_told(error)}") from error


@contextlib.contextmanager
def precision(dtype: Any) -> Iterator[None]:
    """Compute in this dtype, and say so where a promise is broken."""
    with given(f"{np.dtype(dtype).name}"), jax.enable_x64(np.dtype(dtype) == np.float64):
        yield


def traced_once(function: Callable, **options: Any) -> Callable:
    """Return the function compiled, failing when it is traced a second time."""
    traces = []

    def counted(*args):
        traces.append(None)
        assert len(traces) == 1, "it was traced a second time"
        return function(*args)

    return jax.jit(counted, **options)


def _told(error: Exception) -> str:
    kind = "" if isinstance(error, AssertionError) else f"{type(error).__name__}: "
    return f"{kind}{error}"
