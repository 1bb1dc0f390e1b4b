"""Checks of what `init` and `update` are given, all at trace time."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxopt_dl._core.errors import check_floating, fail
from jaxopt_dl._core.trees import leaves_with_paths
from jaxopt_dl._core.types import PyTree

from ._chosen import marks_in


def check_params(who: str, params: PyTree) -> None:
    """Check that every parameter is floating-point, naming the first that is not."""
    for path, leaf in leaves_with_paths(params):
        check_floating(who, path or "params", leaf)


def check_state(who: str, state: Any, state_type: type) -> None:
    """Check that a state is of this rule and of one run."""
    if not isinstance(state, state_type):
        came, advice = f"got {type(state).__name__}", "Pass what `init` returned."
        fail(who, f"`state` must be a {state_type.__name__}", came, advice, kind=TypeError)
    if jnp.shape(state.count) != ():
        came = f"got a count of shape {jnp.shape(state.count)}"
        fail(who, "`state` must be of one run", came, "Use vmap for several.")


def check_params_given(who: str, params: PyTree | None) -> None:
    """Check that an update that looks at the parameters was given them."""
    if params is None:
        advice = "Call `update(updates, state, params)`."
        fail(who, "`params` must be given", "got None", advice)


def check_updates(who: str, updates: PyTree, params: PyTree | None, slots: tuple) -> None:
    """Check that gradients fit the parameters, so that nothing is broadcast by accident."""
    given = _shapes(updates)
    for path, leaf in leaves_with_paths(updates):
        check_floating(who, path or "updates", leaf)
    remembered = _shapes(slots[0]) if slots else None
    if slots and (marks := marks_in(slots[0])):  # they tell which leaves there are, not their shape
        remembered = {path: given.get(path, "a leaf") for path in marks}
    wanted_by = {"`params`": None if params is None else _shapes(params), "the state": remembered}
    for name, wanted in wanted_by.items():
        if wanted is not None and wanted != given:
            path = min(path for path, _ in given.items() ^ wanted.items())
            have, want = given.get(path, "nothing"), wanted.get(path, "nothing")
            place = f" at `{path}`" if path else ""
            came = f"got {have}{place} instead of {want}"
            rule = f"`updates` must have the leaves and shapes of {name}"
            fail(who, rule, came, "Pass gradients of the parameters that `init` saw.")


def _shapes(tree: PyTree) -> dict[str, tuple[int, ...]]:
    return {path: tuple(np.shape(leaf)) for path, leaf in leaves_with_paths(tree)}
