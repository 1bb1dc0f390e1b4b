"""What `describe` says of an optimizer."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxopt_dl import optim, schedules

W = {
    "body": {"kernel": jnp.ones((4, 3)), "bias": jnp.ones(3)},
    "head": {"kernel": jnp.ones((3, 2)), "bias": jnp.ones(2)},
}


def leaf_of(description, path):
    return next(leaf for leaf in description.leaves if leaf.path == path)


def test_rate_and_decay_of_each_parameter():
    rules = {"head/*": optim.sgd(0.5)}
    described = optim.describe(optim.by_path(rules, default=optim.adamw(0.01)), W)
    rows = {leaf.path: (leaf.learning_rate, leaf.weight_decay) for leaf in described.leaves}
    assert rows == {
        "body/bias": (0.01, None),
        "body/kernel": (0.01, 1e-4),
        "head/bias": (0.5, None),
        "head/kernel": (0.5, None),
    }


def test_the_rate_of_a_running_state_is_that_of_its_next_update():
    rule = optim.sgd(schedules.exponential(1.0, 0.5))
    state = rule.init(W)
    for _ in range(3):
        _, state = rule.update(W, state, W)
    assert leaf_of(optim.describe(state, W), "head/bias").learning_rate == 0.125


def test_frozen_parameters_are_marked():
    rule = optim.by_path({"body/*": optim.freeze()}, default=optim.sgd(0.1))
    for given in (rule, rule.init(W)):
        described = optim.describe(given, W)
        assert leaf_of(described, "body/kernel").frozen
        assert not leaf_of(described, "head/kernel").frozen


def test_a_schedule_is_a_table():
    described = optim.describe(optim.adam(schedules.cosine(0.5, steps=8)), W)
    (schedule,) = described.schedules
    assert schedule.schedule == "Cosine(initial=0.5, final=0.0, steps=8)"
    assert list(schedule.values) == [0, 2, 4, 6, 8]
    assert schedule.values[4] == pytest.approx(0.25)


def test_a_joined_schedule_is_shown_over_all_its_lengths_and_where_its_parts_begin():
    parts = *(schedules.constant(rate) for rate in (0.1, 0.2)), schedules.linear(0.1, 0.0, steps=50)
    rule = optim.sgd(schedules.join(*parts, boundaries=(7, 30)))
    assert list(optim.describe(rule, W).schedules[0].values) == [0, 7, 20, 30, 40, 60, 80]


def test_a_plain_function_is_named():
    def halving(count):
        return 0.5 ** count.astype(float)

    (schedule,) = optim.describe(optim.sgd(halving), W).schedules
    assert (schedule.schedule, schedule.values[1]) == ("halving", 0.5)


def test_foreign_rules_are_unknown_rather_than_guessed(standard_promotion):
    leaf = leaf_of(optim.describe(optax.adamw(0.1), W), "head/bias")
    assert (leaf.rules, leaf.learning_rate, leaf.weight_decay) == ((), None, None)


def test_masked_parameters_are_not_listed_under_a_rule_with_memory():
    mask = {"body": False, "head": True}
    described = optim.describe(optax.masked(optim.momentum(0.1), mask), W)
    assert leaf_of(described, "body/bias").rules == ()
    assert leaf_of(described, "head/bias").rules == ("momentum",)


HIDING = {
    "masked": lambda rule: optax.masked(rule, {"body": False, "head": True}),
    "partition": lambda rule: optax.partition(
        {"one": rule, "two": optax.set_to_zero()}, {"body": "two", "head": "one"}
    ),
}


@pytest.mark.parametrize("hide", HIDING.values(), ids=HIDING)
def test_parameters_hidden_from_a_rule_without_memory_do_not_have_its_rate(hide):
    described = optim.describe(hide(optim.sgd(0.1)), W)
    assert leaf_of(described, "head/bias")[2:4] == (("sgd",), 0.1)
    assert leaf_of(described, "body/bias")[2:4] == ((), None)


@pytest.mark.parametrize("hide", HIDING.values(), ids=HIDING)
def test_from_a_state_such_a_rate_is_unknown_rather_than_guessed(hide):
    described = optim.describe(hide(optim.sgd(0.1)).init(W), W)
    assert {leaf.learning_rate for leaf in described.leaves} == {None}


def test_each_group_of_a_partition_has_its_own_rate():
    rules = {"one": optim.sgd(0.1), "two": optim.sgd(schedules.linear(0.2, 0.0, steps=8))}
    described = optim.describe(optax.partition(rules, {"body": "one", "head": "two"}), W)
    assert [leaf.learning_rate for leaf in described.leaves] == [0.1, 0.1, 0.2, 0.2]


@pytest.mark.parametrize("of_state", [False, True])
def test_decay_behind_accumulation_is_that_of_the_kernels(of_state):
    rule = optax.MultiSteps(optim.adamw(0.1), 4).gradient_transformation()
    described = optim.describe(rule.init(W) if of_state else rule, W)
    assert [leaf.weight_decay for leaf in described.leaves] == [None, 1e-4, None, 1e-4]


def test_a_decay_is_shown_over_its_periods():
    rate = schedules.exponential(0.5, 0.5, decay_steps=30, staircase=True)
    (schedule,) = optim.describe(optim.sgd(rate), W).schedules
    assert list(schedule.values.items())[:3] == [(0, 0.5), (30, 0.25), (60, 0.125)]


@pytest.mark.parametrize(
    "other", [0.1, lambda run: optim.sgd(0.1), optax.MultiSteps(optax.sgd(0.1), 2)]
)
def test_what_is_no_optimizer_raises(other):
    with pytest.raises(TypeError, match="describe: `optimizer` must be a transformation, or"):
        optim.describe(other, W)


def test_the_text_is_an_aligned_table():
    lines = str(optim.describe(optim.momentum(0.1), W)).splitlines()
    assert lines[0].split("  ")[0] == "path"
    starts = {line.index("momentum") for line in lines[1:5]}
    assert len(starts) == 1
    assert lines[-1] == "state: 1 numbers per parameter"


def test_a_state_of_several_runs_raises():
    states = jax.vmap(lambda rate: optim.sgd(rate).init(W))(jnp.array([0.1, 0.2]))
    with pytest.raises(ValueError, match="describe: the state must be of one run"):
        optim.describe(states, W)


def test_no_parameters_raise():
    with pytest.raises(ValueError, match="`params` must hold at least one number"):
        optim.describe(optim.sgd(0.1), {})


def test_two_decays_of_one_parameter_are_added_up():
    rule = optim.chain(
        optim.add_decayed_weights(0.01),
        optim.add_decayed_weights(0.1, decayed=lambda path: True),
        optim.sgd(0.5),
    )
    params = {"bias": jnp.ones(3), "kernel": jnp.ones((2, 3))}
    described = optim.describe(rule, params)
    assert [leaf.weight_decay for leaf in described.leaves] == [0.1, pytest.approx(0.11)]
    rows = [line for line in str(described).splitlines() if line.startswith(("bias", "kernel"))]
    assert [row.split()[-1] for row in rows] == ["0.1", "0.11"]
    zero = jax.tree.map(jnp.zeros_like, params)
    updates, _ = rule.update(zero, rule.init(params), params)
    np.testing.assert_allclose(updates["kernel"], -0.5 * 0.11, rtol=1e-6)
