# optax types every state and every update as an opaque tree; these tests look inside.
# pyright: reportAttributeAccessIssue=false, reportIndexIssue=false, reportGeneralTypeIssues=false
# pyright: reportOperatorIssue=false

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxopt_dl import optim

W = {"00_dense": {"kernel": jnp.array([[2.0, -1.0]]), "bias": jnp.array([0.5, 3.0])}}


def one_update(rule, gradients, params=None):
    return rule.update(gradients, rule.init(gradients), params)


def test_chains_of_the_same_members_share_their_update():
    def make(rate):
        return optim.chain(optim.clip_by_global_norm(rate), optim.scale_by_adam(), optim.sgd(rate))

    assert make(0.1).update is make(0.2).update


def decaying(suffix):
    return optim.adamw(0.1, decayed=lambda path: path.endswith(suffix))


def thresholding(suffix):
    return optim.proximal_l1(0.1, lambd=0.1, thresholded=lambda path: path.endswith(suffix))


@pytest.mark.parametrize("make", [decaying, thresholding])
def test_a_choice_written_inline_does_not_trace_anew(make):
    traces = []

    @jax.jit
    def step(state):
        traces.append(None)
        return make("kernel").update(W, state, W)

    for _ in range(5):
        step(make("kernel").init(W))
    assert len(traces) == 1
    step(make("bias").init(W))
    assert len(traces) == 2


@pytest.mark.parametrize("make", [decaying, thresholding])
def test_the_choice_is_that_of_the_state(make):
    zero = jax.tree.map(jnp.zeros_like, W)
    updates, _ = make("kernel").update(zero, make("bias").init(W), W)
    assert np.any(updates["00_dense"]["bias"]) and not np.any(updates["00_dense"]["kernel"])


def test_a_choice_of_other_parameters_raises():
    block, other = optim.add_decayed_weights(0.1), {"01_dense": W["00_dense"]}
    with pytest.raises(ValueError, match="of the state, got "):
        block.update(W, block.init(other), W)


def test_chains_of_other_members_do_not():
    first = optim.chain(optim.clip_by_value(1.0), optim.sgd(0.1))
    assert first.update is not optim.chain(optim.sgd(0.1), optim.clip_by_value(1.0)).update


@pytest.mark.parametrize(
    ("block", "assembled"),
    [
        (optim.scale_by_adam(b1=0.8), optim.adam(0.1, b1=0.8)),
        (optim.scale_by_rmsprop(), optim.rmsprop(0.1)),
        (optim.scale_by_momentum(form="ema"), optim.momentum(0.1, form="ema")),
    ],
)
def test_a_block_and_sgd_are_the_assembled_rule(block, assembled, x64):
    chained, _ = one_update(optim.chain(block, optim.sgd(0.1)), W)
    expected, _ = one_update(assembled, W)
    np.testing.assert_allclose(
        chained["00_dense"]["kernel"], expected["00_dense"]["kernel"], rtol=1e-14
    )


def test_extra_arguments_reach_the_members_that_take_them():
    seen = []

    def update(updates, state, params=None, *, value, **extra):
        seen.append(value)
        return updates, state

    listener = optax.GradientTransformationExtraArgs(lambda params: (), update)
    deaf = optax.GradientTransformation(lambda params: (), lambda u, s, p=None: (u, s))
    chained = optim.chain(listener, deaf, optim.sgd(0.1))
    chained.update(W, chained.init(W), W, value=7)
    assert seen == [7]


@pytest.mark.parametrize("bad", [0.1, optim.sgd, None])
def test_a_member_that_is_no_transformation_raises(bad):
    with pytest.raises(TypeError, match="chain: argument 1 must be a gradient transformation"):
        optim.chain(optim.sgd(0.1), bad)


def test_a_state_of_another_length_raises():
    chained = optim.chain(optim.sgd(0.1))
    with pytest.raises(ValueError, match="states of 1 members, got one of 2"):
        chained.update(W, (*chained.init(W), ()), W)


def test_an_empty_chain_changes_nothing():
    updates, state = one_update(optim.chain(), W)
    assert updates is W
    assert state == ()


def test_only_kernels_decay():
    rule = optim.adamw(0.1, weight_decay=0.5)
    zero = jax.tree.map(jnp.zeros_like, W)
    updates, _ = rule.update(zero, rule.init(W), W)
    np.testing.assert_allclose(updates["00_dense"]["kernel"], [[-0.1, 0.05]], rtol=1e-6)
    np.testing.assert_array_equal(updates["00_dense"]["bias"], [0.0, 0.0])


def test_decay_that_would_choose_nothing_raises_and_lists_the_paths():
    params = {"weight": jnp.ones(2)}
    with pytest.raises(
        ValueError, match="at least one parameter .by default the kernels., got none of: weight"
    ):
        optim.adamw().init(params)


def test_decay_without_parameters_raises():
    with pytest.raises(ValueError, match="`params` must be given"):
        one_update(optim.add_decayed_weights(0.1), W)


def test_the_choice_of_decayed_parameters_is_the_users():
    rule = optim.add_decayed_weights(0.5, decayed=lambda path: path.endswith("bias"))
    zero = jax.tree.map(jnp.zeros_like, W)
    updates, _ = rule.update(zero, rule.init(W), W)
    np.testing.assert_allclose(updates["00_dense"]["bias"], [0.25, 1.5])


@pytest.mark.parametrize("fault", [jnp.nan, jnp.inf, -jnp.inf])
def test_land_11_a_faulty_gradient_is_skipped_and_leaves_no_trace(fault):
    rule, params = optim.skip_nonfinite(optim.adam(0.1)), jnp.ones(2)
    state = rule.init(params)
    updates, state = rule.update(jnp.array([fault, 1.0]), state, params)
    np.testing.assert_array_equal(updates, [0.0, 0.0])
    assert int(state.skipped) == 1
    assert int(state.inner_state.count) == 0
    _, state = rule.update(jnp.ones(2), state, params)
    assert int(state.skipped) == 1
    assert int(state.inner_state.count) == 1


def test_an_update_that_overflows_is_skipped():
    rule, params = optim.skip_nonfinite(optim.sgd(1e30)), jnp.ones(2)
    updates, state = rule.update(jnp.full(2, 1e30), rule.init(params), params)
    np.testing.assert_array_equal(updates, [0.0, 0.0])
    assert int(state.skipped) == 1


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: optim.momentum(0.1, form="mean"), "form"),  # type: ignore[arg-type]
        (lambda: optim.rmsprop(0.1, eps_in_sqrt=1), "eps_in_sqrt"),  # type: ignore[arg-type]
        (lambda: optim.adam(0.1, bias_correction="no"), "bias_correction"),  # type: ignore[arg-type]
    ],
)
def test_an_unknown_choice_raises(make, name):
    with pytest.raises(ValueError, match=f"`{name}` must be one of"):
        make()


def test_small_changes_of_the_mean_square_survive_in_half_precision():
    """In bfloat16 itself, 0.999 * nu rounds back to nu, so it could never fall."""
    rule, g = optim.scale_by_adam(), jnp.ones(1, jnp.bfloat16)
    state = rule.init(g)
    _, state = rule.update(g, state)
    _, after = rule.update(jnp.zeros_like(g), state)
    assert float(after.nu[0]) < float(state.nu[0])


def test_the_counter_stops_at_its_largest_value():
    rule = optim.adam(0.1)
    largest = jnp.array(2**31 - 1, jnp.int32)
    updates, state = rule.update(W, rule.init(W)._replace(count=largest), W)
    assert int(state.count) == 2**31 - 1
    assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(updates))
