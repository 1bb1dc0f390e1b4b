"""What every gradient transformation promises."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxopt_dl import optim
from jaxopt_dl._core.errors import fail
from jaxopt_dl._core.trees import leaves_with_paths
from jaxopt_dl._core.types import PyTree

from ._agree import assert_close, assert_equal
from ._promise import FLOATING, floating_dtypes, given, hold_all, is_half, precision


class Subject(NamedTuple):
    """A transformation under test, with parameters for it.

    Attributes:
      tx: the transformation.
      params: parameters to try it on, None for the usual ones.
      dtypes: precisions it is meant for.
    """

    tx: optax.GradientTransformationExtraArgs
    params: PyTree | None
    dtypes: tuple[np.dtype, ...]

    def made(self, dtype: Any) -> PyTree:
        """Return parameters in a dtype."""
        return as_dtype(self.params, dtype)


def check_transformation(
    transformation: optax.GradientTransformation,
    *,
    params: PyTree | None = None,
    dtypes: Sequence[Any] = ("float32", "float64"),
    strict: bool = False,
) -> None:
    """Check that an optimizer or a block keeps the promises of the library's own.

    It works compiled, in `scan` and under `vmap`; keeps structure, shapes and dtypes; is finite
    at a gradient of zero; tolerates unknown extra arguments; works inside `optax.chain`,
    `masked`, `partition` and `MultiSteps`; its state holds strongly typed arrays that share no
    memory. In half precision its moments are in at least float32. What it *computes* is for a
    test of your own, and whether its numbers are data for `check_numbers_are_data`.

    Args:
      transformation: what `sgd(0.1)` would return.
      params: parameters to try it on, floating-point; by default a tree with the paths
        `head/kernel` (2, 3), `head/bias` (3,) and `scale` ().
      dtypes: precisions it is meant for. The rules of this library keep the promises in
        "float16" and "bfloat16" too; many of optax's do not.
      strict: whether to ask all of it once more under strict dtype promotion and without rank
        promotion. A rule that mixes dtypes as JAX allows is not at fault otherwise.

    Raises:
      AssertionError: at the first broken promise, saying which, for which input, what came, and
        what to do.
      TypeError: if `transformation` is not an `optax.GradientTransformation`.
      ValueError: if a dtype is not floating.

    Examples:
      >>> from jaxopt_dl import optim
      >>> check_transformation(optim.adam(0.01), dtypes=("bfloat16", "float32"))
      >>> check_transformation(optax.sgd(0.1))
    """
    who = "check_transformation"
    if not isinstance(transformation, optax.GradientTransformation):
        came = f"got {type(transformation).__name__}"
        advice = "Pass what a rule such as `sgd(0.1)` returns."
        fail(who, "it must be given a gradient transformation", came, advice, kind=TypeError)
    hold_all(who, PROMISES, subject_of(transformation, params, dtypes), strict=strict)


def subject_of(
    transformation: optax.GradientTransformation,
    params: PyTree | None = None,
    dtypes: Sequence[Any] = FLOATING,
) -> Subject:
    """Return what the promises are about."""
    checked = floating_dtypes("check_transformation", dtypes)
    return Subject(optax.with_extra_args_support(transformation), params, checked)


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


def updates(it: Subject) -> None:
    """`init(params)` and `update(gradients, state, params)` run, and return updates and a state.

    Read the error that was raised. If the rule needs parameters of certain names or shapes,
    pass `params=`.
    """
    for dtype in it.dtypes:
        with precision(dtype):
            params = it.made(dtype)
            result = it.tx.update(params, it.tx.init(params), params)
            assert isinstance(result, tuple) and len(result) == 2, f"got {type(result).__name__}"


def takes_unknown_arguments(it: Subject) -> None:
    """Unknown extra arguments change nothing.

    Write `def update(updates, state, params=None, **extra)`.
    """
    params = it.made(jnp.float32)
    state = it.tx.init(params)
    plain = it.tx.update(params, state, params)
    assert_equal(it.tx.update(params, state, params, unheard_of=jnp.float32(3.0)), plain)


def compiles(it: Subject) -> None:
    """Compiled and interpreted updates agree.

    Branch on values with `jnp.where` or `jax.lax.cond`, and keep nothing outside of the state.
    """
    with precision(jnp.float64):
        params = it.made(jnp.float64)
        _, state = it.tx.update(params, it.tx.init(params), params)
        interpreted = it.tx.update(params, state, params)
        assert_close(jax.jit(it.tx.update)(params, state, params), interpreted)


def scans(it: Subject) -> None:
    """Structure, shapes and dtypes of updates and state stay the same in a scan.

    Return updates with `astype(gradient.dtype)` and a state with the dtypes of `init`.
    """
    for dtype in it.dtypes:
        with precision(dtype):
            _check_scan(it.tx, it.made(dtype))
    with given("float32 parameters in a float64 scope"), jax.enable_x64(True):
        _check_scan(it.tx, it.made(jnp.float32))


def keeps_mixed_dtypes(it: Subject) -> None:
    """Updates have the dtypes of their own gradients where those differ.

    Return each with `astype(gradient.dtype)`, leaf by leaf.
    """
    narrow, wide = min(it.dtypes, key=_width), max(it.dtypes, key=_width)
    with precision(wide), given(f"one leaf in {narrow.name}"):
        leaves, structure = jax.tree.flatten(it.made(wide))
        params = structure.unflatten([*leaves[:-1], leaves[-1].astype(narrow)])
        updates, _ = jax.eval_shape(it.tx.update, params, it.tx.init(params), params)
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
                updates, state = it.tx.update(zero, state, params)
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


def is_strongly_typed(it: Subject) -> None:
    """Every leaf of the state is a strongly typed array, so that nothing compiles twice.

    Write `jnp.zeros((), jnp.int32)` rather than 0, `jnp.float32(x)` rather than x.
    """
    for path, leaf in leaves_with_paths(it.tx.init(it.made(jnp.float32))):
        assert isinstance(leaf, jax.Array), f"`{path}` is a {type(leaf).__name__}"
        assert not _data(leaf).weak_type, f"`{path}` is weakly typed, like a Python number"


def runs_side_by_side(it: Subject) -> None:
    """Several runs under vmap equal the runs alone.

    Use operations of JAX alone: what is computed outside of it knows nothing of vmap.
    """
    with precision(jnp.float64):
        params = it.made(jnp.float64)
        starts = jax.tree.map(lambda w: jnp.stack([w, -2 * w, w + 1]), params)

        def final(w):
            state = it.tx.init(w)
            for _ in range(3):
                updates, state = it.tx.update(w, state, w)
                w = optax.apply_updates(w, updates)
            return w

        single = jax.jit(final)
        together = jax.jit(jax.vmap(final))(starts)
        alone = [single(jax.tree.map(lambda w, i=i: w[i], starts)) for i in range(3)]
        assert_close(together, jax.tree.map(lambda *leaves: np.stack(leaves), *alone))


def works_in_wrappers(it: Subject) -> None:
    """Inside the wrappers of optax it does what it does alone.

    Treat parameters as any tree: a wrapper may put empty nodes where leaves are not its own.
    """
    params = it.made(jnp.float32)
    # Some wrappers of optax do not run under strict promotion.
    with jax.numpy_dtype_promotion("standard"):
        for name, wrapper in _wrapped(it.tx, params).items():
            with given(name):
                alone, inside = it.tx.init(params), wrapper.init(params)
                # Uncompiled, the conditions in MultiSteps would be compiled at every update.
                update = jax.jit(wrapper.update) if "MultiSteps" in name else wrapper.update
                for _ in range(2):
                    expected, alone = it.tx.update(params, alone, params)
                    got, inside = update(params, inside, params)
                    assert_close(got, expected)


PROMISES = (
    updates,
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


def _wrapped(tx: Any, params: PyTree) -> dict[str, Any]:
    """Return the transformation inside each wrapper, by the name of the wrapper."""
    labels = jax.tree.map(lambda _: "all", params)
    return {
        "optax.chain": optax.chain(optax.identity(), tx),
        "optim.chain": optim.chain(optax.identity(), tx),
        "optax.masked": optax.masked(tx, jax.tree.map(lambda _: True, params)),
        "optax.partition": optax.partition({"all": tx}, labels),
        "optim.by_path": optim.by_path({"*": tx}),
        "optim.skip_nonfinite": optim.skip_nonfinite(tx),
        "optax.MultiSteps": optax.MultiSteps(tx, 1).gradient_transformation(),
    }


def _check_scan(tx: Any, params: PyTree) -> None:
    def body(carry, _):
        params, state = carry
        moves, state = tx.update(params, state, params)
        chex.assert_trees_all_equal_shapes_and_dtypes(moves, params)
        return (optax.apply_updates(params, moves), state), None

    start = (params, tx.init(params))
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
