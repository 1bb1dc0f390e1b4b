"""What every transformation promises about itself inside the wrappers of optax."""

from collections.abc import Iterator
from typing import Any

import chex
import jax
import jax.numpy as jnp
import optax

from jaxopt_dl import optim
from jaxopt_dl._core.trees import leaves_with_paths
from jaxopt_dl._core.types import PyTree

from ._agree import assert_close
from ._promise import given, precision
from ._transformation_subject import Subject, compiled


def takes_more_parameters(it: Subject) -> None:
    """A parameter more is updated with the others.

    Map over leaves with `jax.tree.map` instead of writing out the tree. If the rule is made for
    one tree, pass it as `params=`.
    """
    if it.params is None:
        params = {**it.made(jnp.float32), "more": jnp.ones(2)}
        try:
            state = it.tx.init(params)
        except ValueError:  # it may choose parameters by path
            return
        updates, _ = jax.eval_shape(it.update, params, state, params)
        chex.assert_trees_all_equal_shapes_and_dtypes(updates, params)


def works_in_wrappers(it: Subject) -> None:
    """Inside the wrappers of optax it does what it does alone.

    Treat parameters and states as any trees: look neither for a type nor for a place in them.
    """
    # Some wrappers of optax do not run under strict promotion.
    with precision(jnp.float64), jax.numpy_dtype_promotion("standard"):
        params = it.made(jnp.float64)
        extra = it.extra_for(params)
        alone = _two_updates(it.quick, params, extra)
        for name, wrapper in _wrapped(it.quick, params, extra).items():
            with given(name):
                assert_close(_two_updates(wrapper, params, extra), alone)


def works_behind_a_mask(it: Subject) -> None:
    """Where a wrapper hides a parameter, it does to the others what it does without that one.

    Map over leaves with `jax.tree.map`: parameters, gradients and states have an empty node,
    `optax.MaskedNode()`, in the place of what is hidden.
    """
    refused = None
    with precision(jnp.float64), jax.numpy_dtype_promotion("standard"):
        params = it.made(jnp.float64)
        extra = it.extra_for(params)
        for whole, hidden in _hiding(params):
            leaves, structure = jax.tree.flatten(whole)
            own = structure.unflatten([None if i == hidden else x for i, x in enumerate(leaves)])
            try:
                it.tx.init(own)
            except ValueError as error:  # it may choose parameters by path, and need this one
                refused = error
                continue
            with given("without one leaf"):
                _check_hidden(it, whole, own, hidden, extra)
            return
    if refused is not None:
        raise refused


def _hiding(params: PyTree) -> Iterator[tuple[PyTree, int]]:
    """Yield parameters and which leaf to hide: one of several, or one more beside them."""
    count = len(jax.tree.leaves(params))
    yield from ((params, index) for index in range(count) if count > 1)
    if isinstance(params, dict):
        whole = {**params, "~": jnp.ones(2)}
        yield whole, [path for path, _ in leaves_with_paths(whole)].index("~")


def _check_hidden(
    it: Subject, params: PyTree, own: PyTree, hidden: int, extra: dict[str, Any]
) -> None:
    alone = [jax.tree.leaves(moved) for moved in _two_updates(it.quick, own, extra)]
    leaves, structure = jax.tree.flatten(params)
    shown = structure.unflatten([i != hidden for i in range(len(leaves))])
    labels = jax.tree.map(lambda own: "own" if own else "other", shown)
    parts: dict[Any, Any] = {"own": it.quick, "other": optax.set_to_zero()}
    wrappers = {
        "optax.masked": (optax.masked(it.quick, shown), leaves[hidden]),
        "optax.partition": (optax.partition(parts, labels), jnp.zeros_like(leaves[hidden])),
    }
    for name, (wrapper, other) in wrappers.items():
        with given(f"{name} with a mask"):
            expected = [structure.unflatten([*m[:hidden], other, *m[hidden:]]) for m in alone]
            assert_close(_two_updates(wrapper, params, extra), expected)


def _two_updates(tx: Any, params: PyTree, extra: dict[str, Any]) -> list[PyTree]:
    state, found = tx.init(params), []
    for _ in range(2):
        updates, state = tx.update(params, state, params, **extra)
        found.append(updates)
    return found


def _wrapped(tx: Any, params: PyTree, extra: dict[str, Any]) -> dict[str, Any]:
    """Return the transformation inside each wrapper, by the name of the wrapper."""
    several = optax.MultiSteps(tx, 1).gradient_transformation()
    return {
        "optax.chain": optax.chain(optax.identity(), tx),
        "optim.chain": optim.chain(optax.identity(), tx),
        "optax.masked": optax.masked(tx, jax.tree.map(lambda _: True, params)),
        "optax.partition": optax.partition({"all": tx}, jax.tree.map(lambda _: "all", params)),
        "optim.by_path": optim.by_path({"*": tx}),
        "optim.skip_nonfinite": optim.skip_nonfinite(tx),
        # Uncompiled, its conditions would be compiled at every update.
        "optax.MultiSteps": compiled(several, extra),
    }
