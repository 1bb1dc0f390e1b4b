"""Learning rates tried side by side (SCHED-06)."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxopt_dl import optim, schedules

H = np.array([1.0, 20.0])


def bowl(w, count):
    return jnp.sum(jnp.asarray(H, w.dtype) * w**2) / 2


def test_every_run_is_the_run_of_its_own_rate_sched_06(x64):
    rates, start = [0.01, 0.05, 0.12], np.array([3.0, -2.0])
    curves = optim.lr_sweep(bowl, jnp.asarray(start), optim.sgd(1.0), rates, steps=7)
    points = start * (1 - np.outer(rates, H)[:, None]) ** np.arange(8)[:, None]
    np.testing.assert_allclose(curves, np.sum(H * points**2, axis=-1) / 2, rtol=1e-12)


def test_the_loss_sees_the_count_of_the_update_sched_06():
    def loss(w, count):
        return w * 0.0 + count.astype(w.dtype)

    curves = optim.lr_sweep(loss, jnp.array(1.0), optim.sgd(1.0), [0.1], steps=3)
    np.testing.assert_array_equal(curves, [[0, 1, 2, 3]])


def test_a_run_that_diverges_leaves_the_others_alone_sched_06():
    rule = optim.chain(optim.clip_by_global_norm(1e30), optim.momentum(0.1))
    curves = optim.lr_sweep(bowl, jnp.array([3.0, -2.0]), rule, [1e6, 0.01], steps=60)
    assert not np.isfinite(curves[0, -1])
    assert curves[1, -1] < curves[1, 0] / 10


@pytest.mark.parametrize(
    ("optimizer", "rates", "message"),
    [
        (optim.sgd(0.1), 0.1, "must be a list of numbers, got an array of shape"),
        (optim.sgd(0.1), [], "must be a list of numbers"),
        (optim.sgd(0.1), [0.1, -0.1], r"`learning_rate` must lie in \[0, inf\), got -0.1"),
        (optax.sgd(0.1), [0.1], "must have a number `learning_rate`, found 0"),
        (optim.sgd(schedules.constant(0.1)), [0.1], "must stay of its kind, a schedule"),
    ],
)
def test_what_cannot_be_swept_raises(optimizer, rates, message):
    with pytest.raises(ValueError, match=message):
        optim.lr_sweep(bowl, jnp.ones(2), optimizer, rates, steps=2)


def test_a_loss_that_is_no_number_raises():
    with pytest.raises(ValueError, match=r"lr_sweep: `loss\(params, count\)` must have shape \(\)"):
        optim.lr_sweep(lambda w, count: w, jnp.ones(2), optim.sgd(0.1), [0.1], steps=2)


def test_half_precision_parameters_keep_their_dtype():
    half = jnp.ones(2, jnp.bfloat16)
    assert (
        jax.eval_shape(
            lambda w: optim.lr_sweep(bowl, w, optim.sgd(0.1), [0.01], steps=2), half
        ).dtype
        == jnp.bfloat16
    )
