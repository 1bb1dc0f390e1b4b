"""What every loss promises."""

from collections.abc import Callable
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np

from jaxopt_dl import gradcheck
from jaxopt_dl._core.errors import check_callable

from ._promise import given, hold_all, precision, traced_once


class Subject(NamedTuple):
    """A loss under test, with a batch for it: outputs in float64, targets as they are."""

    loss: Callable
    outputs: np.ndarray
    targets: np.ndarray

    def inputs(self, dtype=None) -> tuple[jax.Array, jax.Array]:
        """Return the batch, outputs in a dtype."""
        return jnp.asarray(self.outputs, dtype), jnp.asarray(self.targets)


def check_loss(loss: Callable, outputs: np.ndarray, targets: np.ndarray) -> None:
    """Check that a loss keeps the promises of the library's own.

    It returns one value per example, at least 0, each from its own row; is summed in at least
    float32; is finite, with its gradient, at outputs of 1e4; its gradient is that of float64
    differences; it works compiled and under `vmap`, traced once; and refuses shapes that do not
    fit, which would otherwise broadcast.

    Args:
      loss: `loss(outputs, targets) -> (batch,)`.
      outputs: `(batch, ...)` with at least 3 rows, an example of what a model returns.
      targets: `(batch, ...)`, what belongs to them.

    Raises:
      AssertionError: at the first broken promise, saying which, for which input, and what came.
      TypeError: if `loss` cannot be called.

    Examples:
      >>> from jaxopt_dl import losses
      >>> check_loss(losses.squared_error, np.array([0.5, -1.0, 2.0]), np.array([1.0, 1.0, 0.0]))
    """
    check_callable("check_loss", "loss", loss)
    subject = Subject(loss, np.asarray(outputs, np.float64), np.asarray(targets))
    hold_all("check_loss", PROMISES, subject)


def returns_one_value_per_example(it: Subject) -> None:
    """There is one value per example, also for a batch of one."""
    outputs, targets = it.inputs()
    chex.assert_shape(it.loss(outputs, targets), (len(it.outputs),))
    with given("a batch of one"):
        chex.assert_shape(it.loss(outputs[:1], targets[:1]), (1,))


def sums_in_single_precision(it: Subject) -> None:
    """Outputs in half precision are summed in float32."""
    value = it.loss(*it.inputs(jnp.bfloat16))
    assert value.dtype == jnp.float32, f"got dtype {value.dtype}"
    rounded = np.asarray(it.inputs(jnp.bfloat16)[0], np.float32)
    np.testing.assert_allclose(value, it.loss(jnp.asarray(rounded), it.inputs()[1]), rtol=1e-5)


def has_the_right_gradient(it: Subject) -> None:
    """The gradient is that of float64 differences."""
    with precision(jnp.float64):
        targets = it.inputs()[1]
        gradcheck.assert_gradients(lambda z: jnp.sum(it.loss(z, targets)), it.inputs()[0])


def is_not_negative(it: Subject) -> None:
    """Values are at least 0."""
    outputs, targets = it.inputs()
    for scale in (1e-6, 1.0, 1e2, 1e4):
        with given(f"outputs times {scale:g}"):
            lowest = jnp.min(it.loss(outputs * scale, targets))
            assert lowest >= 0, f"got {lowest}"


def is_finite_far_out(it: Subject) -> None:
    """Value and gradient are finite at outputs of 1e4."""
    outputs, targets = it.inputs()
    for size in (-1e4, 1e4):
        with given(f"outputs of {size:g} and {-size:g}"):
            far = jnp.where(outputs > 0, size, -size).astype(outputs.dtype)
            value, gradient = jax.value_and_grad(lambda z: jnp.sum(it.loss(z, targets)))(far)
            chex.assert_tree_all_finite((value, gradient))


def compiles(it: Subject) -> None:
    """Compiled and interpreted values agree, and other values of one shape are traced once."""
    with precision(jnp.float64):
        outputs, targets = it.inputs()
        compiled = traced_once(it.loss)
        for shift in (0.0, 1.0, 2.0):
            value = it.loss(outputs + shift, targets)
            np.testing.assert_allclose(compiled(outputs + shift, targets), value, rtol=1e-13)


def runs_side_by_side(it: Subject) -> None:
    """Several batches under vmap equal the batches one after another."""
    with precision(jnp.float64):
        outputs, targets = it.inputs()
        several = jnp.stack([outputs, outputs[::-1], 2 * outputs])
        alone = np.stack([it.loss(z, targets) for z in several])
        together = jax.jit(jax.vmap(it.loss, in_axes=(0, None)))(several, targets)
        np.testing.assert_allclose(together, alone, rtol=1e-12)


def treats_rows_alone(it: Subject) -> None:
    """The value of an example depends on its own row."""
    outputs, targets = it.inputs()
    rows = [slice(i, i + 1) for i in range(len(it.outputs))]
    alone = np.stack([it.loss(outputs[row], targets[row])[0] for row in rows])
    np.testing.assert_allclose(it.loss(outputs, targets), alone, rtol=1e-6)


def meets_narrow_targets(it: Subject) -> None:
    """Outputs in float64 meet targets in float32 or int32."""
    with precision(jnp.float64):
        outputs, targets = it.inputs()
        floating = jnp.issubdtype(targets.dtype, jnp.floating)
        narrow = targets.astype(jnp.float32 if floating else jnp.int32)
        assert it.loss(outputs, narrow).dtype == jnp.float64


def refuses_other_shapes(it: Subject) -> None:
    """Targets with one more axis, or fewer rows, raise a ValueError instead of broadcasting."""
    outputs, targets = it.inputs()
    for what, wrong in (("one more axis", targets[..., None]), ("one row", targets[:1])):
        for how, loss in (("interpreted", it.loss), ("compiled", jax.jit(it.loss))):
            with given(f"targets with {what}, {how}"):
                _check_refused(ValueError, loss, outputs, wrong)


def refuses_integers(it: Subject) -> None:
    """Integer outputs raise a TypeError."""
    outputs, targets = it.inputs()
    _check_refused(TypeError, it.loss, outputs.astype(jnp.int32), targets)


PROMISES = (
    returns_one_value_per_example,
    sums_in_single_precision,
    has_the_right_gradient,
    is_not_negative,
    is_finite_far_out,
    compiles,
    runs_side_by_side,
    treats_rows_alone,
    meets_narrow_targets,
    refuses_other_shapes,
    refuses_integers,
)


def _check_refused(kind: type[Exception], loss: Callable, *inputs: jax.Array) -> None:
    try:
        value = loss(*inputs)
    except kind:
        return
    raise AssertionError(f"nothing was raised, and it returned shape {value.shape}")
