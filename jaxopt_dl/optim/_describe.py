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

from ._by_path import FrozenState
from ._chosen import marks_in
from ._find import is_rule_state, rule_states
from ._numbers import value_at
from ._order import check_order
from ._scope import Scope, scopes, tried
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
      weight_decay: of the next update, the sum where several apply; None where none does.
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
    update. A state does not tell which parameters `optax.masked` or `optax.partition` hide from a
    rule without memory, such as `sgd`: its rate is then unknown. Given the transformation, one
    update is tried to find out.

    Args:
      optimizer: a transformation, or the state of one.
      params: its parameters.

    Returns:
      A `Description`. Rules of other libraries are not listed and their rate is unknown.

    Raises:
      TypeError: if `optimizer` is neither a transformation nor a state.
      ValueError: if there are no parameters, the state is of several runs, or the members of a
        chain cannot stand in their order.

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
    _check_state(state)
    size = state_size(state, params)
    found = scopes(state, frozenset(path for path, _ in leaves_with_paths(params)))
    if is_rule:
        found = [tried(optimizer, state, params, scope) for scope in found]
    leaves = tuple(
        _describe_leaf(path, np.shape(leaf), [scope for scope in found if path in scope.paths])
        for path, leaf in leaves_with_paths(params)
    )
    return Description(leaves, _schedules(rule_states(state)), size)


def _check_state(state: PyTree) -> None:
    leaves = jax.tree.leaves(state)
    strange = [leaf for leaf in leaves if not isinstance(leaf, jax.Array | np.ndarray)]
    if strange:
        rule = "`optimizer` must be a transformation, or the state of one"
        advice = "Pass for example `adam()`; call a function of the run's length first."
        fail("describe", rule, f"got {type(strange[0]).__name__}", advice, kind=TypeError)
    for count in (np.shape(node.count) for node in rule_states(state)):
        if count != ():
            came = f"got a count of shape {count}"
            fail("describe", "the state must be of one run", came, "Take one run out of it.")
    check_order("describe", state)


def _describe_leaf(path: str, shape: tuple[int, ...], over: list[Scope]) -> LeafDescription:
    frozen = any(isinstance(scope.state, FrozenState) for scope in over)
    numbered = [scope for scope in over if is_rule_state(scope.state)]
    decays = [s for s in numbered if any(marks_in(slot).get(path) for slot in s.state[1:-1])]
    return LeafDescription(
        path,
        shape,
        tuple(_name(scope.state) for scope in over),
        _the_one(_numbers(numbered, "learning_rate")),
        _sum(_numbers(decays, "weight_decay")),
        frozen,
    )


def _name(rule: Any) -> str:
    words = re.findall("[A-Z][a-z0-9]*", type(rule).__name__.removesuffix("State"))
    return "_".join(words).lower()


def _numbers(over: list[Scope], name: str) -> list[float | None]:
    """Return a number of every rule over one parameter that has it, None where it is unknown."""
    held = [scope for scope in over if name in scope.state.hyperparams]
    return [_value(scope.state, name) if scope.known else None for scope in held]


def _value(state: Any, name: str) -> float:
    return _shortest(value_at(name, state.hyperparams[name], state.count))


def _the_one(found: list[float | None]) -> float | None:
    return found[0] if len(found) == 1 else None


def _sum(found: list[float | None]) -> float | None:
    known = [number for number in found if number is not None]
    return sum(known) if known and len(known) == len(found) else None


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
    """Return where to look at a schedule: at the quarters of its lengths, and where parts begin.

    A length without end is that of four periods.
    """
    joined = re.findall(r"boundaries=\(([\d, ]+)\)", text)
    starts = [[int(start) for start in re.findall(r"\d+", each)] for each in joined]
    lengths = map(int, re.findall(r"(?<!_)steps=(\d+)", text))
    periods = map(int, re.findall(r"decay_steps=(\d+)", text))
    total = sum(lengths) + sum(map(max, starts)) + 4 * sum(periods)
    quarters = range(0, total + 1, max(total // 4, 1))
    return sorted({*quarters}.union(*starts)) if 4 < total else list(ROUND_COUNTS)


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
