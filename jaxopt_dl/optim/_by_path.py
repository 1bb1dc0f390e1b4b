"""Other rules for other parameters, chosen by their paths."""

import dataclasses
import fnmatch
import functools
from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxopt_dl._core.errors import fail
from jaxopt_dl._core.trees import leaves_with_paths
from jaxopt_dl._core.types import PyTree

from ._chain import as_member
from ._check import check_params, check_updates
from ._order import Link, check_order, link, links_of
from ._rule import STRUCTURES

WHO = "by_path"
EVERYTHING = "*"


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class ByPathState:
    """State of `by_path`: for each pattern, the state of its rule over its own parameters.

    Attributes:
      inner_states: one state per pattern; other parameters are `optax.MaskedNode` in it.
      patterns: the patterns, in the order in which they choose.

    Examples:
      >>> import jax.numpy as jnp
      >>> from jaxopt_dl.optim import sgd
      >>> params = {"kernel": jnp.ones(2), "bias": jnp.ones(2)}
      >>> state = by_path({"*bias": sgd(0.1)}, default=sgd(0.2)).init(params)
      >>> state.patterns, len(state.inner_states)
      (('*bias', '*'), 2)
    """

    inner_states: tuple
    patterns: tuple[str, ...] = dataclasses.field(metadata={"static": True})


class FrozenState(NamedTuple):
    """State of `freeze`: empty, and a mark that its parameters stand still.

    Examples:
      >>> import jax.numpy as jnp
      >>> freeze().init(jnp.ones(3))
      FrozenState()
    """


def by_path(
    rules: Mapping[str, optax.GradientTransformation],
    *,
    default: optax.GradientTransformation | None = None,
) -> optax.GradientTransformationExtraArgs:
    """Give each parameter the rule of the first pattern that matches its path.

    So biases can have another learning rate than kernels, a head another optimizer than the
    body, and a part can stand still: `{"body/*": freeze(), "*/bias": sgd(0.1)}`. A rule sees its
    own parameters only: a global norm inside is the norm of those. The numbers stay data.

    Args:
      rules: pattern -> transformation. `*` stands for any characters, slashes included, `?` for
        one, `[ab]` for one of several: `"*kernel"`, `"head/*"`, `"0[0-2]_*/bias"`.
      default: for the parameters that no pattern matches; None where every one must be matched.

    Returns:
      A transformation whose state is a `ByPathState`. Extra arguments go to the rules that take
      them. It may itself be one of the rules of another.

    Raises:
      TypeError: if `rules` is not a mapping of strings to transformations, or parameters are not
        floating-point.
      ValueError: at `init`, if a parameter is matched by no pattern, or a pattern chooses no
        parameter, because nothing matches it or an earlier one took everything; at an update, if
        the state is one of other patterns, or gradients do not fit the parameters.

    Examples:
      >>> import jax.numpy as jnp
      >>> from jaxopt_dl.optim import sgd
      >>> rule = by_path({"*/bias": sgd(0.1), "head/*": sgd(0.5)}, default=freeze())
      >>> w = {part: {"kernel": jnp.ones(()), "bias": jnp.ones(())} for part in ("body", "head")}
      >>> updates, state = rule.update(w, rule.init(w), w)
      >>> {part: {name: round(float(u), 1) for name, u in updates[part].items()} for part in w}
      {'body': {'bias': -0.1, 'kernel': 0.0}, 'head': {'bias': -0.1, 'kernel': -0.5}}
    """
    _check_rules(rules)
    pairs = list(rules.items())
    if default is not None:
        pairs.append((EVERYTHING, default))
    patterns = tuple(pattern for pattern, _ in pairs)
    members = tuple(as_member(WHO, place, rule) for place, (_, rule) in enumerate(pairs))

    def init(params: PyTree) -> PyTree:
        check_params(WHO, params)
        owners = _owners(patterns, params)
        _check_patterns(owners, patterns[: len(rules)], params)
        parts = [_part(params, owners, place) for place in range(len(patterns))]
        inits = [rule.init(part) for (_, rule), part in zip(pairs, parts, strict=True)]
        state = ByPathState(tuple(inits), patterns)
        check_order(WHO, state)
        return state

    links = (each for member, _ in members for each in links_of(member))
    return optax.GradientTransformationExtraArgs(init, link(_update(patterns, members), *links))


