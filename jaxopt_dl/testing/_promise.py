"""How a suite is run: one promise after another, each a function whose docstring states it.

The first paragraph of that docstring is the promise, the second what to do where it is broken.
"""

import contextlib
import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxopt_dl._core.errors import check_choice

FLOATING = ("float16", "bfloat16", "float32", "float64")
LONGEST = 500
"""Characters shown of what somebody else's error says."""


def hold_all(who: str, promises: Sequence[Callable], *subject: Any, strict: bool = False) -> None:
    """Check every promise of a suite about one subject, in its order.

    JAX's own settings hold, whatever the caller's: dtypes and ranks are promoted freely. With
    `strict` the same is then asked once more without any promotion.
    """
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        for promise in promises:
            hold(who, promise, *subject)
    if strict:
        hold(who, _strictly(promises), *subject)


def hold(who: str, promise: Callable, *subject: Any) -> None:
    """Check one promise.

    Raises:
      AssertionError: naming the promise, the input for which it is broken, what came, and what
        to do.
    """
    try:
        promise(*subject)
    except Exception as error:  # whatever went wrong, the promise is broken
        sentence, advice = stated(promise)
        message = f"{who}: broken promise: {sentence} {_told(error)} {advice}"
        raise AssertionError(message) from error


def stated(promise: Callable) -> tuple[str, str]:
    """Return what is promised and what to do where it is broken, from the docstring."""
    sentence, _, advice = (inspect.getdoc(promise) or "").partition("\n\n")
    return _on_one_line(sentence), _on_one_line(advice)


@contextlib.contextmanager
def given(what: str) -> Iterator[None]:
    """Say for which input a promise was broken."""
    try:
        yield
    except Exception as error:
        told = _told(error)
        inner = told.removeprefix("Given ")
        joint = ": " if inner == told else ", "
        raise AssertionError(f"Given {what}{joint}{inner}") from error


@contextlib.contextmanager
def precision(dtype: Any) -> Iterator[None]:
    """Compute in this dtype, and say so where a promise is broken."""
    with given(f"{np.dtype(dtype).name}"), jax.enable_x64(np.dtype(dtype) == np.float64):
        yield


def floating_dtypes(who: str, dtypes: Sequence[Any]) -> tuple[np.dtype, ...]:
    """Return dtypes once they are floating-point ones.

    Raises:
      ValueError: naming the first that is not.
    """
    names = [dtype if isinstance(dtype, str) else np.dtype(dtype).name for dtype in dtypes]
    for name in names:
        check_choice(who, "dtypes", name, FLOATING)
    return tuple(np.dtype(jnp.dtype(name)) for name in names)


def is_half(dtype: Any) -> bool:
    """Whether numbers of this dtype have 16 bits."""
    return np.dtype(dtype).itemsize < 4


def traced_once(function: Callable, **options: Any) -> Callable:
    """Return the function compiled, failing when it is traced a second time."""
    traces = []

    def counted(*args):
        traces.append(None)
        assert len(traces) == 1, "it was traced a second time"
        return function(*args)

    return jax.jit(counted, **options)


def _strictly(promises: Sequence[Callable]) -> Callable:
    def is_strict(*subject: Any) -> None:
        """It does all this without any promotion of dtypes or ranks.

        Convert with `astype` and reshape where unlike arrays meet, or leave out `strict=True`.
        """
        with jax.numpy_dtype_promotion("strict"), jax.numpy_rank_promotion("raise"):
            for promise in promises:
                with given(f"the promise {stated(promise)[0]!r}"):
                    promise(*subject)

    return is_strict


def _told(error: Exception) -> str:
    """Return a sentence: our own as it is, that of others with its kind and not too long."""
    text = _on_one_line(str(error))
    if not isinstance(error, AssertionError):
        text = f"It raised {type(error).__name__}: {text}"
    text = text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _on_one_line(text: str) -> str:
    return " ".join(text.split())
