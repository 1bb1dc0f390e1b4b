"""What an optimizer will do to each parameter, as a table to read."""

import functools
import re
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxopt_dl._core.errors import fail
from jaxopt_dl._core.trees import leaves_with_paths
from jaxopt_dl._core.types import PyTree

from ._by_path import ByPathState, FrozenState, owner_of
from ._inspect import is_rule_state
from ._numbers import value_at
from ._state_size import state_size

ROUND_COUNTS = (0, 1, 10, 100, 1000)
"""Where a schedule is shown that does not tell its length."""


class LeafDescription(NamedTuple):
    """What an optimizer does to one parameter.

    Attributes:
      path: of the parameter.
      shape: of the parameter.
      rules: the rules of this library that see it, in the order of the chain.
      learning_rate: of the next update; None where it is unknown, as for foreign rules.
      weight_decay: of the next update; None where none applies.
      frozen: whether `freeze` holds it.

    Examples:
      >>> import jax.numpy as jnp
      >>> from jaxopt_dl.optim import sgd
      >>> (leaf,) = describe(sgd(0.5), {"bias": jnp.ones(3)}).leaves
      >>> leaf.path, leaf.rules, leaf.learning_rate, leaf.frozen
      ('bias', ('sgd',), 0.5, False)
    """

    path: str
    shape: tuple[int, ...]
    rules: tuple[str, ...]
    learning_rate: float | None
    weight_decay: float | None
    frozen: bool


class ScheduleDescription(NamedTuple):
    """A schedule and some of its values.

    Attributes:
      name: the number it drives, such as `"learning_rate"`.
      schedule: the schedule with its numbers, as text.
      values: count -> value.

    Examples:
      >>> import jax.numpy as jnp
      >>> from jaxopt_dl import schedules
      >>> from jaxopt_dl.optim import sgd
      >>> rule = sgd(schedules.linear(0.5, 0.0, steps=8))
      >>> describe(rule, jnp.ones(3)).schedules[0].values
      {0: 0.5, 2: 0.375, 4: 0.25, 6: 0.125, 8: 0.0}
    """

    name: str
    schedule: str
    values: dict[int, float]


class Description(NamedTuple):
    """An optimizer, parameter by parameter; `str()` of it is a table.

    Attributes:
      leaves: one entry per parameter, in the order of the tree.
      schedules: every schedule, once.
      state_size: numbers kept per parameter.

    Examples:
      >>> import jax.numpy as jnp
      >>> from jaxopt_dl.optim import adam
      >>> describe(adam(), {"kernel": jnp.ones((4, 3))}).state_size
      2.0
    """

    leaves: tuple[LeafDescription, ...]
    schedules: tuple[ScheduleDescription, ...]
    state_size: float

    def __str__(self) -> str:
        """Return the table."""
        rows = [("path", "shape", "rules", "learning rate", "weight decay")]
        rows += [_leaf_row(leaf) for leaf in self.leaves]
        blocks = [_aligned(rows), *map(_schedule_text, self.schedules)]
        return "\n\n".join([*blocks, f"state: {self.state_size:.4g} numbers per parameter"])


def describe(optimizer: optax.GradientTransformation | PyTree, params: PyTree) -> Description:
    """Describe what an optimizer does to each parameter: rules, rate, decay, schedules.

    Print it before a long run, to see which parameters decay, stand still or have a rate of their
    own. Given a state, such as that of a running training, the numbers are those of the next
    update. A state does not tell which parameters `add_decayed_weights` chooses, so weight decay
    is then listed for all it sees; given the transformation, one update is tried to find out.

    Args:
      optimizer: a transformation, or the state of one.
      params: its parameters.

    Returns:
      A `Description`. Rules of other libraries are not listed and their rate is unknown.

    Raises:
      ValueError: if there are no parameters, or the state is of several runs.

    Examples:
      >>> import jax.numpy as jnp
      >>> from jaxopt_dl.optim import adamw, by_path, sgd
      >>> params = {"body": {"kernel": jnp.ones((4, 3)), "bias": jnp.ones(3)}, "head": jnp.ones(3)}
      >>> print(describe(by_path({"head": sgd(0.1)}, default=adamw(0.01)), params))
      path         shape   rules                    learning rate  weight decay
      body/bias    (3,)    adam, weight_decay, sgd  0.01           -
      body/kernel  (4, 3)  adam, weight_decay, sgd  0.01           0.0001
      head         (3,)    sgd                      0.1            -
      <BLANKLINE>
      state: 1.667 numbers per parameter
    """
    is_rule = isinstance(optimizer, optax.GradientTransformation)
    state = optimizer.init(params) if is_rule else optimizer
    size = state_size(state, params)
    paths = [path for path, _ in leaves_with_paths(params)]
    found = _rules_over(state, frozenset(paths))
    kept = _kept_by_decay(optimizer, state, params) if is_rule else frozenset()
    leaves = tuple(
        _describe_leaf(path, np.shape(leaf), [s for s, own in found if path in own], path in kept)
        for path, leaf in leaves_with_paths(params)
    )
    return Description(leaves, _schedules([node for node, _ in found if is_rule_state(node)]), size)


