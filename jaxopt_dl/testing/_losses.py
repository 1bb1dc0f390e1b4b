"""What every loss promises."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np

from jaxopt_dl._core.errors import check_callable, fail

from ._agree import assert_close, assert_pure
from ._gradients import assert_right
from ._promise import floating_dtypes, given, hold_all, is_half, precision, traced_once


class Subject(NamedTuple):
    """A loss under test, with a batch for it: outputs in float64, targets as they are."""

    loss: Callable
    outputs: np.ndarray
    targets: np.ndarray
    dtypes: tuple[np.dtype, ...]
    allow: Sequence[str] = ()

    def inputs(self, dtype: Any = None) -> tuple[jax.Array, jax.Array]:
        """Return the batch, outputs in a dtype."""
        return jnp.asarray(self.outputs, dtype), jnp.asarray(self.targets)


def check_loss(
    loss: Callable,
    outputs: np.ndarray,
    targets: np.ndarray,
    *,
    dtypes: Sequence[Any] = ("float32", "float64"),
    allow: Sequence[str] = (),
    strict: bool = False,
) -> None:
    """Check that a loss keeps the promises of the library's own.

    It returns one value per example, each from its own row; its gradient by the outputs is that
    of finite differences; both are finite at outputs of 1e4; it works compiled and under `vmap`,
    traced once; and it refuses shapes that do not fit, which would otherwise broadcast. In half
    precision it is computed in at least float32.

    Args:
      loss: `loss(outputs, targets) -> (batch,)`.
      outputs: `(batch, ...)` with at least 3 rows, an example of what a model returns.
      targets: `(batch, ...)`, what belongs to them.
      dtypes: precisions of the outputs the loss is meant for.
      allow: names of functions whose gradients are surrogates on purpose; see
        `gradcheck.check_gradients`.
      strict: whether to ask all of it once more under strict dtype promotion and without rank
        promotion. A loss that mixes dtypes or ranks as JAX allows is not at fault otherwise.

    Raises:
      AssertionError: at the first broken promise, saying which, for which input, what came, and
        what to do.
      TypeError: if `loss` cannot be called.
      ValueError: if there are fewer than 3 rows, or a dtype is not floating.

    Examples:
      >>> from jaxopt_dl import losses
      >>> check_loss(losses.squared_error, np.array([0.5, -1.0, 2.0]), np.array([1.0, 1.0, 0.0]))
    """
    who = "check_loss"
    check_callable(who, "loss", loss)
    rows = (np.shape(outputs)[:1], np.shape(targets)[:1])
    if rows[0] != rows[1] or not rows[0] or rows[0][0] < 3:
        rule = "`outputs` and `targets` must have the same 3 or more rows"
        fail(who, rule, f"got shapes {np.shape(outputs)} and {np.shape(targets)}", "Pass a batch.")
    checked = floating_dtypes(who, dtypes)
    subject = Subject(loss, np.asarray(outputs, np.float64), np.asarray(targets), checked, allow)
    hold_all(who, PROMISES, subject, strict=strict)


def returns_one_value_per_example(it: Subject) -> None:
    """There is one value per example, also for a batch of one.

    Average over all axes but the first.
    """
    outputs, targets = it.inputs()
    chex.assert_shape(it.loss(outputs, targets), (len(it.outputs),))
    with given("a batch of one"):
        chex.assert_shape(it.loss(outputs[:1], targets[:1]), (1,))


def repeats_itself(it: Subject) -> None:
    """The same batch gives the same values.

    Keep nothing outside of the arguments, and draw nothing.
    """
    assert_pure(it.loss, *it.inputs())


def computes_in_its_dtype(it: Subject) -> None:
    """Values are in the dtype of the outputs, those of half precision in at least float32.

    Begin with `outputs.astype(jnp.promote_types(outputs.dtype, jnp.float32))`: in half precision
    a sum loses digits.
    """
    for dtype in it.dtypes:
        with precision(dtype):
            outputs, targets = it.inputs(dtype)
            value = it.loss(outputs, targets)
            wide = np.dtype(np.float32) if is_half(dtype) else dtype
            assert value.dtype == wide, f"got {value.dtype} instead of {wide}"
            assert_close(value, it.loss(outputs.astype(wide), targets))


def has_the_right_gradient(it: Subject) -> None:
    """The gradient by the outputs is that of finite differences.

    `gradcheck.check_gradients` tells more. Where a surrogate is meant, name it in `allow=`.
    """
    # One factor per example, all different: with a plain sum, errors could cancel.
    weights = np.linspace(0.5, 1.5, len(it.outputs))

    def total(outputs, targets, weights):
        return jnp.sum(weights * it.loss(outputs, targets))

    assert_right(total, it.outputs, (it.targets, weights), it.allow)


def is_finite_far_out(it: Subject) -> None:
    """Value and gradient are finite at outputs of 1e4.

    Work with logarithms: `jax.nn.log_softmax`, `jax.nn.log_sigmoid`, `jnp.logaddexp`.
    """
    outputs, targets = it.inputs()
    for size in (-1e4, 1e4):
        with given(f"outputs of {size:g} and {-size:g}"):
            far = jnp.where(outputs > 0, size, -size).astype(outputs.dtype)
            value = it.loss(far, targets)
            gradient = jax.grad(lambda z: jnp.sum(it.loss(z, targets)))(far)
            for what, array in (("a value", value), ("a gradient", gradient)):
                bad = np.asarray(array)[~np.isfinite(array)]
                assert not bad.size, f"got {what} of {bad[:1].sum()}"


def compiles(it: Subject) -> None:
    """Compiled and interpreted values agree, and other values of one shape are traced once.

    Branch on values with `jnp.where`, and keep nothing outside of the arguments.
    """
    with precision(jnp.float64):
        outputs, targets = it.inputs()
        compiled = traced_once(it.loss)
        for shift in (0.0, 1.0, 2.0):
            assert_close(compiled(outputs + shift, targets), it.loss(outputs + shift, targets))


def runs_side_by_side(it: Subject) -> None:
    """Several batches under vmap equal the batches one after another.

    Use operations of JAX alone: what is computed outside of it knows nothing of vmap.
    """
    with precision(jnp.float64):
        outputs, targets = it.inputs()
        several = jnp.stack([outputs, outputs[::-1], 2 * outputs])
        alone = np.stack([it.loss(z, targets) for z in several])
        assert_close(jax.jit(jax.vmap(it.loss, in_axes=(0, None)))(several, targets), alone)


def treats_rows_alone(it: Subject) -> None:
    """The value of an example depends on its own row.

    Take no mean over the batch, and no maximum either: weights and masks come after the loss.
    """
    with precision(jnp.float64):
        outputs, targets = it.inputs()
        rows = [slice(i, i + 1) for i in range(len(it.outputs))]
        alone = np.stack([it.loss(outputs[row], targets[row])[0] for row in rows])
        assert_close(it.loss(outputs, targets), alone)


def meets_narrow_targets(it: Subject) -> None:
    """Outputs in float64 meet targets in float32 or int32.

    Convert the targets to the dtype of the outputs.
    """
    with precision(jnp.float64):
        outputs, targets = it.inputs()
        floating = jnp.issubdtype(targets.dtype, jnp.floating)
        narrow = targets.astype(jnp.float32 if floating else jnp.int32)
        dtype = it.loss(outputs, narrow).dtype
        assert dtype == jnp.float64, f"got {dtype}"


def refuses_other_shapes(it: Subject) -> None:
    """Targets with one more axis, or fewer rows, raise an error instead of broadcasting.

    Compare the shapes first, and raise a ValueError that names both.
    """
    outputs, targets = it.inputs()
    for what, wrong in (("one more axis", targets[..., None]), ("one row", targets[:1])):
        for how, loss in (("interpreted", it.loss), ("compiled", jax.jit(it.loss))):
            with given(f"targets with {what}, {how}"):
                _check_refused(loss, outputs, wrong)


def counts_integers(it: Subject) -> None:
    """Outputs that hold integers raise an error, or count as the same floating-point numbers.

    Convert the outputs, or raise a TypeError that names their dtype.
    """
    outputs, targets = it.inputs()
    whole = jnp.round(outputs)
    try:
        value = it.loss(whole.astype(jnp.int32), targets)
    except (AssertionError, TypeError, ValueError):
        return
    assert jnp.issubdtype(value.dtype, jnp.floating), f"got {value.dtype}"
    assert_close(value, it.loss(whole, targets))


PROMISES = (
    returns_one_value_per_example,
    repeats_itself,
    computes_in_its_dtype,
    has_the_right_gradient,
    is_finite_far_out,
    compiles,
    runs_side_by_side,
    treats_rows_alone,
    meets_narrow_targets,
    refuses_other_shapes,
    counts_integers,
)


def _check_refused(loss: Callable, *inputs: jax.Array) -> None:
    try:
        value = loss(*inputs)
    except (AssertionError, TypeError, ValueError):
        return
    raise AssertionError(f"nothing was raised, and it returned shape {value.shape}")
