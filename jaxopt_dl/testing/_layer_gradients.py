"""What layers promise of gradients."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np

from ._gradients import assert_right
from ._layer_subject import DTYPES, Subject, some_key
from ._promise import given, precision


def has_finite_gradients(it: Subject) -> None:
    """Gradients by parameters and inputs are finite, and not all zero.

    Look for a square root, a logarithm or a division at 0, also in a branch not taken.
    """
    for dtype in DTYPES:
        with precision(dtype):
            params, state, x = it.made(dtype)

            def loss(params, x, state=state):
                return jnp.sum(jnp.square(it.apply(params, state, x, some_key())[0]))

            wanted = (0,) if it.indices else (0, 1)
            leaves = jax.tree.leaves(jax.jit(jax.grad(loss, argnums=wanted))(params, x))
            chex.assert_tree_all_finite(leaves)
            assert not leaves or any(np.any(leaf != 0) for leaf in leaves), "all are zero"


def has_right_gradients(it: Subject) -> None:
    """Gradients by parameters and inputs are those of finite differences.

    `gradcheck.check_gradients` tells more. Where a surrogate is meant, name it in `allow=`.
    """
    params, state, x = it.made(jnp.float32)
    checked = {"params": params} | ({} if it.indices else {"x": x})

    def weighted_sum(leaves, state, weights, training):
        inputs = leaves.get("x", x)
        y, _ = it.apply(leaves["params"], state, inputs, some_key(), training=training)
        return jnp.sum(weights * jnp.sin(y))

    for training in (True, False) if jax.tree.leaves(checked) else ():
        with given(f"training={training}"):
            forward = functools.partial(it.apply, key=some_key(), training=training)
            y, _ = jax.eval_shape(forward, params, state, x)
            weights = np.random.default_rng(5).normal(size=y.shape)
            loss = functools.partial(weighted_sum, training=training)
            assert_right(loss, checked, (state, weights), it.allow)
