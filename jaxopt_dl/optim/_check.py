"""Checks of what `init` and `update` are given, all at trace time."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxopt_dl._core.errors import check_floating, fail
from jaxopt_dl._core.trees import leaves_with_paths
from jaxopt_dl._core.types import PyTree


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


def check_chosen(who: str, name: str, chosen: Callable[[str], bool], params: PyTree) -> None:
    """Check that a choice of parameters by path chooses one, where there are parameters."""
    paths = [path for path, _ in leaves_with_paths(params)]
    if paths and not any(chosen(path) for path in paths):
        rule = f"`{name}` must choose at least one parameter"
        advice = f"Pass `{name}=`, a function of these paths."
        fail(who, rule, f"got none of: {', '.join(paths[:8])}", advice)


def check_updates(who: str, updates: PyTree, params: PyTree | None, slots: tuple) -> None:
    """Check that gradients fit the parameters, so that nothing is broadcast by accident."""
    given = _shapes(updates)
    for path, leaf in leaves_with_paths(updates):
        check_floating(who, path or "updates", leaf)
    for name, tree in (("`params`", params), ("the state", slots[0] if slots else None)):
        if tree is not None and (wanted := _shapes(tree)) != given:
            path = min(path for path, _ in given.items() ^ wanted.items())
            have, want = given.get(path, "nothing"), wanted.get(path, "nothing")
            came = f"got {have} at `{path}` instead of {want}"
            rule = f"`updates` must have the leaves and shapes of {name}"
            fail(who, rule, came, "Pass gradients of the parameters that `init` saw.")


def _shapes(tree: PyTree) -> dict[str, tuple[int, ...]]:
    return {path: tuple(np.shape(leaf)) for path, leaf in leaves_with_paths(tree)}
