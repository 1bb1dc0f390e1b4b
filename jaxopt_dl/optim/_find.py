"""Finding the state of one rule inside the state of a whole optimizer."""

from typing import Any

import jax

from jaxopt_dl._core.types import PyTree


def states_of(opt_state: PyTree, state_type: type) -> list[Any]:
    """Return every state of this type, however deep it sits."""
    nodes = jax.tree.leaves(opt_state, is_leaf=lambda node: isinstance(node, state_type))
    return [node for node in nodes if isinstance(node, state_type)]
