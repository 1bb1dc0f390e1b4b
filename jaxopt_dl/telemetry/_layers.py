"""Leaves by layer: a layer is what all paths with the same beginning belong to."""

from typing import Any

from jaxopt_dl._core.errors import check_floating, fail, is_traced
from jaxopt_dl._core.trees import leaves_with_paths
from jaxopt_dl._core.types import Array, PyTree


def by_layer(who: str, name: str, tree: PyTree) -> dict[str, dict[str, Array]]:
    """Return layer path -> leaf name -> leaf; a leaf at the top belongs to the layer "".

    Raises:
      TypeError: if a leaf does not hold floating-point numbers.
      ValueError: without leaves.
    """
    layers: dict[str, dict[str, Array]] = {}
    for path, leaf in leaves_with_paths(tree):
        check_floating(who, path or name, leaf)
        layer, _, own = path.rpartition("/")
        layers.setdefault(layer, {})[own] = leaf
    if not layers:
        fail(who, f"`{name}` must hold at least one array", "got none", "Pass a pytree of arrays.")
    return layers


def check_concrete(who: str, name: str, tree: PyTree, advice: str) -> None:
    """Check that no leaf is traced, where the answer is not an array.

    Raises:
      TypeError: otherwise.
    """
    traced: list[Any] = [leaf for _, leaf in leaves_with_paths(tree) if is_traced(leaf)]
    if traced:
        rule = f"`{name}` must hold numbers, outside of compiled programs"
        fail(who, rule, "got traced arrays", advice, kind=TypeError)
