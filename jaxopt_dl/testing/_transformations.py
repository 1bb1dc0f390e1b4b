"""What every gradient transformation promises."""

import functools
from collections.abc import Callable
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxopt_dl import optim
from jaxopt_dl._core.errors import fail
from jaxopt_dl._core.trees import leaves_with_paths
from jaxopt_dl._core.types import PyTree

from ._promise import given, hold_all, precision

HALF = (jnp.float16, jnp.bfloat16)
ALL = (*HALF, jnp.float32, jnp.float64)

Make = Callable[..., PyTree]
"""`make(dtype)` returns parameters in this dtype."""


def check_transformation(
    transformation: optax.GradientTransformation, *, params: PyTree | None = None
) -> None:
    """Check that an optimizer or a block keeps the promises of the library's own.

    It works compiled, in `scan` and under `vmap`; keeps structure, shapes and dtypes in all
    precisions, with moments in at least float32; is finite at a gradient of zero; tolerates
    unknown extra arguments; works inside `optax.chain`, `masked`, `partition` and `MultiSteps`;
    its state holds strongly typed arrays that share no memory; and all that under strict dtype
    promotion. What it *computes* is for a test of your own.

    Args:
      transformation: what `sgd(0.1)` would return.
      params: parameters to try it on, floating-point; by default a tree with the paths
        `head/kernel` (2, 3), `head/bias` (3,) and `scale` ().

    Raises:
      AssertionError: at the first broken promise, saying which, for which input, and what came.
      TypeError: if `transformation` is not an `optax.GradientTransformation`.

    Examples:
      >>> from jaxopt_dl import optim
      >>> check_transformation(optim.adam(0.01))
      >>> doubling = optax.stateless(lambda updates, params: jax.tree.map(lambda g: 2 * g, updates))
      >>> check_transformation(doubling)
    """
    who = "check_transformation"
    if not isinstance(transformation, optax.GradientTransformation):
        came = f"got {type(transformation).__name__}"
        advice = "Pass what a rule such as `sgd(0.1)` returns."
        fail(who, "it must be given a gradient transformation", came, advice, kind=TypeError)
    hold_all(who, PROMISES, transformation, functools.partial(as_dtype, params))


def as_dtype(params: PyTree | None, dtype: Any) -> PyTree:
    """Return parameters in a dtype, the usual ones for None."""
    if params is not None:
        return jax.tree.map(lambda leaf: jnp.array(leaf, dtype), params)
    vector = np.array([0.9, -0.4, 0.3, 1.1, -0.8, 0.2, -1.3, 0.5, 0.7, -0.6])
    shaped = {
        "head": {"kernel": vector[3:9].reshape(2, 3), "bias": vector[:3]},
        "scale": vector[9],
    }
    return jax.tree.map(lambda leaf: jnp.array(leaf, dtype), shaped)


def takes_unknown_arguments(tx, make: Make) -> None:
    """Unknown extra arguments change nothing."""
    tx, params = optax.with_extra_args_support(tx), make(jnp.float32)
    state = tx.init(params)
    plain = tx.update(params, state, params)
    extra = tx.update(params, state, params, unheard_of=jnp.float32(3.0), other=None)
    chex.assert_trees_all_equal(plain, extra)


def compiles(tx, make: Make) -> None:
    """Compiled and interpreted updates agree."""
    with precision(jnp.float64):
        params = make(jnp.float64)
        state = _after_one(tx, params)
        interpreted = tx.update(params, state, params)
        compiled = jax.jit(tx.update)(params, state, params)
        chex.assert_trees_all_close(compiled, interpreted, rtol=1e-13, atol=1e-14)


def scans(tx, make: Make) -> None:
    """Structure, shapes and dtypes of parameters and state stay the same in a scan."""
    for dtype in ALL:
        with precision(dtype):
            _check_scan(tx, make(dtype))
    with given("float32 parameters in a float64 scope"), jax.enable_x64(True):
        _check_scan(tx, make(jnp.float32))


def keeps_mixed_dtypes(tx, make: Make) -> None:
    """Updates have the dtypes of their own gradients where those differ."""
    leaves, structure = jax.tree.flatten(make(jnp.float32))
    params = structure.unflatten([*leaves[:-1], leaves[-1].astype(jnp.bfloat16)])
    updates, _ = jax.eval_shape(tx.update, params, tx.init(params), params)
    chex.assert_trees_all_equal_shapes_and_dtypes(updates, params)


def keeps_wide_memory(tx, make: Make) -> None:
    """The state of half-precision parameters is in at least single precision."""
    for dtype in HALF:
        with precision(dtype):
            for path, leaf in leaves_with_paths(jax.eval_shape(tx.init, make(dtype))):
                assert leaf.dtype.itemsize >= 4, f"{path or 'the state'} has dtype {leaf.dtype}"


