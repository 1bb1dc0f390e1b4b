"""What every gradient transformation promises."""

from collections.abc import Sequence
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxopt_dl._core.errors import fail
from jaxopt_dl._core.trees import leaves_with_paths
from jaxopt_dl._core.types import PyTree

from ._agree import assert_close, assert_equal, assert_pure
from ._promise import given, hold_all, is_half, precision
from ._transformation_subject import Extra, Subject, check_has_leaves, subject_of
from ._wrappers import takes_more_parameters, works_behind_a_mask, works_in_wrappers


def check_transformation(
    transformation: optax.GradientTransformation,
    *,
    params: PyTree | None = None,
    dtypes: Sequence[Any] = ("float32", "float64"),
    extra: Extra = None,
    strict: bool = False,
) -> None:
    """Check that an optimizer or a block keeps the promises of the library's own.

    It remembers nothing outside of its state; works compiled, in `scan` and under `vmap`; keeps
    structure, shapes and dtypes; is finite at a gradient of zero; tolerates unknown extra
    arguments; works inside `optax.chain`, `masked`, `partition` and `MultiSteps`, also where a
    mask hides one of several parameters; its state holds strongly typed arrays that share no
    memory. In half precision its moments are in at least float32. What it *computes* is for a
    test of your own, and whether its numbers are data for `check_numbers_are_data`.

    Args:
      transformation: what `sgd(0.1)` would return.
      params: parameters to try it on, floating-point; by default a tree with the paths
        `head/kernel` (2, 3), `head/bias` (3,) and `scale` ().
      dtypes: precisions it is meant for. The rules of this library keep the promises in
        "float16" and "bfloat16" too; many of optax's do not.
      extra: keyword arguments that every update needs, such as `{"value": 1.0}` for
        `optax.polyak_sgd`, or a function of the parameters that returns them.
      strict: whether to ask all of it once more under strict dtype promotion and without rank
        promotion, and that every update has the dtype of its own gradient where those differ. A
        rule that mixes dtypes as JAX and optax allow is not at fault otherwise.

    Raises:
      AssertionError: at the first broken promise, saying which, for which input, what came, and
        what to do.
      TypeError: if `transformation` is not an `optax.GradientTransformation`.
      ValueError: if a dtype is not floating, or `params` holds no array.

    Examples:
      >>> from jaxopt_dl import optim
      >>> check_transformation(optim.adam(0.01), dtypes=("bfloat16", "float32"))
      >>> check_transformation(optax.sgd(0.1))
      >>> check_transformation(optax.polyak_sgd(), dtypes=("float32",), extra={"value": 1.0})
    """
    who = "check_transformation"
    if not isinstance(transformation, optax.GradientTransformation):
        came = f"got {type(transformation).__name__}"
        advice = "Pass what a rule such as `sgd(0.1)` returns."
        if hasattr(transformation, "gradient_transformation"):
            advice = "Pass what its method `.gradient_transformation()` returns."
        fail(who, "it must be given a gradient transformation", came, advice, kind=TypeError)
    check_has_leaves(who, params)
    promises = PROMISES + STRICT_PROMISES if strict else PROMISES
    hold_all(who, promises, subject_of(transformation, params, dtypes, extra), strict=strict)


def updates(it: Subject) -> None:
    """`init(params)` and `update(gradients, state, params)` run, and return updates and a state.

    Read the error that was raised. If the rule needs parameters of certain names or shapes,
    pass `params=`; if it needs extra arguments, pass `extra=`.
    """
    for dtype in it.dtypes:
        with precision(dtype):
            params = it.made(dtype)
            result = it.update(params, it.tx.init(params), params)
            assert isinstance(result, tuple) and len(result) == 2, f"got {type(result).__name__}"


def repeats_itself(it: Subject) -> None:
    """The same arguments give the same results, and stay as they were.

    Keep in the state what changes, and return a new one; draw with `jax.random` from a key in it.
    """
    params = it.made(jnp.float32)
    with given("`init`"):
        assert_pure(it.tx.init, params)
    with given("`update`"):
        assert_pure(it.update, params, it.tx.init(params), params)


def is_strongly_typed(it: Subject) -> None:
    """Every leaf of the state is a strongly typed array, so that nothing compiles twice.

    Write `jnp.zeros((), jnp.int32)` rather than 0, `jnp.float32(x)` rather than x.
    """
    for path, leaf in leaves_with_paths(it.tx.init(it.made(jnp.float32))):
        name = f"`{path}`" if path else "the state"
        assert isinstance(leaf, jax.Array), f"{name} is a {type(leaf).__name__}"
        assert not _data(leaf).weak_type, f"{name} is weakly typed, like a Python number"


def takes_unknown_arguments(it: Subject) -> None:
    """Unknown extra arguments change nothing.

    Write `def update(updates, state, params=None, **extra)`.
    """
    params = it.made(jnp.float32)
    state = it.tx.init(params)
    plain = it.update(params, state, params)
    assert_equal(it.update(params, state, params, unheard_of=jnp.float32(3.0)), plain)


def compiles(it: Subject) -> None:
    """Compiled and interpreted updates agree.

    Branch on values with `jnp.where` or `jax.lax.cond`, and keep nothing outside of the state.
    """
    with precision(jnp.float64):
        params = it.made(jnp.float64)
        _, state = it.update(params, it.tx.init(params), params)
        interpreted = it.update(params, state, params)
        assert_close(jax.jit(it.update)(params, state, params), interpreted)


