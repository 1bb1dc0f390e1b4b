"""Finding the states of rules inside the state of a whole optimizer."""

from typing import Any

import jax

from jaxopt_dl._core.types import PyTree


def states_of(opt_state: PyTree, state_type: type) -> list[Any]:
    """Return every state of this type, however deep it sits."""
    nodes = jax.tree.leaves(opt_state, is_leaf=lambda node: isinstance(node, state_type))
    return [node for node in nodes if isinstance(node, state_type)]


def rule_states(opt_state: PyTree) -> list[Any]:
    """Return the state of every rule of this library."""
    nodes = jax.tree.leaves(opt_state, is_leaf=is_rule_state)
    return [node for node in nodes if is_rule_state(node)]


def is_rule_state(node: Any) -> bool:
    """Recognize a state of this library by the ends of its fields."""
    fields = getattr(node, "_fields", ())
    return len(fields) >= 2 and (fields[0], fields[-1]) == ("count", "hyperparams")
