"""Gradient descent on whole sets and batches: rows GD, with ADAM-07 and the MOM conventions."""

# optax types every state and every update as an opaque tree; these tests look inside.
# pyright: reportAttributeAccessIssue=false, reportIndexIssue=false, reportGeneralTypeIssues=false
# pyright: reportOperatorIssue=false

import inspect

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxopt_dl import losses, nn, optim, schedules, train

X = np.array([[1.0, -1.0, 0.5], [2.0, 0.0, -1.0]]).T
Y = np.array([[1.0, 0.0, 1.0]]).T
W1, W2 = np.array([[0.1, 0.2], [0.3, 0.4]]), np.array([[0.5, -0.6], [-0.7, 0.8]])
W3 = np.array([[0.9, -1.0]])


def network():
    """The net of the register: three sigmoid layers on two features, kernels `(in, out)`."""
    layers = [nn.dense(n, name=f"w{i}") for i, n in enumerate((2, 2, 1), start=1)]
    hidden = [part for layer in layers[:2] for part in (layer, nn.lift(nn.sigmoid))]
    params = {
        f"w{i}": {"kernel": jnp.asarray(w.T), "bias": jnp.zeros(len(w))}
        for i, w in enumerate((W1, W2, W3), start=1)
    }
    return nn.sequential(*hidden, layers[2]), params


def test_gd_10_one_step_moves_weights_and_biases(x64):
    layer, params = network()
    rule = optim.sgd(0.1)
    state = layer.init(jax.random.key(0), (2,))[1]
    start = train.TrainState(params, state, rule.init(params), jnp.int32(0), jax.random.key(0))
    step = train.make_step(train.supervised(layer, losses.sigmoid_cross_entropy), rule)
    batch = {
        "x": jnp.asarray(X),
        "y": jnp.asarray(Y),
        "weight": jnp.ones(3),
        "mask": jnp.ones(3, bool),
    }
    after, info = step(start, batch)
    assert float(info.loss) == pytest.approx(0.715723145, abs=1e-9)
    moved = np.asarray(after.params["w3"]["kernel"])[:, 0] - W3[0]
    np.testing.assert_allclose(moved, 0.1 * np.array([0.0866446621, 0.1014770503]), atol=1e-10)
    assert float(after.params["w3"]["bias"][0]) == pytest.approx(0.1 * 0.1868102885, abs=1e-10)


def test_gd_03_a_batch_of_everything_is_the_full_gradient(x64):
    x = np.random.default_rng(0).normal(size=(12, 2))
    y = x @ np.array([[1.0], [-2.0]])
    layer = nn.dense(1)
    params, state = layer.init(jax.random.key(0), jax.ShapeDtypeStruct((2,), jnp.float64))
    result = train.fit(
        train.supervised(layer, losses.squared_error),
        params,
        state,
        optim.sgd(0.1),
        {"x": x, "y": y},
        key=jax.random.key(1),
        epochs=1,
        batch_size=12,
        progress=None,
    )

    def cost(params):
        return jnp.mean(jnp.square(x @ params["kernel"] + params["bias"][None] - y))

    expected = jax.tree.map(lambda w, g: w - 0.1 * g, params, jax.grad(cost)(params))
    chex.assert_trees_all_close(result.last[0], expected, rtol=0, atol=1e-15)


def test_gd_02_descent_on_a_parabola_converges_at_step_66(x64):
    rule, start = optim.sgd(0.1), jnp.array(1.0)

    def step(carry):
        w, state, steps = carry
        updates, state = rule.update(w, state, w)
        return w + updates, state, steps + 1

    unfinished = lambda carry: ~optim.converged(carry[0], 1e-3)  # noqa: E731
    assert int(jax.lax.while_loop(unfinished, step, (start, rule.init(start), 0))[2]) == 66


def test_gd_02_a_random_start_descends_until_converged(x64):
    hessian, minimum = jnp.array([[2.0, 0.3], [0.3, 0.5]]), jnp.array([1.0, -2.0])
    rule, start = optim.sgd(0.5), jax.random.normal(jax.random.key(3), (2,))

    def unfinished(carry):
        w, _, steps = carry
        return ~optim.converged(hessian @ (w - minimum), 1e-9) & (steps < 10_000)

    def step(carry):
        w, state, steps = carry
        updates, state = rule.update(hessian @ (w - minimum), state, w)
        return w + updates, state, steps + 1

    w, _, steps = jax.lax.while_loop(unfinished, step, (start, rule.init(start), 0))
    np.testing.assert_allclose(w, minimum, atol=1e-8)
    assert 10 < int(steps) < 10_000


