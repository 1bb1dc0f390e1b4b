"""The gradient checker as a promise of a suite."""

from collections.abc import Callable, Sequence

from jaxopt_dl import gradcheck
from jaxopt_dl._core.types import PyTree

COMPONENTS = 24
"""Entries differenced one by one; random directions look at the others."""


def assert_right(function: Callable, params: PyTree, args: Sequence, allow: Sequence[str]) -> None:
    """Check the gradient of a scalar function in a second or so.

    Raises:
      AssertionError: with what is wrong and its cause, unless the gradient is proven right.
    """
    report = gradcheck.check_gradients(
        function, params, args=args, allow=allow, components=COMPONENTS, points=(), progress=False
    )
    # Above the first empty line a report says what is wrong and why; below are its tables.
    assert report, str(report).partition("\n\n")[0]