def scans(it: Subject) -> None:
    """Structure, shapes and dtypes of updates and state stay the same in a scan.

    Return updates with `astype(gradient.dtype)` and a state with the dtypes of `init`.
    """
    for dtype in it.dtypes:
        with precision(dtype):
            _check_scan(it, it.made(dtype))
    with given("float32 parameters in a float64 scope"), jax.enable_x64(True):
        _check_scan(it, it.made(jnp.float32))


def keeps_mixed_dtypes(it: Subject) -> None:
    """Updates have the dtypes of their own gradients where those differ.

    Return each with `astype(gradient.dtype)`, leaf by leaf.
    """
    narrow, wide = min(it.dtypes, key=_width), max(it.dtypes, key=_width)
    with precision(wide), given(f"one leaf in {narrow.name}"):
        leaves, structure = jax.tree.flatten(it.made(wide))
        params = structure.unflatten([*leaves[:-1], leaves[-1].astype(narrow)])
        updates, _ = jax.eval_shape(it.update, params, it.tx.init(params), params)
        chex.assert_trees_all_equal_shapes_and_dtypes(updates, params)


def keeps_wide_memory(it: Subject) -> None:
    """The state of half-precision parameters is in at least single precision.

    Make it with `jnp.zeros_like(w, dtype=jnp.promote_types(w.dtype, jnp.float32))`: a running
    mean in half precision stands still.
    """
    for dtype in filter(is_half, it.dtypes):
        with precision(dtype):
            for path, leaf in leaves_with_paths(jax.eval_shape(it.tx.init, it.made(dtype))):
                assert leaf.dtype.itemsize >= 4, f"{path or 'the state'} has dtype {leaf.dtype}"


def is_finite_at_zero(it: Subject) -> None:
    """Gradients of zero give finite updates and a finite state.

    Add `eps` where something is divided or rooted; 1e-8 is 0 in float16.
    """
    for dtype in it.dtypes:
        with precision(dtype):
            params = it.made(dtype)
            zero, state = jax.tree.map(jnp.zeros_like, params), it.tx.init(params)
            for _ in range(2):
                updates, state = it.quick.update(zero, state, params, **it.extra_for(params))
                chex.assert_tree_all_finite((updates, _bounded(state)))


def owns_its_memory(it: Subject) -> None:
    """No two leaves of the state share memory, with each other or with the parameters.

    Make each with `jnp.zeros_like` or `jnp.array(w)`: a buffer that appears twice cannot be
    donated.
    """
    params = it.made(jnp.float32)
    for how, init in (("interpreted", it.tx.init), ("compiled", jax.jit(it.tx.init))):
        with given(f"an {how} init"):
            seen: dict[int, str] = {}
            for path, leaf in leaves_with_paths({"params": params, "state": init(params)}):
                if isinstance(leaf, jax.Array):
                    other = seen.setdefault(_data(leaf).unsafe_buffer_pointer(), path)
                    assert other == path, f"a buffer appears twice: `{other}` and `{path}`"


def runs_side_by_side(it: Subject) -> None:
    """Several runs under vmap equal the runs alone.

    Use operations of JAX alone: what is computed outside of it knows nothing of vmap.
    """
    with precision(jnp.float64):
        params = it.made(jnp.float64)
        starts = jax.tree.map(lambda w: jnp.stack([w, -2 * w, w + 1]), params)

        def final(w):
            state = it.tx.init(w)
            for _ in range(2):
                updates, state = it.update(w, state, w)
                w = optax.apply_updates(w, updates)
            return w

        single = jax.jit(final)
        together = jax.jit(jax.vmap(final))(starts)
        alone = [single(jax.tree.map(lambda w, i=i: w[i], starts)) for i in range(3)]
        assert_close(together, jax.tree.map(lambda *leaves: np.stack(leaves), *alone))


PROMISES = (
    updates,
    repeats_itself,
    is_strongly_typed,
    takes_unknown_arguments,
    compiles,
    scans,
    keeps_wide_memory,
    is_finite_at_zero,
    owns_its_memory,
    runs_side_by_side,
    takes_more_parameters,
    works_in_wrappers,
    works_behind_a_mask,
)
STRICT_PROMISES = (keeps_mixed_dtypes,)
"""Asked for by `strict=True` alone: `optax.apply_updates` converts what an update is."""


def _check_scan(it: Subject, params: PyTree) -> None:
    def body(carry, _):
        params, state = carry
        moves, state = it.update(params, state, params)
        chex.assert_trees_all_equal_shapes_and_dtypes(moves, params)
        return (optax.apply_updates(params, moves), state), None

    start = (params, it.tx.init(params))
    after = jax.eval_shape(lambda carry: jax.lax.scan(body, carry, length=3)[0], start)
    chex.assert_trees_all_equal_shapes_and_dtypes(after, start)


def _bounded(state: PyTree) -> PyTree:
    """Return the numbers of a state without scalars, where an infinity can mean `none yet`."""
    return [leaf for leaf in map(_data, jax.tree.leaves(state)) if jnp.shape(leaf)]


def _data(leaf: Any) -> Any:
    """Return the leaf; of a PRNG key, its numbers."""
    if isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        return jax.random.key_data(leaf)
    return leaf


def _width(dtype: np.dtype) -> int:
    return dtype.itemsize