def freeze() -> optax.GradientTransformationExtraArgs:
    """Leave parameters where they are: every update is zero, and nothing is remembered.

    A NaN in a gradient becomes zero too, since the parameters do not depend on it.

    Returns:
      A transformation whose state is a `FrozenState`, mostly for `by_path`.

    Raises:
      TypeError: if parameters are not floating-point.

    Examples:
      >>> import jax.numpy as jnp
      >>> rule, g = freeze(), jnp.array([1.0, jnp.nan])
      >>> print(rule.update(g, rule.init(g))[0])
      [0. 0.]
    """
    return optax.GradientTransformationExtraArgs(_freeze_init, _freeze_update)


def owner_of(path: str, patterns: tuple[str, ...]) -> int | None:
    """Return the place of the first pattern that matches a path, or None."""
    matching = (at for at, pattern in enumerate(patterns) if fnmatch.fnmatchcase(path, pattern))
    return next(matching, None)


@functools.lru_cache(maxsize=STRUCTURES)
def _update(patterns: tuple[str, ...], members: tuple[tuple[Callable, bool], ...]) -> Callable:
    def update(updates, state, params=None, **extra):
        _check_state(state, patterns)
        check_updates(WHO, updates, params, ())
        owners = _owners(patterns, updates)
        leaves, structure = jax.tree.flatten(updates)
        states = []
        for place, ((member, takes_extra), old) in enumerate(
            zip(members, state.inner_states, strict=True)
        ):
            part = _part(updates, owners, place)
            seen = None if params is None else _part(params, owners, place)
            moved, new = member(part, old, seen, **(extra if takes_extra else {}))
            states.append(new)
            for index, leaf in enumerate(structure.flatten_up_to(moved)):
                leaves[index] = leaf if owners[index] == place else leaves[index]
        return structure.unflatten(leaves), ByPathState(tuple(states), patterns)

    return update


def _owners(patterns: tuple[str, ...], tree: PyTree) -> list[int | None]:
    return [owner_of(path, patterns) for path, _ in leaves_with_paths(tree)]


def _part(tree: PyTree, owners: list[int | None], place: int) -> PyTree:
    """Return the tree with the leaves of others masked, so that paths stay what they are."""
    leaves, structure = jax.tree.flatten(tree)
    own = zip(leaves, owners, strict=True)
    return structure.unflatten([x if owner == place else optax.MaskedNode() for x, owner in own])


def _check_rules(rules: Mapping[str, optax.GradientTransformation]) -> None:
    if not (isinstance(rules, Mapping) and all(isinstance(pattern, str) for pattern in rules)):
        rule, came = "`rules` must map patterns to transformations", f"got {type(rules).__name__}"
        fail(WHO, rule, came, 'Pass for example `{"*/bias": sgd(0.1)}`.', kind=TypeError)


def _check_state(state: ByPathState, patterns: tuple[str, ...]) -> None:
    held = getattr(state, "patterns", None)
    if held != patterns:
        came = f"got a {type(state).__name__}" if held is None else f"got one of {list(held)}"
        rule = f"`state` must be that of the patterns {list(patterns)}"
        fail(WHO, rule, came, "Pass what `init` of this transformation returned.")


def _check_patterns(owners: list[int | None], patterns: tuple[str, ...], params: PyTree) -> None:
    paths = [path for path, _ in leaves_with_paths(params)]
    if not paths:
        return
    uncovered = [path for path, owner in zip(paths, owners, strict=True) if owner is None]
    if uncovered:
        advice = "Add a pattern for them, or pass `default=`."
        came = f"got none for: {_listed(uncovered)}"
        fail(WHO, "every parameter must be matched by a pattern", came, advice)
    idle = [pattern for place, pattern in enumerate(patterns) if place not in owners]
    if idle:
        came = f"got nothing for {_listed([repr(p) for p in idle])} among: {_listed(paths)}"
        advice = "Correct the pattern, or put it before the one that takes its parameters."
        fail(WHO, "every pattern must choose a parameter", came, advice)


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return ", ".join(names[:8]) + more


def _freeze_init(params: PyTree) -> FrozenState:
    check_params("freeze", params)
    return FrozenState()


def _freeze_update(updates, state, params=None, **extra):
    del extra
    check_updates("freeze", updates, params, ())
    return jax.tree.map(jnp.zeros_like, updates), state


link(_freeze_update, Link("Frozen", "freeze", False))
