# optax types every state and every update as an opaque tree; these tests look inside.
# pyright: reportAttributeAccessIssue=false, reportIndexIssue=false, reportGeneralTypeIssues=false
# pyright: reportOperatorIssue=false

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxopt_dl import optim, schedules

W = {"a": jnp.array([1.0, -2.0]), "b": jnp.array(0.5)}
LABELS = {"a": "one", "b": "two"}


def wrapped(rule):
    return {
        "alone": rule,
        "chain": optim.chain(optim.clip_by_value(1.0), rule),
        "optax_chain": optax.chain(optax.identity(), rule),
        "masked": optax.masked(rule, {"a": True, "b": False}),
        "accumulated": optax.MultiSteps(rule, 2).gradient_transformation(),
        "partition": optax.partition({"one": rule, "two": optax.set_to_zero()}, LABELS),
        "guarded": optim.skip_nonfinite(rule),
    }


@pytest.mark.parametrize("name", wrapped(optim.sgd(0.1)))
def test_the_rate_is_found_inside_every_wrapper(name):
    state = wrapped(optim.adam(0.25))[name].init(W)
    rate = optim.applied_learning_rate(state)
    assert rate is not None
    assert float(rate) == 0.25


@pytest.mark.parametrize("name", wrapped(optim.sgd(0.1)))
def test_the_rate_is_edited_inside_every_wrapper(name):
    state = wrapped(optim.adam(0.25))[name].init(W)
    rate = optim.applied_learning_rate(optim.with_hyperparams(state, learning_rate=0.5))
    assert rate is not None
    assert float(rate) == 0.5


def test_the_rate_is_the_one_the_next_update_uses():
    rule = optim.sgd(schedules.exponential(1.0, 0.5))
    state, one = rule.init(jnp.array(1.0)), jnp.array(1.0)
    for _ in range(4):
        rate = optim.applied_learning_rate(state)
        updates, state = rule.update(one, state, one)
        assert float(rate) == -float(updates)


def test_two_rates_are_unknown_rather_than_guessed():
    rule = optax.partition({"one": optim.sgd(0.1), "two": optim.sgd(0.2)}, LABELS)
    assert optim.applied_learning_rate(rule.init(W)) is None


@pytest.mark.parametrize(
    "rule",
    [optax.sgd(0.1), optax.inject_hyperparams(optax.sgd)(learning_rate=lambda count: 0.1)],
)
def test_a_foreign_rate_is_unknown(rule):
    assert optim.applied_learning_rate(rule.init(W)) is None


def test_the_rates_of_several_runs_come_as_a_vector():
    rates = jnp.array([0.1, 0.2, 0.3])
    states = jax.vmap(lambda rate: optim.sgd(rate).init(W))(rates)
    np.testing.assert_array_equal(optim.applied_learning_rate(states), rates)


def test_optax_reads_and_edits_the_numbers_too():
    state = optim.adam(0.1).init(W)
    edited = optax.tree.set(state, learning_rate=jnp.float32(0.2))
    assert float(optax.tree.get(edited, "learning_rate")) == pytest.approx(0.2)


def test_editing_keeps_moments_and_counter():
    rule = optim.adam(0.1)
    _, state = rule.update(W, rule.init(W), W)
    edited = optim.with_hyperparams(state, learning_rate=0.01, b1=0.5)
    assert int(edited.count) == 1
    np.testing.assert_array_equal(edited.mu["a"], state.mu["a"])


def test_an_unknown_name_raises_and_lists_the_numbers():
    with pytest.raises(ValueError, match="the state has: decay, learning_rate"):
        optim.with_hyperparams(optim.momentum(0.1).init(W), lr=0.1)


def test_an_ambiguous_name_raises():
    state = optim.chain(optim.scale_by_rmsprop(), optim.momentum(0.1)).init(W)
    with pytest.raises(ValueError, match="number `decay`, found 2"):
        optim.with_hyperparams(state, decay=0.5)


@pytest.mark.parametrize("bad", [-0.1, float("nan"), "0.1", True])
def test_a_bad_value_raises_as_at_construction(bad):
    with pytest.raises((TypeError, ValueError), match="with_hyperparams: `learning_rate`"):
        optim.with_hyperparams(optim.sgd(0.1).init(W), learning_rate=bad)