def is_finite_at_zero(tx, make: Make) -> None:
    """Gradients of zero give finite updates and a finite state."""
    for dtype in (*HALF, jnp.float32):
        with precision(dtype):
            params = make(dtype)
            zero, state = jax.tree.map(jnp.zeros_like, params), tx.init(params)
            for _ in range(2):
                updates, state = tx.update(zero, state, params)
                chex.assert_tree_all_finite((updates, _bounded(state)))


def owns_its_memory(tx, make: Make) -> None:
    """No two leaves of the state share memory, with each other or with the parameters."""
    params = make(jnp.float32)
    for how, init in (("interpreted", tx.init), ("compiled", jax.jit(tx.init))):
        with given(f"an {how} init"):
            leaves = [*jax.tree.leaves(init(params)), *jax.tree.leaves(params)]
            pointers = {leaf.unsafe_buffer_pointer() for leaf in leaves}
            assert len(pointers) == len(leaves), "a buffer appears twice, so it cannot be donated"


def is_strongly_typed(tx, make: Make) -> None:
    """Every leaf of the state is a strongly typed array, so that nothing compiles twice."""
    for path, leaf in leaves_with_paths(tx.init(make(jnp.float32))):
        assert isinstance(leaf, jax.Array), f"{path} is a {type(leaf).__name__}"
        assert not leaf.weak_type, f"{path} is weakly typed, like a Python number"


def runs_side_by_side(tx, make: Make) -> None:
    """Several runs under vmap equal the runs alone."""
    with precision(jnp.float64):
        params = make(jnp.float64)
        starts = jax.tree.map(lambda w: jnp.stack([w, -2 * w, w + 1]), params)

        def final(w):
            state = tx.init(w)
            for _ in range(3):
                updates, state = tx.update(w, state, w)
                w = optax.apply_updates(w, updates)
            return w

        single = jax.jit(final)
        together = jax.jit(jax.vmap(final))(starts)
        alone = [single(jax.tree.map(lambda w, i=i: w[i], starts)) for i in range(3)]
        stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *alone)
        chex.assert_trees_all_close(together, stacked, rtol=1e-12, atol=1e-12)


def works_in_wrappers(tx, make: Make) -> None:
    """Inside the wrappers of optax it does what it does alone."""
    params = make(jnp.float32)
    labels = jax.tree.map(lambda _: "all", params)
    wrapped = {
        "optax.chain": optax.chain(optax.identity(), tx),
        "optim.chain": optim.chain(optax.identity(), tx),
        "optax.masked": optax.masked(tx, jax.tree.map(lambda _: True, params)),
        "optax.partition": optax.partition({"all": tx}, labels),
        "optim.by_path": optim.by_path({"*": tx}),
        "optim.skip_nonfinite": optim.skip_nonfinite(tx),
        "optax.MultiSteps": optax.MultiSteps(tx, 1).gradient_transformation(),
    }
    # Some wrappers of optax do not run under strict promotion.
    with jax.numpy_dtype_promotion("standard"):
        for name, wrapper in wrapped.items():
            with given(name):
                alone, inside = tx.init(params), wrapper.init(params)
                # Uncompiled, the conditions in MultiSteps would be compiled at every update.
                update = jax.jit(wrapper.update) if "MultiSteps" in name else wrapper.update
                for _ in range(2):
                    expected, alone = tx.update(params, alone, params)
                    got, inside = update(params, inside, params)
                    chex.assert_trees_all_close(got, expected, rtol=1e-6)


PROMISES = (
    takes_unknown_arguments,
    compiles,
    scans,
    keeps_mixed_dtypes,
    keeps_wide_memory,
    is_finite_at_zero,
    owns_its_memory,
    is_strongly_typed,
    runs_side_by_side,
    works_in_wrappers,
)


def _after_one(tx, params: PyTree) -> PyTree:
    return tx.update(params, tx.init(params), params)[1]


def _check_scan(tx, params: PyTree) -> None:
    def body(carry, _):
        params, state = carry
        updates, state = tx.update(params, state, params)
        return (optax.apply_updates(params, updates), state), None

    start = (params, tx.init(params))
    after = jax.eval_shape(lambda carry: jax.lax.scan(body, carry, length=3)[0], start)
    chex.assert_trees_all_equal_shapes_and_dtypes(after, start)


def _bounded(state: PyTree) -> PyTree:
    """Return the state without scalars, where an infinity can stand for `none yet`."""
    return [leaf for leaf in jax.tree.leaves(state) if leaf.shape]