def _rules_over(state: PyTree, paths: frozenset[str]) -> list[tuple[Any, frozenset[str]]]:
    """Return every rule's state with the paths of the parameters it sees."""
    found = []
    for node in jax.tree.leaves(state, is_leaf=_tells):
        if isinstance(node, ByPathState):
            for place, inner in enumerate(node.inner_states):
                own = {path for path in paths if owner_of(path, node.patterns) == place}
                found += _rules_over(inner, frozenset(own))
        elif isinstance(node, FrozenState):
            found.append((node, paths))
        elif is_rule_state(node):
            _check_one_run(node)
            slots = {path for slot in node[1:-1] for path, _ in leaves_with_paths(slot)}
            found.append((node, slots & paths or paths))
    return found


def _tells(node: Any) -> bool:
    return isinstance(node, ByPathState | FrozenState) or is_rule_state(node)


def _check_one_run(state: Any) -> None:
    if np.shape(state.count) != ():
        came = f"got a count of shape {np.shape(state.count)}"
        fail("describe", "the state must be of one run", came, "Take one run out of it.")


def _kept_by_decay(optimizer: Any, state: PyTree, params: PyTree) -> frozenset[str]:
    """Return the parameters that move, but do not shrink at zero gradient, in one tried update."""
    takes_extra = isinstance(optimizer, optax.GradientTransformationExtraArgs)
    extra = {"value": jnp.zeros(())} if takes_extra else {}

    @jax.jit
    def kept(state):
        ones = jax.tree.map(jnp.ones_like, params)

        def moves(gradient: float) -> PyTree:
            gradients = jax.tree.map(lambda leaf: jnp.full_like(leaf, gradient), params)
            updates = optimizer.update(gradients, state, ones, **extra)[0]
            return jax.tree.map(lambda u: jnp.any(u != 0), updates)

        return jax.tree.map(lambda some, zero: some & ~zero, moves(0.5), moves(0.0))

    return frozenset(path for path, yes in leaves_with_paths(kept(state)) if yes)


def _describe_leaf(
    path: str, shape: tuple[int, ...], rules: list[Any], kept: bool
) -> LeafDescription:
    numbered = [rule for rule in rules if not isinstance(rule, FrozenState)]
    return LeafDescription(
        path,
        shape,
        tuple(_name(rule) for rule in rules),
        _number(numbered, "learning_rate"),
        None if kept else _number(numbered, "weight_decay"),
        len(numbered) < len(rules),
    )


def _name(rule: Any) -> str:
    words = re.findall("[A-Z][a-z0-9]*", type(rule).__name__.removesuffix("State"))
    return "_".join(words).lower()


def _number(rules: list[Any], name: str) -> float | None:
    """Return a number of the rules over one parameter, None where there is not exactly one."""
    held = [rule for rule in rules if name in rule.hyperparams]
    if len(held) != 1:
        return None
    return _shortest(value_at(name, held[0].hyperparams[name], held[0].count))


def _schedules(rules: list[Any]) -> tuple[ScheduleDescription, ...]:
    described = {}
    for rule in rules:
        for name, number in rule.hyperparams.items():
            if callable(number):
                text = _schedule_name(number)
                described.setdefault((name, text), functools.partial(value_at, name, number))
    return tuple(
        ScheduleDescription(name, text, {n: _shortest(value(jnp.int32(n))) for n in _counts(text)})
        for (name, text), value in described.items()
    )


def _schedule_name(schedule: Any) -> str:
    if isinstance(schedule, jax.tree_util.Partial):
        return getattr(schedule.func, "__name__", type(schedule.func).__name__)
    return repr(jax.tree.map(_shortest, schedule))


def _counts(text: str) -> list[int]:
    """Return where to look at a schedule: at the quarters of all its lengths together."""
    lengths = re.findall(r"steps=(\d+)|(?<=boundaries=\()(\d+)", text)
    total = sum(int(first or second) for first, second in lengths)
    quarters = range(0, total + 1, max(total // 4, 1))
    return list(quarters) if 4 <= total else list(ROUND_COUNTS)


def _shortest(value: Any) -> Any:
    """Return a number as Python writes it: 0.1, not 0.10000000149."""
    array = np.asarray(value)
    return int(array) if np.issubdtype(array.dtype, np.integer) else float(str(array))


def _leaf_row(leaf: LeafDescription) -> tuple[str, ...]:
    unknown = "-" if leaf.frozen else "unknown"
    rate = unknown if leaf.learning_rate is None else f"{leaf.learning_rate:.4g}"
    decay = "-" if leaf.weight_decay is None else f"{leaf.weight_decay:.4g}"
    return leaf.path, str(leaf.shape), ", ".join(leaf.rules) or "-", rate, decay


def _schedule_text(described: ScheduleDescription) -> str:
    counts = ("count", *map(str, described.values))
    values = ("value", *(f"{value:.4g}" for value in described.values.values()))
    return f"{described.name}: {described.schedule}\n{_aligned([counts, values])}"


def _aligned(rows: list[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
    return "\n".join(lines)
