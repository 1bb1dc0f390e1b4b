"""Rules by path, and frozen parameters."""

# optax types every state and every update as an opaque tree; these tests look inside.
# pyright: reportAttributeAccessIssue=false, reportIndexIssue=false, reportGeneralTypeIssues=false
# pyright: reportOperatorIssue=false

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxopt_dl import optim

W = {
    "body": {"kernel": jnp.array([2.0, -1.0]), "bias": jnp.array([1.0])},
    "head": {"kernel": jnp.array([3.0, 5.0]), "bias": jnp.array([4.0])},
}


def one_update(rule, gradients=W):
    return rule.update(gradients, rule.init(W), W)[0]


def test_each_parameter_moves_by_its_own_rule():
    updates = one_update(optim.by_path({"*/bias": optim.sgd(0.1), "*": optim.sgd(1.0)}))
    np.testing.assert_allclose(updates["head"]["bias"], [-0.4])
    np.testing.assert_allclose(updates["head"]["kernel"], [-3.0, -5.0])


def test_the_first_pattern_that_matches_chooses():
    rules = {"head/*": optim.sgd(1.0), "*/bias": optim.sgd(0.1), "*": optim.sgd(0.0)}
    updates = one_update(optim.by_path(rules))
    assert float(updates["head"]["bias"][0]) == -4.0
    assert float(updates["body"]["bias"][0]) == pytest.approx(-0.1)


def test_the_first_pattern_still_chooses_after_the_state_went_through_a_program():
    """Names of a dict would come back sorted; the order of the patterns must not change."""
    rule = optim.by_path({"head/*": optim.sgd(1.0), "*/bias": optim.sgd(0.1), "*": optim.freeze()})
    step = jax.jit(lambda g, s: rule.update(g, s, g))
    _, state = step(W, rule.init(W))
    updates, state = step(W, state)
    assert float(updates["head"]["bias"][0]) == -4.0
    assert state.patterns == ("head/*", "*/bias", "*")


def test_an_uncovered_parameter_raises_and_is_listed():
    with pytest.raises(ValueError, match="matched by a pattern, got none for: body/kernel, head/k"):
        optim.by_path({"*/bias": optim.sgd(0.1)}).init(W)


def test_a_pattern_that_matches_nothing_raises_and_lists_the_paths():
    rule = optim.by_path({"*/gamma": optim.sgd(0.1)}, default=optim.sgd(0.1))
    with pytest.raises(ValueError, match=r"got nothing for '\*/gamma' among: body/bias, body/kern"):
        rule.init(W)


def test_a_pattern_in_the_shadow_of_another_raises():
    with pytest.raises(ValueError, match="got nothing for 'head/.'.*before the one that takes"):
        optim.by_path({"*": optim.sgd(0.1), "head/*": optim.sgd(1.0)}).init(W)


def test_it_works_inside_itself():
    inner = optim.by_path({"*/bias": optim.sgd(0.1), "*/kernel": optim.sgd(0.5)})
    updates = one_update(optim.by_path({"head/*": inner}, default=optim.freeze()))
    np.testing.assert_allclose(updates["head"]["kernel"], [-1.5, -2.5])
    np.testing.assert_allclose(updates["head"]["bias"], [-0.4])
    np.testing.assert_array_equal(updates["body"]["kernel"], [0.0, 0.0])


def test_a_norm_inside_is_that_of_its_own_parameters():
    clipped = optim.chain(optim.clip_by_global_norm(1.0), optim.sgd(1.0))
    updates = one_update(optim.by_path({"head/*": clipped}, default=optim.sgd(1.0)))
    norm = np.sqrt(9.0 + 25.0 + 16.0)
    np.testing.assert_allclose(updates["head"]["kernel"], [-3 / norm, -5 / norm], rtol=1e-6)
    np.testing.assert_allclose(updates["body"]["kernel"], [-2.0, 1.0])


def test_decay_per_role_is_decay_by_path():
    rules = {"*/bias": optim.adamw(0.1, weight_decay=0.0, decayed=lambda path: True)}
    rule = optim.by_path(rules, default=optim.adamw(0.1, weight_decay=0.5))
    updates = one_update(rule, jax.tree.map(jnp.zeros_like, W))
    np.testing.assert_allclose(updates["head"]["kernel"], [-0.15, -0.25], rtol=1e-6)
    np.testing.assert_array_equal(updates["head"]["bias"], [0.0])


def test_other_numbers_are_the_same_update():
    def make(rate):
        return optim.by_path({"*/bias": optim.sgd(rate)}, default=optim.adam(rate))

    assert make(0.1).update is make(0.2).update


def test_the_state_of_other_parameters_is_not_kept():
    rule = optim.by_path({"head/*": optim.adam()}, default=optim.freeze())
    assert optim.state_size(rule.init(W), W) == 2.0 * 3 / 6


def test_numbers_of_one_rule_are_edited_in_its_own_state():
    rule = optim.by_path({"*/bias": optim.sgd(0.1)}, default=optim.sgd(1.0))
    state = rule.init(W)
    biases = optim.with_hyperparams(state.inner_states[0], learning_rate=0.5)
    edited = type(state)((biases, state.inner_states[1]), state.patterns)
    updates, _ = rule.update(W, edited, W)
    np.testing.assert_allclose(updates["head"]["bias"], [-2.0])


def test_extra_arguments_reach_the_rules():
    plateau = optim.reduce_on_plateau(factor=0.5, patience=1)
    rule = optim.by_path({"head/*": plateau}, default=optax.sgd(0.1))
    _, state = rule.update(W, rule.init(W), W, value=1.0)
    updates, _ = rule.update(W, state, W, value=1.0)
    np.testing.assert_array_equal(updates["head"]["kernel"], [1.5, 2.5])


def test_a_single_array_has_an_empty_path():
    rule = optim.by_path({"*": optim.sgd(0.5)})
    w = jnp.array([2.0])
    assert float(rule.update(w, rule.init(w), w)[0][0]) == -1.0


def test_a_rule_that_is_no_transformation_raises():
    with pytest.raises(TypeError, match="by_path: argument 0 must be a gradient transformation"):
        optim.by_path({"*": 0.1})


@pytest.mark.parametrize("fault", [jnp.nan, jnp.inf])
def test_frozen_parameters_stand_still_whatever_their_gradient(fault):
    gradients = jax.tree.map(lambda leaf: jnp.full_like(leaf, fault), W)
    updates = one_update(optim.freeze(), gradients)
    assert not any(np.any(leaf) for leaf in jax.tree.leaves(updates))


@pytest.mark.parametrize("bad", [[("*", optim.sgd(0.1))], {1: optim.sgd(0.1)}, None])
def test_rules_that_are_no_mapping_of_patterns_raise(bad):
    with pytest.raises(TypeError, match="`rules` must map patterns to transformations"):
        optim.by_path(bad)


def test_the_state_of_other_patterns_raises():
    """The same rules in another order would silently swap their parameters."""
    one = optim.by_path({"*bias": optim.sgd(0.1), "*kernel": optim.sgd(1.0)})
    other = optim.by_path({"*kernel": optim.sgd(1.0), "*bias": optim.sgd(0.1)})
    with pytest.raises(ValueError, match=r"`state` must be that of the patterns .* got one of \["):
        one.update(W, other.init(W), W)
    with pytest.raises(ValueError, match="got a SgdState"):
        one.update(W, optim.sgd(0.1).init(W), W)
