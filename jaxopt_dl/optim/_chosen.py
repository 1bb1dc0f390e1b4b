"""A choice of parameters by their paths, made once and kept in the state as structure."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax

from jaxopt_dl._core.errors import check_callable, fail
from jaxopt_dl._core.trees import is_selected, map_with_paths, path_string
from jaxopt_dl._core.types import PyTree


@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True)
class Mark:
    """Stands in a state for one parameter, and says whether a rule treats it differently.

    It holds no array, so it is part of the structure. An update reads it instead of calling the
    function that chose: it is one update for every function, and a function written inline does
    not compile anew each time it is written.
    """

    chosen: bool


def choosing(
    who: str, name: str, function: Callable[[str], bool] | None
) -> Callable[[PyTree], PyTree]:
    """Return what makes the choice at `init`: parameters -> a `Mark` for each; None for kernels.

    It raises a `ValueError` where there are parameters and none of them is chosen.
    """
    if function is not None:
        check_callable(who, name, function)

    def choose(params: PyTree) -> PyTree:
        marks = map_with_paths(lambda path, x: Mark(is_selected(function, path, x)), params)
        found = marks_in(marks)
        if found and not any(found.values()):
            rule = f"`{name}` must choose at least one parameter"
            rule += " (by default the kernels)" if function is None else ""
            advice = f"Pass `{name}=`, a function of these paths."
            fail(who, rule, f"got none of: {', '.join([*found][:8])}", advice)
        return marks

    return choose


def marks_in(tree: PyTree) -> dict[str, bool]:
    """Return path -> whether it is chosen, for every mark in a tree."""
    nodes = jax.tree_util.tree_leaves_with_path(tree, is_leaf=_is_mark)
    return {path_string(path): node.chosen for path, node in nodes if _is_mark(node)}


def _is_mark(node: Any) -> bool:
    return isinstance(node, Mark)
