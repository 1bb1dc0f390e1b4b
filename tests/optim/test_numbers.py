"""Numbers that no construction can look at: tracers, and schedules after their first value."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_dl import optim, schedules

W = jnp.array([1.0, -2.0])


def first_update(learning_rate):
    rule = optim.sgd(learning_rate)
    return rule.update(W, rule.init(W), W)[0]


def test_a_traced_rate_below_zero_gives_nan_instead_of_a_step_uphill():
    assert np.all(np.isnan(jax.jit(first_update)(-0.1)))
    np.testing.assert_allclose(jax.jit(first_update)(0.1), -0.1 * W, rtol=1e-6)


def test_of_several_runs_only_those_out_of_range_are_nan():
    updates = jax.vmap(first_update)(jnp.array([0.5, -0.1, 0.0, -1e-9]))
    expected = np.array([-0.5, np.nan, 0.0, np.nan])[:, None] * np.asarray(W)
    np.testing.assert_array_equal(updates, expected.astype(np.float32))


def test_the_traced_numbers_of_a_schedule_are_let_through_and_give_nan():
    def update(initial):
        return first_update(schedules.constant(initial))

    assert np.all(np.isnan(jax.jit(update)(-0.1)))
    np.testing.assert_allclose(jax.jit(update)(0.1), -0.1 * W, rtol=1e-6)


def test_a_schedule_made_while_tracing_is_looked_at_all_the_same():
    with pytest.raises(ValueError, match=r"schedule value at count 0\)` must lie in \[0, inf\)"):
        jax.jit(lambda: first_update(lambda count: jnp.float32(count) - 1))()


LINE = schedules.linear


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: optim.adam(0.1, b1=LINE(0.9, 1.5, steps=3)), r"`b1 .* count 3\)`.*got 1\.5"),
        (lambda: optim.adam(0.1, b2=LINE(0.9, 1.0, steps=10)), r"`b2 .* count 10\)`.*got 1\.0"),
        (lambda: optim.adam(0.1, eps=schedules.cosine(1e-3, steps=9)), r"`eps .* count 9\)`"),
        (
            lambda: optim.clip_by_global_norm(
                schedules.join(schedules.constant(1.0), LINE(1.0, 0.0, steps=4), boundaries=(3,))
            ),
            r"`max_norm .* count 7\)`.*got 0\.0",
        ),
    ],
    ids=["b1", "b2", "eps", "joined"],
)
def test_a_schedule_whose_numbers_tell_that_it_ends_out_of_range_is_refused(make, says):
    with pytest.raises(ValueError, match=says):
        make()
    with pytest.raises(ValueError, match=says):
        jax.jit(lambda: jax.tree.leaves(make().init(W)))()


def test_a_schedule_of_traced_numbers_that_ends_out_of_range_is_nan_there():
    def update(final):
        rule = optim.clip_by_value(schedules.linear(1.0, final, steps=1))
        _, state = rule.update(W, rule.init(W), W)
        return rule.update(W, state, W)[0]

    assert np.all(np.isnan(jax.jit(update)(0.0)))
    np.testing.assert_allclose(jax.jit(update)(0.5), np.clip(W, -0.5, 0.5))


def test_a_schedule_that_ends_below_zero_by_rounding_ends_at_zero():
    rule = optim.sgd(lambda count: jnp.where(count == 0, 0.1, -1e-7))
    _, state = rule.update(W, rule.init(W), W)
    assert not np.any(rule.update(W, state, W)[0])
    assert float(optim.applied_learning_rate(state)) == 0.0


def test_a_schedule_of_integers_is_a_number_too():
    assert np.array_equal(first_update(lambda count: 1 - count), -W)


def test_a_rate_at_zero_has_the_slope_of_every_other_rate(x64):
    slope = jax.jacobian(lambda rate: first_update(rate))(jnp.float64(0.0))
    np.testing.assert_array_equal(slope, -np.asarray(W))


def test_an_edit_looks_at_a_schedule_as_a_construction_does():
    state = optim.sgd(schedules.constant(0.1)).init(W)
    with pytest.raises(ValueError, match="with_hyperparams: `learning_rate .schedule value at"):
        optim.with_hyperparams(state, learning_rate=lambda count: -0.1)


@pytest.mark.parametrize("name", ["patience", "cooldown", "rtol", "atol"])
def test_a_plateau_whose_numbers_leave_their_range_is_nan_and_not_silent(name):
    rule = optim.reduce_on_plateau(**{name: lambda count: jnp.where(count == 0, 1.0, -1.0)})
    state = rule.init(W)
    assert np.isfinite(optim.with_evaluation(state, 1.0).scale)
    _, state = rule.update(W, state, W)
    assert np.isnan(optim.with_evaluation(state, 1.0).scale)
