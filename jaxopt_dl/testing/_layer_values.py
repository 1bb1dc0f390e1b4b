"""What layers promise of results: compiled, side by side, in evaluation, under a mask, by key."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np

from jaxopt_dl._core.trees import leaves_with_paths
from jaxopt_dl._core.types import PyTree

from ._agree import assert_close, assert_equal, assert_pure, numbers
from ._layer_subject import TRAINING, Subject, some_key, some_keys
from ._promise import given, precision


def compiles(it: Subject) -> None:
    """Compiled and interpreted results agree.

    Branch on values with `jnp.where` or `jax.lax.cond`, and keep nothing outside of the arguments.
    """
    with precision(jnp.float64):
        made = it.made()
        assert_close(it.run(*made, some_key()), it.apply(*made, some_key()))


def runs_side_by_side(it: Subject) -> None:
    """Several seeds under vmap equal the seeds one after another.

    Use operations of JAX alone: what is computed outside of it knows nothing of vmap.
    """
    with precision(jnp.float64):
        _, _, x = it.made()

        def from_seed(key):
            params, state = it.init(key, dtype=np.dtype(np.float64))
            return it.run(params, state, x, key)

        keys = jax.random.split(some_key(), 3)
        stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *map(from_seed, keys))
        assert_close(jax.jit(jax.vmap(from_seed))(keys), stacked)


def evaluates_without_change(it: Subject) -> None:
    """Evaluation returns the state unchanged.

    Return the `state` that came where `training` is False.
    """
    with precision(jnp.float64):
        params, state, x = it.made()
        _, state = it.run(params, state, x, some_key())
        assert_equal(it.run(params, state, x, training=False)[1], state)


def evaluates_rows_alone(it: Subject) -> None:
    """In evaluation a row does not depend on the others.

    Keep statistics of the batch in the state while training, and use those; leave rows in their
    order.
    """
    with precision(jnp.float64):
        params, state, x = it.made()
        changed = jnp.concatenate([x[:1], it.others(x[1:], 5.0)])
        first, second = (it.run(params, state, rows, training=False)[0] for rows in (x, changed))
        assert_equal(second[0], first[0])


def ignores_padding(it: Subject) -> None:
    """Padded rows change neither the state nor the real rows.

    Leave the rows out where `mask` is False, with `jnp.where` rather than by a product.
    """
    with precision(jnp.float64):
        params, state, rows = it.made(rows=5)

        def padded_with(value, training):
            padding = np.full((59, *it.shape), value).astype(rows.dtype)
            x = np.concatenate([it.others(rows), padding])
            mask = np.arange(64) < 5
            y, after = it.run(params, state, x, some_key(), mask, training=training)
            return y[:5], after

        for training in (True, False):
            with given(f"training={training}"):
                assert_equal(padded_with(1e3, training), padded_with(0.0, training))


def masks_exactly(it: Subject) -> None:
    """With its mask a padded batch equals the real rows alone.

    Count the rows where `mask` is True, `jnp.sum(mask)`, instead of all.
    """
    with precision(jnp.float64):
        params, state, rows = it.made(rows=5)
        rows = it.others(rows)
        padded = np.concatenate([rows, np.zeros((59, *it.shape), rows.dtype)])
        y, masked = it.run(params, state, padded, some_key(), np.arange(64) < 5)
        alone, unmasked = it.run(params, state, rows, some_key())
        assert_close(masked, unmasked)
        if not it.needs_key:  # what is drawn for 64 rows need not begin as what is drawn for 5
            assert_close(y[:5], alone)


def repeats_itself(it: Subject) -> None:
    """The same arguments give the same parameters and results, and stay as they were.

    Draw with `jax.random` and the key given, from nothing else; return a new state.
    """
    # Not compiled: what was drawn while tracing would be a constant of the program.
    with precision(jnp.float64):
        with given("`init`"):
            init = functools.partial(it.init_plainly, dtype=np.dtype(np.float64))
            assert_pure(init, some_key())
        with given("`apply`"):
            assert_pure(it.apply, *it.made(), some_key())


def draws_only_with_a_key(it: Subject) -> None:
    """A layer that depends on the key misses it in training by an error that names `key`.

    Raise a ValueError if `key is None`, and draw from the key that came.
    """
    with precision(jnp.float64):
        made = it.made()
        first, _ = it.run(*made, some_key())
        # Several keys, since one may draw the same mask by chance.
        same = all(np.array_equal(first, it.run(*made, key)[0]) for key in some_keys(4))
        said = "raises without one" if it.needs_key else "does not ask for one"
        used = "does not depend on it" if same else "depends on it"
        assert it.needs_key != same, f"it {said}, and the result {used}"


def draws_its_parameters_from_the_key(it: Subject) -> None:
    """Parameters that are drawn differ from key to key.

    Draw with the key that `init` was given; fixed numbers belong into `apply`.
    """
    one, other = (it.init(key, dtype=np.dtype(np.float32))[0] for key in some_keys(2))
    pairs = zip(_drawn(one), _drawn(other), strict=False)
    same = [path for (path, a), (_, b) in pairs if np.array_equal(a, b)]
    assert not same, f"two keys gave the same numbers in `{'`, `'.join(same)}`"


def draws_each_parameter_anew(it: Subject) -> None:
    """No two parameters are drawn from the same key.

    Give each a key of its own: `kernel_key, bias_key = jax.random.split(key)`.
    """
    params, _ = it.init(some_key(), dtype=np.dtype(np.float32))
    for (one, a), (other, b) in itertools.combinations(_drawn(params), 2):
        twins = a.size == b.size and abs(np.corrcoef(a, b)[0, 1]) > 1 - 1e-6
        assert not twins, f"`{one}` and `{other}` are the same numbers up to scale"


def trains_as_it_evaluates(it: Subject) -> None:
    """What it does in training alone comes from a key, from its state or from other rows.

    Draw the mask of a dropout from the key that came: that of a fixed key is the same at every
    step. If another computation is meant, as in training with rounded weights, pass
    `allow=("training",)`.
    """
    if it.needs_key or TRAINING in it.allow:
        return
    with precision(jnp.float64):
        params, state, x = it.made()
        with given("equal rows"):
            y, _ = it.run(params, state, jnp.repeat(x[:1], len(x), axis=0), some_key())
            assert_close(y, jnp.repeat(y[:1], len(x), axis=0))
        y, _ = it.run(params, state, x, some_key())
        others = jnp.concatenate([x[:1], it.others(x[1:])])
        alone = np.array_equal(y[0], it.run(params, state, others, some_key())[0][0])
        if alone and not jax.tree.leaves(state):
            assert_close(y, it.run(params, state, x, training=False)[0])


def evaluates_without_a_key(it: Subject) -> None:
    """Evaluation needs no key and ignores one.

    Draw only where `training` is True.
    """
    # Not compiled: whether it compiles is another question, asked later.
    with precision(jnp.float64):
        made = it.made()
        with_key = it.apply(*made, some_key(), training=False)
        assert_equal(it.apply(*made, training=False), with_key)


def _drawn(params: PyTree) -> list[tuple[str, np.ndarray]]:
    """Return path and numbers of the parameters that are more than a constant or a pattern."""
    flat = [(path, numbers(leaf).ravel()) for path, leaf in leaves_with_paths(params)]
    return [(path, leaf) for path, leaf in flat if len(np.unique(leaf)) > 2]
