"""What a schedule promises whose numbers are data."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxopt_dl import optim

from ._promise import given, traced_once


def has_leaves(make: Callable, numbers: dict) -> None:
    """Its numbers are the leaves of a pytree.

    Register the class with `jax.tree_util.register_dataclass`, its numbers as data fields.
    """
    leaves, _ = jax.tree.flatten(make(**numbers))
    for name, value in numbers.items():
        with given(f"`{name}` of {value}"):
            assert any(_same(leaf, value) for leaf in leaves), f"got the leaves {leaves}"


def has_one_structure(make: Callable, numbers: dict) -> None:
    """Other numbers are the same structure, and trace once.

    Keep nothing that is computed from the numbers among the static fields.
    """
    value = traced_once(lambda schedule, count: schedule(count))
    for more in range(3):
        other = make(**{name: _other(number, more) for name, number in numbers.items()})
        state: Any = optim.sgd(other).init(jnp.ones(2))
        value(state.hyperparams["learning_rate"], state.count)


def returns_a_strong_type(make: Callable, numbers: dict) -> None:
    """The value is a strongly typed scalar of the default dtype for every kind of count.

    Convert the count, `jnp.asarray(count, float)`: a weakly typed value compiles twice.
    """
    schedule = make(**numbers)
    for count in (4, jnp.int32(4)):
        with given(f"a count of type {type(count).__name__}"):
            value = schedule(count)
            assert isinstance(value, jax.Array), f"got a {type(value).__name__}"
            assert value.dtype == jnp.result_type(float), f"got dtype {value.dtype}"
            assert not value.weak_type, "got a weakly typed value, like a Python number"


def needs_no_device(make: Callable, numbers: dict) -> None:
    """Making it touches no device: its leaves are plain numbers until it is evaluated.

    Keep the numbers as they came, and convert them in `__call__`.
    """
    for leaf in jax.tree.leaves(make(**numbers)):
        assert isinstance(leaf, int | float), f"got a {type(leaf).__name__}"


PROMISES = (has_leaves, has_one_structure, returns_a_strong_type, needs_no_device)


def _same(leaf: Any, value: Any) -> bool:
    return isinstance(leaf, int | float | jax.Array) and jnp.shape(leaf) == () and leaf == value


def _other(number: Any, more: int) -> Any:
    """Return another number of the same kind: lengths grow, values shrink."""
    return number + more if isinstance(number, int) else number / (1 + more)
