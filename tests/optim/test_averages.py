"""Running averages: of updates (EMA rows of the register) and of parameters."""

# optax types every state and every update as an opaque tree; these tests look inside.
# pyright: reportAttributeAccessIssue=false, reportIndexIssue=false, reportGeneralTypeIssues=false
# pyright: reportOperatorIssue=false

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxopt_dl import optim


def means(block, values):
    """What a block hands on for a sequence of updates, and its last state."""
    state, found = block.init(jnp.array(0.0)), []
    for value in values:
        mean, state = block.update(jnp.array(value), state)
        found.append(float(mean))
    return found, state


def test_ema_01_the_recursion(x64):
    found, _ = means(optim.ema(0.9, debias=False), [1.0, 2.0, 3.0])
    np.testing.assert_allclose(found, [0.1, 0.29, 0.561], rtol=1e-12)


def test_ema_02_the_mean_of_a_constant_is_the_constant_not_ten_times_it(x64):
    found, _ = means(optim.ema(0.9, debias=False), [1.0] * 400)
    assert found[-1] == pytest.approx(1.0)


@pytest.mark.parametrize(("decay", "window"), [(0.9, 10), (0.98, 50), (0.5, 2), (0.999, 1000)])
def test_ema_03_the_window(decay, window):
    assert optim.effective_window(decay) == pytest.approx(window)


@pytest.mark.parametrize(("decay", "share"), [(0.9, 0.348678), (0.98, 0.364170)])
def test_ema_03_a_value_a_window_old_weighs_about_one_over_e(decay, share, x64):
    window = round(optim.effective_window(decay))
    _, state = means(optim.ema(decay), [1.0] + [0.0] * window)
    assert float(state.ema) / (1 - decay) == pytest.approx(share, abs=1e-6)
    assert share == pytest.approx(np.exp(-1), rel=0.06)


def test_ema_04_the_recursion_is_the_closed_sum(x64):
    values = np.sin(np.arange(1.0, 40.0)) + 0.1 * np.arange(39)
    _, state = means(optim.ema(0.85), values)
    closed = sum(0.15 * 0.85**k * value for k, value in enumerate(values[::-1]))
    assert float(state.ema) == pytest.approx(closed, abs=1e-15)


def test_ema_05_averaging_divides_the_variance_of_noise(x64):
    noise = jax.random.normal(jax.random.key(5), (200_000,))
    block = optim.ema(0.9, debias=False)

    def step(state, value):
        mean, state = block.update(value, state)
        return state, mean

    _, found = jax.lax.scan(step, block.init(noise[0]), noise)
    assert float(jnp.var(found[100:])) == pytest.approx(1 / 19, rel=0.02)


def test_ema_06_the_start_at_zero_and_its_correction(x64):
    raw, _ = means(optim.ema(0.9, debias=False), [1.0] * 50)
    np.testing.assert_allclose(
        [raw[0], raw[1], raw[9], raw[49]], [0.1, 0.19, 0.651322, 0.994846], atol=1e-6
    )
    corrected, _ = means(optim.ema(0.9), [1.0] * 50)
    np.testing.assert_allclose(corrected, 1.0, rtol=1e-12)


def test_ema_06_the_correction_does_not_overwrite_the_state(x64):
    found, state = means(optim.ema(0.9), [1.0, 2.0, 3.0])
    np.testing.assert_allclose(found, [1.0, 1.526316, 2.070111], atol=1e-6)
    assert float(state.ema) == pytest.approx(0.561)


@pytest.mark.parametrize("bad", [-0.1, 1.0, "0.9"])
def test_a_window_of_a_bad_decay_raises(bad):
    with pytest.raises((TypeError, ValueError), match="effective_window: `decay`"):
        optim.effective_window(bad)


W = {"a": jnp.array([1.0, -2.0]), "b": jnp.array(0.5)}


def trained(rule, steps=3):
    params, state = W, rule.init(W)
    for _ in range(steps):
        updates, state = rule.update(params, state, params)
        params = optax.apply_updates(params, updates)
    return params, state


def test_averaging_parameters_changes_no_update():
    with_average, _ = trained(optim.chain(optim.sgd(0.1), optim.ema_params(0.5)))
    without, _ = trained(optim.sgd(0.1))
    np.testing.assert_array_equal(with_average["a"], without["a"])


def test_the_average_equals_that_of_optax_over_the_visited_points(x64, standard_promotion):
    rule, average = optim.chain(optim.sgd(0.1), optim.ema_params(0.7)), optax.ema(0.7)
    params = jax.tree.map(lambda leaf: leaf.astype(float), W)
    state, peer = rule.init(params), average.init(params)
    for _ in range(50):
        updates, state = rule.update(params, state, params)
        params = optax.apply_updates(params, updates)
        expected, peer = average.update(params, peer)
        np.testing.assert_allclose(optim.averaged_params(state)["a"], expected["a"], atol=1e-12)


def test_the_first_average_is_the_first_point_when_corrected():
    params, state = trained(optim.chain(optim.sgd(0.1), optim.ema_params(0.9)), steps=1)
    np.testing.assert_array_equal(optim.averaged_params(state)["a"], params["a"])


def test_the_uncorrected_average_starts_at_the_initial_parameters():
    params, state = trained(optim.chain(optim.sgd(0.1), optim.ema_params(0.9, debias=False)), 1)
    expected = 0.9 * W["a"] + 0.1 * params["a"]
    np.testing.assert_allclose(optim.averaged_params(state)["a"], expected, rtol=1e-6)


def test_half_precision_parameters_are_averaged_in_single_precision():
    """In bfloat16 itself a share of 0.001 would be rounded away."""
    rule, w = optim.ema_params(0.999, debias=False), jnp.ones(1, jnp.bfloat16)
    _, state = rule.update(w, rule.init(w), w)
    np.testing.assert_allclose(optim.averaged_params(state), [1.001], rtol=1e-6)


def test_a_state_without_an_average_raises():
    with pytest.raises(ValueError, match="must hold one `EmaParamsState`, found 0"):
        optim.averaged_params(optim.sgd(0.1).init(W))


def test_averaging_needs_the_parameters():
    rule = optim.ema_params()
    with pytest.raises(ValueError, match="ema_params: `params` must be given"):
        rule.update(W, rule.init(W))
