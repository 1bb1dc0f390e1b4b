"""The outputs inside a function, without a change to the function."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from jaxopt_dl._core import jaxpr
from jaxopt_dl._core.errors import check_callable, fail
from jaxopt_dl._core.jaxpr import Program, Taps
from jaxopt_dl._core.types import Array, PyTree


class Traced(NamedTuple):
    """A function as a program.

    Attributes:
      program: what it computes.
      taps: where it is tapped, at least once.
      outputs: its outputs, as shapes and dtypes.
    """

    program: Program
    taps: Taps
    outputs: PyTree

    def specs(self) -> dict[str, jax.ShapeDtypeStruct]:
        """Return shape and dtype of every site, in the order of the program."""
        return {tap.name: tap.spec for taps in self.taps.values() for tap in taps}


def trace(who: str, function: Callable[..., Any], args: tuple[Any, ...]) -> Traced:
    """Trace a function and find its sites.

    Raises:
      TypeError: if `function` cannot be called.
      ValueError: if it has no site.
    """
    check_callable(who, "function", function)
    program, outputs = traced_anew(function, args)
    taps = jaxpr.find_taps(program)
    if not taps:
        rule = "`function` must compute a matrix product or a nonlinearity of its arguments"
        advice = (
            "Pass parameters and data as arguments; what is inside `while` or `cond` is hidden."
        )
        fail(who, rule, "got neither", advice)
    return Traced(program, taps, outputs)


def traced_anew(function: Callable[..., Any], args: tuple[Any, ...]) -> tuple[Program, PyTree]:
    """Return the program and its outputs; JAX remembers the trace of one function object."""
    return jax.make_jaxpr(lambda *given: function(*given), return_shape=True)(*args)


def tap(function: Callable[..., Any]) -> Callable[..., tuple[Any, dict[str, Array]]]:
    """Make a function also return what its layers compute; the function stays as it is.

    Recorded are matrix products, convolutions and nonlinear operations entry by entry, of any
    function: hand-written, Flax, Equinox. Each is a *site* with a name: the named scopes around
    it and the operation, such as `head/dot_general`, and a number from the second of the same
    name on, `head/dot_general_1`. The names depend on the function and the shapes alone.

    - What has a rule for its derivative, such as `relu`, and compiled functions that are an
      activation, such as `silu`, are one site under their own name and never entered. What is
      written out, such as `gelu`, appears by its nonlinear parts.
    - Powers, absolute values, signs, roots and logarithms are no sites of their own, because
      losses, penalties and normalization consist of them; in such a compiled function, as
      `soft_sign`, they count. To record a lone `abs`, give it a rule by `jax.custom_jvp`.
    - In a `scan` every step is recorded, with the steps as the first axis of the site.
    - `jit` and `checkpoint` are entered; `while` loops and branches of `cond` are not recorded.
    - Not recorded are single numbers, what no floating-point argument has an influence on, and
      what a given mask selects, as in dropout.

    Args:
      function: any function of pytrees of arrays.

    Returns:
      `tapped(*args) -> (outputs, sites)`: the outputs of the function, and site -> array in the
      order of the program, an `OrderedDict` because compiled programs sort plain ones. It works
      under `jit`, `vmap` and `grad`.

    Raises:
      TypeError: if `function` cannot be called.
      ValueError: when called, if there is no site.

    Examples:
      >>> import jax.numpy as jnp
      >>> model = lambda kernel, x: jax.nn.relu(x @ kernel)
      >>> outputs, sites = tap(model)(jnp.array([[1.0, -1.0]]), jnp.array([[2.0], [3.0]]))
      >>> {site: value.tolist() for site, value in sites.items()}
      {'dot_general': [[2.0, -2.0], [3.0, -3.0]], 'relu': [[2.0, 0.0], [3.0, 0.0]]}
    """
    check_callable("tap", "function", function)

    def tapped(*args: Any) -> tuple[Any, dict[str, Array]]:
        traced = trace("tap", function, args)
        leaves = jax.tree.leaves(args)
        outputs, found = jaxpr.evaluate_with_taps(traced.program, leaves, traced.taps, {})
        in_order = OrderedDict((site, found[site]) for site in traced.specs())
        return jax.tree.unflatten(jax.tree.structure(traced.outputs), outputs), in_order

    return tapped