def test_gd_21_the_epoch_mean_of_the_history_is_weighted_by_batch_size():
    """Batches of 4, 4 and 2 rows with losses 1, 1, 4: 1.6, where the mean of means is 2."""
    y = np.sqrt(np.array([1.0] * 8 + [4.0] * 2, np.float32))[:, None]
    layer = nn.dense(1)
    params = {"kernel": jnp.zeros((1, 1)), "bias": jnp.zeros(1)}
    result = train.fit(
        train.supervised(layer, losses.squared_error),
        params,
        {},
        optim.sgd(0.0),
        {"x": np.zeros((10, 1), np.float32), "y": y},
        key=jax.random.key(0),
        epochs=1,
        batch_size=4,
        progress=None,
    )
    assert result.history["train_loss"][0] == pytest.approx(1.6, rel=1e-6)


@pytest.mark.parametrize("wrap", [lambda rule: rule, optim.chain, optim.skip_nonfinite])
def test_a_column_of_gradients_never_meets_a_vector_of_parameters(wrap):
    """Without `params` plain descent cannot know, since it keeps nothing per parameter."""
    rule, w = wrap(optim.sgd(0.1)), jnp.ones(3)
    with pytest.raises(ValueError, match=r"got \(3, 1\) instead of \(3,\)"):
        rule.update(jnp.ones((3, 1)), rule.init(w), w)


def test_gd_24_a_schedule_in_place_of_the_rate_sees_count_zero_first(x64):
    rule, w = optim.sgd(schedules.linear(0.5, 0.1, steps=4)), jnp.array(1.0)
    state, rates = rule.init(w), []
    for _ in range(6):
        updates, state = rule.update(w, state, w)
        rates.append(-float(updates))
    np.testing.assert_allclose(rates, [0.5, 0.4, 0.3, 0.2, 0.1, 0.1], atol=1e-12)


def with_deviation_one(n):
    values = np.random.default_rng(1).normal(size=(n, 1))
    return jnp.asarray((values - values.mean()) / values.std(ddof=1))


@pytest.mark.parametrize(("n", "error"), [(100, 0.1), (10_000, 0.01)])
def test_gd_13_the_standard_error_falls_as_the_root_of_the_batch(n, error, x64):
    assert float(optim.gradient_noise({"w": with_deviation_one(n)})) == pytest.approx(error)


def test_gd_13_drawn_without_replacement_it_is_smaller(x64):
    gradients = {"w": with_deviation_one(64)}
    ratio = optim.gradient_noise(gradients, population=1797) / optim.gradient_noise(gradients)
    assert float(ratio) == pytest.approx(0.982304, abs=1e-6)


def test_gd_13_it_is_the_error_of_batches_drawn_at_random(x64):
    rng = np.random.default_rng(5)
    everything = rng.normal(size=(500, 3)) * np.array([1.0, 2.0, 0.1]) + 4.0
    batches = [rng.choice(500, 20, replace=False) for _ in range(4000)]
    errors = [everything[rows].mean(axis=0) - everything.mean(axis=0) for rows in batches]
    measured = np.sqrt(np.mean(np.sum(np.square(errors), axis=1)))
    told = [
        float(optim.gradient_noise({"w": jnp.asarray(everything[rows])}, population=500))
        for rows in batches[:300]
    ]
    assert np.sqrt(np.mean(np.square(told))) == pytest.approx(measured, rel=0.03)


@pytest.mark.parametrize(
    "bad", [jnp.ones((1, 3)), jnp.ones(()), {"a": jnp.ones(3), "b": jnp.ones(4)}]
)
def test_gradients_that_are_not_per_example_raise(bad):
    with pytest.raises(ValueError, match="one row per example, at least 2"):
        optim.gradient_noise(bad)


def test_a_population_smaller_than_the_batch_raises():
    with pytest.raises(ValueError, match="`population` must be at least 5, got 4"):
        optim.gradient_noise(jnp.ones((5, 2)), population=4)


def test_mom_02_the_two_sign_conventions_give_one_sequence(x64):
    rule, w = optim.momentum(0.1, form="ema"), jnp.array(1.0)
    state, z, other = rule.init(w), 0.0, 1.0
    for _ in range(6):
        updates, state = rule.update(w, state, w)
        w = w + updates
        z = 0.9 * z - 0.1 * other
        other = other + 0.1 * z
        assert float(w) == pytest.approx(other, abs=1e-15)


@pytest.mark.parametrize("make", [optim.momentum, optim.nesterov, optim.scale_by_momentum])
def test_mom_03_the_default_decay(make):
    assert inspect.signature(make).parameters["decay"].default == 0.9


def test_adam_07_two_moments_of_the_shape_of_the_parameters_and_a_counter():
    params = {"kernel": jnp.ones((4, 3)), "bias": jnp.ones(3)}
    state = optim.adam().init(params)
    chex.assert_trees_all_equal_shapes(state.mu, params)
    chex.assert_trees_all_equal_shapes(state.nu, params)
    chex.assert_shape(state.count, ())
    assert optim.state_size(state, params) == 2
    assert optim.state_size(optax.adam(0.1).init(params), params) == 2
