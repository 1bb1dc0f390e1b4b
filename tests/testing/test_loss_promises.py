"""For every promise of `check_loss`, a loss that breaks it, and what is said then."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxopt_dl import losses, testing
from jaxopt_dl.testing._losses import PROMISES, Subject, refuses_other_shapes
from jaxopt_dl.testing._promise import floating_dtypes
from tests.testing.broken import (
    Broken,
    assert_found,
    doubled_under_vmap,
    name_of,
    with_doubled_gradient,
)

CALLS = itertools.count(1)
OUTPUTS, TARGETS = np.array([0.3, -1.1, 2.7]), np.array([1.0, 1.0, 0.0])


def naive_cross_entropy(logits, labels):
    p = 1 / (1 + jnp.exp(-logits))
    return -(labels * jnp.log(p) + (1 - labels) * jnp.log(1 - p))


def broadcasting(predictions, targets):
    return jnp.square(predictions - targets)


BROKEN = [
    Broken(
        "returns_one_value_per_example",
        lambda z, t: jnp.mean(losses.squared_error(z, t)),
        "shape",
    ),
    Broken(
        "repeats_itself",
        lambda z, t: losses.squared_error(z, t) * next(CALLS),
        "Given a second call with the same arguments: the value differs by up to",
    ),
    Broken(
        "computes_in_its_dtype",
        lambda z, t: jnp.square(z - t.astype(z.dtype)),
        "Given bfloat16: got bfloat16 instead of float32",
    ),
    Broken(
        "computes_in_its_dtype",
        lambda z, t: jnp.square(z - t.astype(z.dtype)).astype(jnp.promote_types(z.dtype, "f4")),
        "Given bfloat16: the value differs by up to",
    ),
    Broken(
        "has_the_right_gradient",
        lambda z, t: losses.squared_error(with_doubled_gradient(z), t),
        "gradient check: FAIL .*with_doubled_gradient at .*broken.py",
    ),
    Broken("is_finite_far_out", naive_cross_entropy, "Given outputs of .*: got a value of inf"),
    Broken(
        "is_finite_far_out",
        lambda z, t: jnp.where(z > 0, jnp.log1p(jnp.exp(-z)), jnp.log1p(jnp.exp(z)) - z) - z * t,
        "got a gradient of nan",
    ),
    Broken(
        "compiles",
        lambda z, t: losses.squared_error(z, t) * (1 if z[0] > 0 else 2),
        "It raised TracerBoolConversionError",
    ),
    Broken(
        "runs_side_by_side",
        lambda z, t: losses.squared_error(doubled_under_vmap(z), t),
        "the value differs by up to",
    ),
    Broken(
        "treats_rows_alone",
        lambda z, t: losses.squared_error(z - jnp.mean(z), t),
        "the value differs by up to",
    ),
    Broken(
        "meets_narrow_targets",
        lambda z, t: losses.squared_error(z.astype(t.dtype), t),
        "got float32",
    ),
    Broken(
        "refuses_other_shapes",
        broadcasting,
        r"Given targets with one more axis, interpreted: .*it returned shape \(3, 3\)",
    ),
    Broken("counts_integers", lambda z, t: jnp.square(z - t.astype(z.dtype)), "got int32"),
]


@pytest.mark.parametrize("case", BROKEN, ids=name_of)
def test_a_fault_is_found_and_named(case):
    dtypes = floating_dtypes("check_loss", ("bfloat16", "float32", "float64"))
    subject = Subject(case.piece, OUTPUTS, TARGETS, dtypes)
    assert_found("check_loss", PROMISES, case._replace(piece=(subject,)))


def test_every_promise_can_be_broken():
    assert {case.promise for case in BROKEN} == {promise.__name__ for promise in PROMISES}


def mean_over_each_example(predictions, targets):
    if predictions.shape != targets.shape:
        raise ValueError(f"{predictions.shape} and {targets.shape}")
    return ((predictions - targets) ** 2).reshape(len(predictions), -1).mean(axis=1)


def test_an_ordinary_loss_passes():
    outputs = np.arange(8.0).reshape(4, 2) / 3
    testing.check_loss(mean_over_each_example, outputs, np.ones((4, 2)))


def test_a_loss_of_optax_that_broadcasts_one_label_is_refused():
    loss = optax.losses.softmax_cross_entropy_with_integer_labels
    subject = Subject(loss, np.ones((4, 5)), np.array([0, 3, 1, 4]), ())
    with pytest.raises(AssertionError, match=r"Given targets with one row, .* shape \(4,\)"):
        refuses_other_shapes(subject)


def test_a_loss_may_be_negative():
    def likelihood(z, t):
        return losses.squared_error(z, t) - 3

    testing.check_loss(likelihood, OUTPUTS, TARGETS, dtypes=("float32",))


def test_a_batch_of_two_raises():
    with pytest.raises(ValueError, match="must have the same 3 or more rows, got shapes"):
        testing.check_loss(losses.squared_error, OUTPUTS[:2], TARGETS[:2])


def test_a_dtype_that_is_none_raises():
    with pytest.raises(ValueError, match="check_loss: `dtypes` must be one of .*got 'float12'"):
        testing.check_loss(losses.squared_error, OUTPUTS, TARGETS, dtypes=("float12",))


def test_the_derivative_of_a_batch_is_weighed_so_that_errors_do_not_cancel():
    @jax.custom_jvp
    def swapped(z):
        return z

    swapped.defjvp(lambda primals, tangents: (primals[0], tangents[0][::-1]))
    with pytest.raises(AssertionError, match="gradient check: FAIL"):
        testing.check_loss(lambda z, t: losses.absolute_error(swapped(z), t), OUTPUTS, -TARGETS - 9)
