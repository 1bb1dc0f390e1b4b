"""Which transformation may follow which: a wrong order would silently compute another method.

`chain` checks the order where it is made. A chain of optax shows its order only in its state, so
whatever reads a state checks it once more.
"""

import itertools
import re
import weakref
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import jax

from jaxopt_dl._core.errors import fail
from jaxopt_dl._core.types import PyTree

from ._find import is_rule_state


class Link(NamedTuple):
    """One transformation, as its neighbors in a chain see it.

    Attributes:
      kind: its state's type without `State`, by which the tables below know it.
      name: for messages.
      descends: whether it applies a learning rate, and with it the sign.
    """

    kind: str
    name: str
    descends: bool


FINAL = {"EmaParams", "Nesterov", "ProximalL1"}
"""What these hand on must reach the parameters as it is."""

PASSING = {"EmaParams"}
"""These hand on what they are given."""

NORMALIZING = {"Adagrad", "Adam", "CenteredRmsprop", "Rmsprop"}
"""These divide by the size of what they are given, so a factor in front has no effect."""

NAMES = {"Plateau": "reduce_on_plateau", "WeightDecay": "add_decayed_weights"}
"""What a state's type does not tell."""

_LINKS: weakref.WeakKeyDictionary[Callable, tuple[Link, ...]] = weakref.WeakKeyDictionary()


def link(update: Callable, *links: Link) -> Callable:
    """Note what an update function is to its neighbors, and return it."""
    _LINKS[update] = links
    return update


def links_of(update: Callable) -> tuple[Link, ...]:
    """Return what an update function is to its neighbors; of others only the name is known."""
    if update in _LINKS:
        return _LINKS[update]
    package = (getattr(update, "__module__", None) or "").partition(".")[0]
    name = getattr(update, "__qualname__", type(update).__name__).partition(".")[0]
    return (Link("", f"{package}.{name}", False),)


def check_members(who: str, members: Iterable[tuple[Link, ...]]) -> None:
    """Check every member of a chain against all that come after it.

    Raises:
      ValueError: naming the two that cannot stand in this order, and what to do.
    """
    for earlier, later in itertools.combinations(members, 2):
        for pair in itertools.product(earlier, later):
            _check_pair(who, *pair)


def check_order(who: str, opt_state: PyTree) -> None:
    """Check the order of every chain that a state shows, those of optax included.

    Raises:
      ValueError: as `check_members`.
    """
    _links_in(who, opt_state)


def _check_pair(who: str, earlier: Link, later: Link) -> None:
    first, second = f"`{earlier.name}`", f"`{later.name}`"
    if {earlier.kind, later.kind} == {"Plateau", "ProximalL1"}:
        rule = "`reduce_on_plateau` and `proximal_l1` exclude each other"
        advice = "The threshold would keep its size. Give `proximal_l1` a schedule."
        fail(who, rule, "got both", advice)
    if earlier.descends and later.descends:
        advice = "The sign would flip twice. Keep one, and take the `scale_by_` block of the other."
        fail(who, "one member may apply a learning rate", f"got {first} and {second}", advice)
    if earlier.kind in FINAL and later.kind not in PASSING:
        rule = f"nothing may change updates after {first}"
        fail(who, rule, f"got {second} after it", f"Put {second} before {first}.")
    if earlier.descends and later.kind == "WeightDecay":
        rule = f"{second} must come before the member that applies the learning rate"
        fail(who, rule, f"got it after {first}", "There it would make the parameters grow.")
    if earlier.kind == "Plateau" and later.kind in NORMALIZING:
        rule = f"{first} must come after {second}"
        advice = f"Put it after {second}, which divides by the size of what it is given."
        fail(who, rule, "got it before, where it has no effect", advice)


def _links_in(who: str, node: PyTree) -> tuple[Link, ...]:
    if is_rule_state(node):
        return (_link_of_state(node),)
    beside = hasattr(node, "inner_states")  # rules side by side, not one after another
    parts = [_links_in(who, child) for child in _children(node.inner_states if beside else node)]
    if type(node) is tuple:
        check_members(who, parts)
    found = tuple(itertools.chain.from_iterable(parts))
    foreign = hasattr(node, "_fields") and not found
    return (Link("", type(node).__name__, False),) if foreign else found


def _children(node: PyTree) -> list[PyTree]:
    return [x for x in jax.tree.leaves(node, is_leaf=lambda x: x is not node) if x is not node]


def _link_of_state(state: Any) -> Link:
    kind = kind_of(type(state))
    words = re.findall("[A-Z][a-z0-9]*", kind)
    return Link(
        kind, NAMES.get(kind, "_".join(words).lower()), "learning_rate" in state.hyperparams
    )


def kind_of(state_type: type) -> str:
    """Return the name of a state's type without `State`."""
    return state_type.__name__.removesuffix("State")
