"""Proximal L1 (REG-10), and when to stop (BP-11)."""

# optax types every state and every update as an opaque tree; these tests look inside.
# pyright: reportAttributeAccessIssue=false, reportIndexIssue=false, reportGeneralTypeIssues=false
# pyright: reportOperatorIssue=false

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_dl import optim

W = np.array([0.5, -0.02, 0.1, -0.05])


def test_reg_10_a_proximal_step_reaches_zero_and_a_subgradient_step_does_not(x64):
    params = {"kernel": jnp.array(W)}
    rule, zero = optim.proximal_l1(0.1, lambd=0.5), {"kernel": jnp.zeros(4)}
    updates, _ = rule.update(zero, rule.init(params), params)
    np.testing.assert_allclose(params["kernel"] + updates["kernel"], [0.45, 0, 0.05, 0], atol=1e-15)
    plain = optim.sgd(0.1)
    updates, _ = plain.update({"kernel": 0.5 * jnp.sign(W)}, plain.init(params), params)
    np.testing.assert_allclose(
        params["kernel"] + updates["kernel"], [0.45, 0.03, 0.05, 0], atol=1e-15
    )


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16, jnp.float32])
def test_reg_10_thresholded_parameters_are_exactly_zero_in_every_precision(dtype):
    w = {"kernel": jnp.linspace(-0.04, 0.04, 33).astype(dtype)}
    rule, zero = optim.proximal_l1(0.1, lambd=0.5), {"kernel": jnp.zeros(33, dtype)}
    updates, _ = rule.update(zero, rule.init(w), w)
    np.testing.assert_array_equal(w["kernel"] + updates["kernel"], np.zeros(33, dtype))


def test_reg_10_it_finds_the_sparse_minimizer(x64):
    """For independent features the minimum is the soft-thresholded least-squares solution."""
    target = jnp.array([1.0, -0.2, 0.05, -3.0])
    rule, w = optim.proximal_l1(0.1, lambd=0.3), {"kernel": jnp.zeros(4)}

    def step(carry, _):
        w, state = carry
        updates, state = rule.update({"kernel": w["kernel"] - target}, state, w)
        return ({"kernel": w["kernel"] + updates["kernel"]}, state), None

    (w, _), _ = jax.lax.scan(step, (w, rule.init(w)), length=400)
    np.testing.assert_allclose(w["kernel"], [0.7, 0, 0, -2.7], atol=1e-12)


def test_biases_are_not_thresholded():
    params = {"kernel": jnp.array([0.01]), "bias": jnp.array([0.01])}
    rule = optim.proximal_l1(1.0, lambd=0.1)
    updates, _ = rule.update(jax.tree.map(jnp.zeros_like, params), rule.init(params), params)
    assert (float(updates["kernel"][0]), float(updates["bias"][0])) == (-np.float32(0.01), 0.0)


def test_it_takes_the_place_of_sgd_after_momentum(x64):
    params = {"kernel": jnp.array([1.0, -2.0])}
    rule = optim.chain(optim.scale_by_momentum(decay=0.5), optim.proximal_l1(0.1, lambd=0.0))
    plain = optim.momentum(0.1, decay=0.5)
    state, expected = rule.init(params), plain.init(params)
    for _ in range(3):
        updates, state = rule.update(params, state, params)
        wanted, expected = plain.update(params, expected, params)
        np.testing.assert_allclose(updates["kernel"], wanted["kernel"], rtol=1e-14)


def test_a_choice_of_nothing_raises_and_lists_the_paths():
    with pytest.raises(ValueError, match="`thresholded` must choose at least one.*none of: weight"):
        optim.proximal_l1(0.1, lambd=0.1).init({"weight": jnp.ones(2)})


def test_thresholding_needs_the_parameters():
    rule, w = optim.proximal_l1(0.1, lambd=0.1), {"kernel": jnp.ones(2)}
    with pytest.raises(ValueError, match="proximal_l1: `params` must be given"):
        rule.update(w, rule.init(w))


def test_bp_11_descent_stops_at_step_66(x64):
    def step(carry):
        return carry[0] * 0.9, carry[1] + 1

    w, steps = jax.lax.while_loop(lambda c: ~optim.converged(c[0], 1e-3), step, (jnp.array(1.0), 0))
    assert int(steps) == 66
    assert float(w) == pytest.approx(9.55e-4, abs=1e-6)


def test_bp_11_the_norm_is_over_all_parameters():
    gradients = {"a": jnp.array(0.6), "b": jnp.array([0.8])}
    assert not bool(optim.converged(gradients, 0.99))
    assert bool(optim.converged(gradients, 1.01))


def test_bp_11_nan_does_not_converge():
    assert not bool(optim.converged(jnp.array([jnp.nan, 0.0]), 1.0))


@pytest.mark.parametrize("bad", [0.0, -1.0, float("nan"), "1"])
def test_a_bad_tolerance_raises(bad):
    with pytest.raises((TypeError, ValueError), match="converged: `tolerance`"):
        optim.converged(jnp.ones(2), bad)