def test_a_schedule_does_not_replace_a_number():
    with pytest.raises(ValueError, match=r"must stay of its kind, a number, got a schedule \(Lin"):
        schedule = schedules.linear(0.1, 0.0, steps=3)
        optim.with_hyperparams(optim.sgd(0.1).init(W), learning_rate=schedule)


def test_one_value_does_not_replace_those_of_several_runs():
    states = jax.vmap(lambda rate: optim.sgd(rate).init(W))(jnp.array([0.1, 0.2]))
    with pytest.raises(ValueError, match=r"must keep the shape \(2,\)"):
        optim.with_hyperparams(states, learning_rate=0.1)


def test_a_state_of_several_runs_does_not_broadcast_into_one_update():
    states = jax.vmap(lambda rate: optim.sgd(rate).init(W))(jnp.array([0.1, 0.2]))
    with pytest.raises(ValueError, match="must be of one run"):
        optim.sgd(0.1).update(W, states, W)


def test_the_state_of_another_rule_raises():
    with pytest.raises(TypeError, match="`state` must be a AdamState, got SgdState"):
        optim.adam().update(W, optim.sgd(0.1).init(W), W)


def test_a_schedule_that_returns_an_array_raises():
    with pytest.raises(ValueError, match=r"must be one number, got an array of shape \(2,\)"):
        optim.sgd(lambda count: jnp.ones(2))


def test_a_schedule_that_does_not_follow_the_counts_of_several_runs_raises():
    state = jax.vmap(optim.sgd(lambda count: jnp.float32(0.1)).init)(jnp.ones((3, 2)))
    with pytest.raises(ValueError, match=r"must return one number, got an array of shape \(\)"):
        optim.applied_learning_rate(state)


def test_a_number_that_rounds_out_of_its_range_raises():
    with pytest.raises(ValueError, match=r"rounded to float32.*got 1\.0"):
        optim.adam(b1=0.999999999)


def test_the_same_number_is_fine_in_float64(x64):
    assert float(optim.adam(b1=0.999999999).init(W).hyperparams["b1"]) == 0.999999999


def test_an_integer_rate_is_stored_like_a_float_one():
    assert optim.sgd(1).init(W).hyperparams["learning_rate"].dtype == jnp.float32


def test_nesterov_iterate_raises_without_its_state():
    with pytest.raises(ValueError, match="must hold a `NesterovState`, found none"):
        optim.nesterov_iterate(W, optim.sgd(0.1).init(W))


@pytest.mark.parametrize("other", [{"a": W["a"]}, {**W, "b": jnp.ones(3)}])
def test_nesterov_iterate_raises_with_other_parameters(other):
    with pytest.raises(ValueError, match=r"must be those of the state, got .* at `b` instead"):
        optim.nesterov_iterate(other, optim.nesterov(0.1).init(W))


PARTIAL = {
    "by_path": lambda rule: optim.by_path({"a": rule}, default=optim.sgd(0.1)),
    "masked": lambda rule: optax.masked(rule, {"a": True, "b": False}),
    "partition": lambda rule: optax.partition({"one": rule, "two": optim.sgd(0.1)}, LABELS),
}


@pytest.mark.parametrize("wrap", PARTIAL.values(), ids=PARTIAL)
def test_nesterov_iterate_leaves_parameters_of_other_rules_as_they_are(wrap):
    rule, alone = wrap(optim.nesterov(0.1)), optim.nesterov(0.1)
    _, state = rule.update(W, rule.init(W), W)
    _, expected = alone.update(W, alone.init(W), W)
    iterate = optim.nesterov_iterate(W, state)
    np.testing.assert_array_equal(iterate["a"], W["a"] - expected.lookahead["a"])
    assert iterate["b"] is W["b"]


def test_nesterov_iterate_puts_several_rules_together():
    rule = optim.by_path({"a": optim.nesterov(0.1), "b": optim.nesterov(0.2, decay=0.5)})
    updates, state = rule.update(W, rule.init(W), W)
    iterate = optim.nesterov_iterate(optax.apply_updates(W, updates), state)
    np.testing.assert_allclose(iterate["a"], W["a"] * 0.9, rtol=1e-6)
    np.testing.assert_allclose(iterate["b"], W["b"] * 0.8, rtol=1e-6)


def test_nesterov_iterate_keeps_half_precision():
    params = jnp.ones(3, jnp.bfloat16)
    iterate = optim.nesterov_iterate(params, optim.nesterov(0.1).init(params))
    assert iterate.dtype == jnp.bfloat16
