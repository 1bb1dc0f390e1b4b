"""A case: arguments of `check_gradients` and what a good checker must say about them.

A theme file registers its cases with `correct`, `bug` or `add`. A case states only facts about
the user's function: which leaves and components of its gradient are wrong, and what is at fault
where. Files and lines are read from the source, never typed.
"""

import functools
import importlib
import inspect
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

THEMES = (
    "hand_written_dense",
    "hand_written_structured",
    "rules",
    "rules_special",
    "rules_correct",
    "precision",
    "away_from_init",
    "blocked",
    "nonfinite",
    "nonfinite_places",
    "surrogates",
    "nondeterministic",
    "kinks",
    "scales",
    "cancellation",
    "solvers",
    "loose_solvers",
    "loose_solvers_wrong",
    "far_away",
    "far_away_correct",
    "containers",
    "models",
    "control_flow",
    "attribution",
    "edges",
    "on_the_host",
)
MARK = "# planted"


class Place(NamedTuple):
    """Lines `first` to `last` of a source file."""

    file: str
    first: int
    last: int


class Cause(NamedTuple):
    """What is at fault; any of the names, kinds and places is a right answer."""

    kinds: frozenset[str]
    names: frozenset[str]
    places: tuple[Place, ...]

    def matches(self, kind: str, name: str, file: str, line: int) -> bool:
        here = any(p.file == file and p.first <= line <= p.last for p in self.places)
        return here and kind in self.kinds and name in self.names


@dataclass(frozen=True)
class Case:
    """One function, its arguments, and the truth about its gradient.

    Attributes:
      name: unique in the suite.
      theme: the file the case stands in.
      make: returns the arguments of `check_gradients`, `function` and `params` among them.
      verdict: "pass" or "fail".
      leaves: paths of the leaves with a wrong gradient; None where the notion has no meaning.
      components: flat indices of the wrong components, for leaves where few are wrong.
      find_cause: from the made arguments to the cause; None for a correct function.
      truth: a plain loss of the same arguments whose `jax.grad` is right; None to compare with
        `jax.grad(function)` for a hand-written gradient, else with finite differences.
      elsewhere: parameters where the bug shows, when it is invisible at the given ones.
      at_kink: the gradient is one of several valid subgradients.
      noise: relative error the reference may show, for functions that are noisy by nature.
      unresolvable: no checker can decide; "inconclusive" is then right too.
    """

    name: str
    theme: str
    make: Callable[[], dict[str, Any]]
    verdict: str
    leaves: frozenset[str] | None = frozenset()
    components: Mapping[str, frozenset[int]] = field(default_factory=dict)
    find_cause: Callable[[dict[str, Any]], Cause] | None = None
    truth: Callable | None = None
    elsewhere: Callable[[], Any] | None = None
    at_kink: bool = False
    noise: float = 0.0
    unresolvable: bool = False

    @property
    def is_bug(self) -> bool:
        return self.verdict == "fail"


CASES: dict[str, Case] = {}


def all_cases() -> list[Case]:
    """Import every theme and return all cases, ordered by theme."""
    for theme in THEMES:
        importlib.import_module(f"tests.gradcheck.suite.{theme}")
    return sorted(CASES.values(), key=lambda case: (THEMES.index(case.theme), case.name))


def add(name: str, make: Callable[[], dict[str, Any]], *, theme: str, **facts: Any) -> None:
    """Register a case; a name that is taken is an error."""
    if name in CASES:
        raise ValueError(f"suite: names must be unique, {name!r} came twice")
    theme = theme.rpartition(".")[2]
    CASES[name] = Case(name, theme, make, **facts)


def correct(**facts: Any) -> Callable:
    """Register the decorated `make` as a correct function."""

    def register(make: Callable) -> Callable:
        add(make.__name__, make, theme=make.__module__, verdict="pass", **facts)
        return make

    return register


def bug(
    leaves: Iterable[str] | None,
    find_cause: Callable[[dict[str, Any]], Cause] | None = None,
    *,
    kind: str | Collection[str] = (),
    names: Collection[str] = (),
    components: Mapping[str, Collection[int]] | None = None,
    **facts: Any,
) -> Callable:
    """Register the decorated `make` as a planted bug.

    Without `find_cause` the lines of `make` that end in `# planted` are at fault.
    """

    def register(make: Callable) -> Callable:
        cause = find_cause or functools.partial(marked_cause, make, kinds(kind), frozenset(names))
        add(
            make.__name__,
            make,
            theme=make.__module__,
            verdict="fail",
            leaves=None if leaves is None else frozenset(leaves),
            components={path: frozenset(found) for path, found in (components or {}).items()},
            find_cause=cause,
            **facts,
        )
        return make

    return register


def kinds(kind: str | Collection[str]) -> frozenset[str]:
    return frozenset((kind,) if isinstance(kind, str) else kind)


def marked_cause(
    make: Callable, allowed: frozenset[str], names: frozenset[str], arguments: dict[str, Any]
) -> Cause:
    """The lines of `make` marked as planted; the checked function's name is right as well."""
    lines, first = inspect.getsourcelines(make)
    file = inspect.getsourcefile(make) or ""
    found = [first + i for i, text in enumerate(lines) if text.rstrip().endswith(MARK)]
    if not found:
        raise ValueError(f"suite: {make.__name__} must mark the planted line with {MARK!r}")
    own = {name_of(arguments["function"])}
    return Cause(allowed, names | own, tuple(Place(file, line, line) for line in found))


def hand_written(arguments: dict[str, Any]) -> Cause:
    """The gradient handed to the checker is at fault."""
    return cause_in("hand_written", arguments["gradient"])


def drawing(arguments: dict[str, Any]) -> Cause:
    """The checked function returns another value at each call."""
    return cause_in("nondeterministic", arguments["function"])


def rule(*functions: Callable, kind: str | Collection[str] = "custom_rule") -> Callable:
    """The custom rule made of these functions is at fault."""
    return lambda arguments: cause_in(kind, *functions)


def cause_in(kind: str | Collection[str], *functions: Callable) -> Cause:
    names = frozenset(name_of(function) for function in functions)
    return Cause(kinds(kind), names, tuple(place_of(function) for function in functions))


def name_of(function: Callable) -> str:
    return getattr(function, "__name__", type(function).__name__)


def place_of(function: Callable) -> Place:
    """The lines of a function's definition, decorators included."""
    plain = inspect.unwrap(function)
    lines, first = inspect.getsourcelines(plain)
    return Place(inspect.getsourcefile(plain) or "", first, first + len(lines) - 1)


def normal(seed: int, *shape: int, scale: float = 1.0) -> np.ndarray:
    """Reproducible normal numbers in float64."""
    return scale * np.random.default_rng(seed).normal(size=shape)
