"""Which parameters each rule of an optimizer sees, read from a state and, where needed, tried."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxopt_dl._core.trees import leaves_with_paths
from jaxopt_dl._core.types import PyTree

from ._by_path import ByPathState, FrozenState, owner_of
from ._chosen import marks_in
from ._find import is_rule_state
from ._numbers import value_at


class Scope(NamedTuple):
    """One rule's state, and the parameters the rule sees.

    Attributes:
      state: of the rule.
      paths: of its parameters.
      known: False where a wrapper of optax hides some of them from a rule without memory.
    """

    state: Any
    paths: frozenset[str]
    known: bool


def scopes(state: PyTree, paths: frozenset[str], *, known: bool = True) -> list[Scope]:
    """Return every rule in a state with what it sees of these parameters."""
    found = []
    for node in jax.tree.leaves(state, is_leaf=_tells):
        if isinstance(node, ByPathState):
            for place, inner in enumerate(node.inner_states):
                own = frozenset(path for path in paths if owner_of(path, node.patterns) == place)
                found += scopes(inner, own, known=known)
        elif isinstance(node, optax.MaskedState):
            found += _behind_a_mask(node, paths)
        elif isinstance(node, FrozenState):
            found.append(Scope(node, paths, known))
        elif is_rule_state(node):
            slots = _remembered(node) & paths
            found.append(Scope(node, slots or paths, known or bool(slots)))
    return found


def tried(optimizer: optax.GradientTransformation, state: PyTree, params: PyTree, scope: Scope):
    """Return the scope of a rule, found out by one update with other numbers of this rule."""
    if scope.known or "learning_rate" not in getattr(scope.state, "hyperparams", {}):
        return scope

    @jax.jit
    def update(factor):
        changed = _with_rate(state, scope.state, factor)
        slope = jax.tree.map(lambda leaf: jnp.full_like(leaf, 0.5), params)
        return optimizer.update(slope, changed, params)[0]

    slow, fast = update(jnp.float32(0.25)), update(jnp.float32(0.75))
    moved = jax.tree.map(lambda a, b: bool(jnp.any(a != b)), slow, fast)
    paths = frozenset(path for path, yes in leaves_with_paths(moved) if yes)
    return Scope(scope.state, paths, True) if paths else scope


def _tells(node: Any) -> bool:
    kinds = ByPathState | FrozenState | optax.MaskedState
    return isinstance(node, kinds) or is_rule_state(node)


def _behind_a_mask(node: Any, paths: frozenset[str]) -> list[Scope]:
    """What one rule remembers tells what all rules behind the same mask see."""
    found = scopes(node.inner_state, paths, known=False)
    seen = [scope.paths for scope in found if scope.known]
    return [Scope(scope.state, scope.paths & seen[0], True) for scope in found] if seen else found


def _remembered(state: Any) -> frozenset[str]:
    slots = [
        ({path for path, _ in leaves_with_paths(slot)}, marks_in(slot)) for slot in state[1:-1]
    ]
    return frozenset(path for paths, marks in slots for path in (*paths, *marks))


def _with_rate(state: PyTree, of: Any, factor: jax.Array) -> PyTree:
    def edit(node):
        if node is not of:
            return node
        rate = value_at("learning_rate", node.hyperparams["learning_rate"], node.count)
        numbers = {**node.hyperparams, "learning_rate": factor.astype(rate.dtype)}
        return node._replace(hyperparams=numbers)

    return jax.tree.map(edit, state, is_leaf=lambda node: node is of or is_rule_state(node))
