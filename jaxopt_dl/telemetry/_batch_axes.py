"""Which axis of what is computed inside a function runs over the examples."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from jaxopt_dl._core.errors import check_integer, fail
from jaxopt_dl._core.types import PyTree

from ._taps import trace

WHO = "batch_axes"


def batch_axes(function: Callable[..., Any], *args: Any, batch: int = -1) -> dict[str, int | None]:
    """Find the axis of every site that runs over the examples.

    It is not always the first: `vmap` puts it where it likes, and behind a `scan` the steps come
    first. The function is traced with twice as many examples, and the axis is the one that
    doubles. Nothing is computed. An axis may hold several rows per example, as after a reshape
    of time steps into the batch.

    Args:
      function: as for `tap`.
      *args: its arguments, pytrees of arrays.
      batch: index of the argument that holds the examples along the first axis of its arrays;
        the last one by default. Single numbers in it stay as they are.

    Returns:
      Site -> axis, or None where nothing depends on the number of examples, as behind a sum.

    Raises:
      TypeError: if `function` cannot be called or `batch` is not an integer.
      ValueError: if `batch` is out of range, its arrays do not share their first axis, the
        function does not run on twice the examples or computes something else then, or a site
        has several such axes, such as a table of all pairs.

    Examples:
      >>> import jax.numpy as jnp
      >>> model = lambda kernel, x: jnp.tanh((x @ kernel).T)
      >>> batch_axes(model, jnp.ones((2, 3)), jnp.ones((5, 2)))
      {'dot_general': 0, 'tanh': 1}
    """
    check_integer(WHO, "batch", batch)
    if not -len(args) <= batch < len(args):
        advice = "Count the arguments from 0."
        fail(WHO, "`batch` must be the index of an argument", f"got {batch}", advice)
    index = batch % len(args)
    twice = (*args[:index], _doubled(args[index]), *args[index + 1 :])
    here = trace(WHO, function, args).specs()
    there = _traced_twice(function, twice)
    if list(here) != list(there):
        new = sorted(set(here) ^ set(there))
        came = f"got other sites with twice the examples: {', '.join(new[:3])}"
        advice = "Pass at least 2 examples, and a function that treats all sizes alike."
        fail(WHO, "`function` must compute the same for any number of examples", came, advice)
    return {site: _axis(site, here[site].shape, there[site].shape) for site in here}


def _doubled(batch: PyTree) -> PyTree:
    sizes = {np.shape(leaf)[0] for leaf in jax.tree.leaves(batch) if np.ndim(leaf)}
    if len(sizes) != 1 or sizes == {0}:
        rule = "the arrays of the batch must share their first axis"
        advice = "Say by `batch=` which argument holds the examples."
        fail(WHO, rule, f"got sizes {sorted(sizes)}", advice)

    def double(leaf: Any) -> Any:
        if not np.ndim(leaf):
            return leaf
        first, *rest = np.shape(leaf)
        return jax.ShapeDtypeStruct((2 * first, *rest), jax.numpy.result_type(leaf))

    return jax.tree.map(double, batch)


def _traced_twice(function: Callable, args: tuple) -> dict[str, jax.ShapeDtypeStruct]:
    try:
        return trace(WHO, function, args).specs()
    except (TypeError, ValueError) as error:
        rule = "`function` must run on any number of examples"
        advice = "Pass all arrays that hold examples in one argument, as a tuple or a dict."
        fail(WHO, rule, "got an error with twice as many", advice, cause=error)


def _axis(site: str, one: tuple[int, ...], two: tuple[int, ...]) -> int | None:
    changed = [
        axis for axis, sizes in enumerate(zip(one, two, strict=False)) if len(set(sizes)) > 1
    ]
    if len(one) == len(two) and not changed:
        return None
    if len(one) != len(two) or len(changed) > 1 or two[changed[0]] != 2 * one[changed[0]]:
        rule = f"one axis of {site} must run over the examples"
        came = f"got shape {one} that becomes {two} with twice as many"
        advice = "Look at a part of the function that treats examples one by one."
        fail(WHO, rule, came, advice)
    return changed[0]
