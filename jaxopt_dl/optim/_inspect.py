"""Reading and editing the numbers inside an optimizer's state, however deep they sit."""

from typing import Any

import jax

from jaxopt_dl._core.errors import fail
from jaxopt_dl._core.types import Array, Number, PyTree

from ._find import is_rule_state, rule_states
from ._numbers import check_hyperparam, stored, value_at
from ._order import check_order


def applied_learning_rate(opt_state: PyTree) -> Array | None:
    """Return the learning rate the next update will apply.

    Args:
      opt_state: the state of a rule of this library, alone, in a chain or inside wrappers such
        as `optax.masked`.

    Returns:
      A scalar, or None when the rate is unknown: no rule of this library holds one (a foreign
      optimizer), or several do. It never guesses.

    Raises:
      ValueError: if the members of a chain cannot stand in their order, as in `chain`.

    Examples:
      >>> import jax.numpy as jnp, optax
      >>> from jaxopt_dl.optim import adam, chain, clip_by_global_norm
      >>> rule = chain(clip_by_global_norm(1.0), adam(0.5))
      >>> float(applied_learning_rate(rule.init(jnp.ones(3))))
      0.5
      >>> applied_learning_rate(optax.sgd(0.5).init(jnp.ones(3))) is None
      True
    """
    check_order("applied_learning_rate", opt_state)
    holders = [s for s in rule_states(opt_state) if "learning_rate" in s.hyperparams]
    if len(holders) != 1:
        return None
    return value_at("learning_rate", holders[0].hyperparams["learning_rate"], holders[0].count)


def with_hyperparams(opt_state: PyTree, **numbers: Number) -> PyTree:
    """Return the state with some of its numbers replaced; moments and counters stay.

    The edited state runs in the same compiled program: a number replaces a number, and a
    schedule one of the same kind.

    Args:
      opt_state: the state of a rule of this library, alone, in a chain or inside wrappers.
      **numbers: name -> new number or schedule, such as `learning_rate=1e-4`.

    Returns:
      A new state of the same structure, shapes and dtypes.

    Raises:
      TypeError: if a new value is not a number.
      ValueError: if no rule in the state, or more than one, has a number of that name; if it is
        out of range; or if it would change the structure of the state.

    Examples:
      >>> import jax.numpy as jnp
      >>> from jaxopt_dl.optim import adam
      >>> state = with_hyperparams(adam(0.5).init(jnp.ones(3)), learning_rate=0.25)
      >>> float(applied_learning_rate(state))
      0.25
    """
    states = rule_states(opt_state)
    for name, value in numbers.items():
        _check_edit(name, value, states)

    def edit(node):
        if not is_rule_state(node):
            return node
        edited = {
            name: _replaced(name, old, numbers[name]) if name in numbers else old
            for name, old in node.hyperparams.items()
        }
        return node._replace(hyperparams=edited)

    return jax.tree.map(edit, opt_state, is_leaf=is_rule_state)


def without_hyperparams(opt_state: PyTree) -> PyTree:
    """Return the state with the numbers of every rule of this library left out."""
    return jax.tree.map(
        lambda node: node._replace(hyperparams={}) if is_rule_state(node) else node,
        opt_state,
        is_leaf=is_rule_state,
    )


def _check_edit(name: str, value: Any, states: list[Any]) -> None:
    found = sum(name in state.hyperparams for state in states)
    if found != 1:
        held = ", ".join(sorted({key for state in states for key in state.hyperparams}))
        rule = f"exactly one rule in the state must have a number `{name}`"
        came = f"found {found}; the state has: {held or 'no numbers'}"
        advice = "Choose one of them." if not found else "Edit the state of one rule alone."
        fail("with_hyperparams", rule, came, advice)
    check_hyperparam("with_hyperparams", name, value)


def _replaced(name: str, old: PyTree, value: Any) -> PyTree:
    new = stored(value)
    if jax.tree.structure(new) != jax.tree.structure(old):
        rule = f"`{name}` must stay of its kind, {_kind(old)}"
        advice = "Another kind of schedule is another program: build the optimizer anew."
        fail("with_hyperparams", rule, f"got {_kind(new)}", advice)
    return jax.tree.map(lambda have, want: _like(name, have, want), new, old)


def _like(name: str, new: Array, old: Array) -> Array:
    if new.shape != old.shape:
        rule = f"`{name}` must keep the shape {old.shape}"
        advice = "The state holds several runs; edit it under vmap."
        fail("with_hyperparams", rule, f"got {new.shape}", advice)
    return new.astype(old.dtype)


def _kind(value: Any) -> str:
    return f"a schedule ({type(value).__name__})" if callable(value) else "a number"
