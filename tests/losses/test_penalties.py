"""L1 and L2: their divisors, what they leave out, their gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_dl import losses, optim

W = jnp.array([[1.0, -2.0], [3.0, 0.5]])
PARAMS = {"00_dense": {"kernel": W, "bias": jnp.array([5.0, 7.0])}, "bn": {"scale": jnp.ones(2)}}
BOTH = pytest.mark.parametrize("penalty", [losses.l1_penalty, losses.l2_penalty])


def test_l2_oracle_reg_05():
    np.testing.assert_allclose(losses.l2_penalty(PARAMS, 0.7, examples=10), 0.49875, rtol=1e-6)


def test_l2_is_half_the_squared_frobenius_norm_reg_06():
    np.testing.assert_allclose(losses.l2_penalty(PARAMS, 2.0), 14.25, rtol=1e-6)


def test_l1_oracle_reg_09():
    np.testing.assert_allclose(losses.l1_penalty(PARAMS, 0.7, examples=10), 0.455, rtol=1e-6)


def test_the_gradient_of_l2_is_lambda_over_m_times_w_reg_07():
    grad = jax.grad(losses.l2_penalty)(PARAMS, 0.7, examples=10)
    np.testing.assert_allclose(grad["00_dense"]["kernel"], 0.07 * W, rtol=1e-6)


def after_steps(rule, steps, w=2.0, gradient=0.0):
    """The weight after updates with a constant data gradient."""
    params = {"kernel": jnp.asarray(w)}
    state = rule.init(params)
    for _ in range(steps):
        grads = {"kernel": jnp.full_like(params["kernel"], gradient)}
        updates, state = rule.update(grads, state, params)
        params = jax.tree.map(jnp.add, params, updates)
    return params["kernel"]


@pytest.mark.parametrize(("steps", "value"), [(1, 1.986), (100, 2 * 0.495364)])
def test_l2_shrinks_weights_by_a_constant_factor_under_descent_reg_07(steps, value, x64):
    decayed = optim.chain(optim.add_decayed_weights(0.07), optim.sgd(0.1))
    np.testing.assert_allclose(after_steps(decayed, steps), value, rtol=1e-6)
    w = jnp.asarray(2.0)
    for _ in range(steps):
        grad = jax.grad(lambda w: losses.l2_penalty({"kernel": w}, 0.7, examples=10))(w)
        w = w - 0.1 * grad
    np.testing.assert_allclose(w, value, rtol=1e-6)


def test_under_adam_l2_in_the_gradient_is_not_weight_decay_reg_07(x64):
    start = np.array([1.0, 100.0])
    rules = {
        "sgd": (optim.chain(optim.add_decayed_weights(0.01), optim.sgd(0.1)), [-0.001, -0.1]),
        "adam": (optim.chain(optim.add_decayed_weights(0.01), optim.adam(0.1)), [-0.1, -0.1]),
        "adamw": (optim.adamw(0.1, weight_decay=0.01), [-0.001, -0.1]),
    }
    for name, (rule, expected) in rules.items():
        change = np.asarray(after_steps(rule, 1, start)) - start
        np.testing.assert_allclose(change, expected, rtol=1e-4, err_msg=name)


def test_the_gradient_of_l1_is_the_sign_and_0_at_0():
    grad = jax.grad(losses.l1_penalty)({"kernel": jnp.array([-2.0, 0.0, 3.0])}, 0.5)
    np.testing.assert_allclose(grad["kernel"], [-0.5, 0.0, 0.5])


@BOTH
def test_biases_and_scales_get_no_gradient_reg_05(penalty):
    grad = jax.grad(penalty)(PARAMS, 0.7)
    assert not grad["00_dense"]["bias"].any()
    assert not grad["bn"]["scale"].any()


@BOTH
def test_lambda_0_is_no_penalty_reg_03(penalty):
    assert float(penalty(PARAMS, 0.0)) == 0.0


@BOTH
def test_select_chooses_by_path(penalty):
    chosen = penalty(PARAMS, 1.0, select=lambda path: path == "00_dense/bias")
    assert float(chosen) == float(penalty({"kernel": jnp.array([5.0, 7.0])}, 1.0))


@BOTH
def test_several_kernels_are_added(penalty):
    two = {"a": {"kernel": W}, "b": {"kernel": 2 * W}}
    expected = penalty({"kernel": W}, 0.3) + penalty({"kernel": 2 * W}, 0.3)
    np.testing.assert_allclose(penalty(two, 0.3), expected, rtol=1e-6)


@BOTH
def test_half_precision_is_summed_in_float32(penalty):
    value = penalty({"kernel": jnp.ones(4096, jnp.bfloat16)}, 2.0)
    assert value.dtype == jnp.float32
    assert float(value) in (4096.0, 8192.0)


@BOTH
def test_leaves_of_different_dtypes_are_added_in_the_wider(penalty, x64):
    mixed = {"a": {"kernel": W.astype(jnp.float32)}, "b": {"kernel": W.astype(jnp.float64)}}
    assert penalty(mixed, 0.5).dtype == jnp.float64


@BOTH
def test_many_strengths_run_as_one_program_reg_03(penalty):
    strengths = jnp.array([0.1, 0.7])
    swept = jax.jit(jax.vmap(lambda lambd: penalty(PARAMS, lambd, examples=10)))(strengths)
    single = [penalty(PARAMS, float(lambd), examples=10) for lambd in strengths]
    np.testing.assert_allclose(swept, np.stack(single), rtol=1e-6)


@BOTH
def test_three_strengths_are_traced_once(penalty):
    traces = []

    @jax.jit
    def run(params, lambd):
        traces.append(None)
        return penalty(params, lambd)

    for lambd in (0.1, 0.2, 0.3):
        run(PARAMS, lambd)
    assert len(traces) == 1


@BOTH
@pytest.mark.parametrize("lambd", [-0.1, float("nan"), float("inf")])
def test_a_strength_out_of_range_raises(penalty, lambd):
    with pytest.raises(ValueError, match=rf"^{penalty.__name__}: `lambd` must lie in"):
        penalty(PARAMS, lambd)


@BOTH
@pytest.mark.parametrize(("examples", "error"), [(0, ValueError), (2.5, TypeError)])
def test_a_bad_number_of_examples_raises(penalty, examples, error):
    with pytest.raises(error, match="`examples`"):
        penalty(PARAMS, 0.1, examples=examples)


@BOTH
def test_foreign_names_raise_and_say_how_to_select(penalty):
    with pytest.raises(ValueError, match=r"none of: layer/w\. Pass `select=lambda path"):
        penalty({"layer": {"w": W}}, 0.1)


@BOTH
def test_no_parameters_raise(penalty):
    with pytest.raises(ValueError, match="no leaves at all"):
        penalty({}, 0.1)


@BOTH
def test_integer_leaves_raise_with_their_path(penalty):
    with pytest.raises(TypeError, match="`a/kernel` must hold floating"):
        penalty({"a": {"kernel": jnp.ones(3, jnp.int32)}}, 0.1)
