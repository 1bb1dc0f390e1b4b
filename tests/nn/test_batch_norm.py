"""Batch normalization: its numbers, its running averages, its mask."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_dl import nn

Z = jnp.array([[1.0], [2.0], [3.0], [4.0]])


def made(key, channels=1, **options):
    layer = nn.batch_norm(**options)
    spec = jax.ShapeDtypeStruct((channels,), jnp.zeros(()).dtype)  # float64 under `x64`
    return layer, *layer.init(key, spec)


def after_batches(layer, params, state, count):
    for _ in range(count):
        _, state = layer.apply(params, state, Z, training=True)
    return float(state["mean"][0]), float(state["var"][0])


def test_a_batch_is_normalized_bn_01(key):
    layer, params, state = made(key)
    y, _ = layer.apply(params, state, Z, training=True)
    np.testing.assert_allclose(y[:, 0], [-1.341635, -0.447212, 0.447212, 1.341635], atol=1e-6)


def test_the_output_has_mean_0_and_almost_variance_1_bn_02(key, x64):
    layer, params, state = made(key, eps=0.5)
    y, _ = layer.apply(params, state, Z.astype(jnp.float64), training=True)
    np.testing.assert_allclose([y.mean(), y.var()], [0.0, 1.25 / 1.75], atol=1e-12)


def test_scale_and_bias_are_applied_bn_03(key):
    layer, _, state = made(key)
    params = {"scale": jnp.array([2.0]), "bias": jnp.array([1.0])}
    y, _ = layer.apply(params, state, Z, training=True)
    np.testing.assert_allclose(y[:, 0], [-1.683271, 0.105576, 1.894424, 3.683271], atol=1e-6)
    np.testing.assert_allclose([y.mean(), y.var()], [1.0, 3.999968], rtol=1e-6)


def test_scale_starts_at_1_and_bias_at_0_bn_03(key):
    _, params, state = made(key, channels=3)
    for leaf, value in ((params["scale"], 1), (params["bias"], 0), (state["var"], 1)):
        np.testing.assert_array_equal(leaf, np.full(3, value))
    np.testing.assert_array_equal(state["mean"], np.zeros(3))


def test_a_constant_added_before_has_no_effect_and_no_gradient_bn_04(key, x64):
    layer, params, state = made(key)
    z = Z.astype(jnp.float64)
    weights = jnp.array([[0.3], [-1.0], [2.0], [0.5]]) / 4

    def loss(shift):
        return jnp.sum(weights * layer.apply(params, state, z + shift, training=True)[0])

    np.testing.assert_allclose(loss(100.0), loss(0.0), atol=1e-12)
    assert abs(float(jax.grad(loss)(0.5))) < 1e-15


@pytest.mark.parametrize(
    ("batches", "mean", "var"),
    [(1, 0.25, 1.025), (10, 1.628304, 1.162830), (50, 2.487116, 1.248712)],
)
def test_running_averages_bn_05(key, batches, mean, var):
    np.testing.assert_allclose(after_batches(*made(key), batches), (mean, var), rtol=1e-5)


def test_the_running_variance_can_be_unbiased_bn_05(key):
    made_unbiased = made(key, unbiased_running=True)
    np.testing.assert_allclose(after_batches(*made_unbiased, 1), (0.25, 1.066667), rtol=1e-6)


def test_evaluation_uses_the_running_averages_bn_06(key):
    layer, params, state = made(key)
    _, state = layer.apply(params, state, Z, training=True)
    y, after = layer.apply(params, state, jnp.array([[2.5]]), training=False)
    np.testing.assert_allclose(y, [[2.222381]], atol=1e-6)
    assert after is state


def test_a_batch_of_one_gives_the_bias_in_training_bn_06(key):
    layer, params, state = made(key)
    y, _ = layer.apply(params, state, jnp.array([[2.5]]), training=True)
    np.testing.assert_array_equal(y, [[0.0]])


def test_the_loss_does_not_depend_on_the_scale_of_the_weights_before_bn_09(key, x64):
    layer, params, state = made(key, channels=3, eps=1e-15)
    keys = jax.random.split(key, 3)
    x, w = jax.random.normal(keys[0], (16, 4)), jax.random.normal(keys[1], (4, 3))
    target = jax.random.normal(keys[2], (16, 3))

    def loss(w):
        y, _ = layer.apply(params, state, x @ w, training=True)
        return jnp.mean(jnp.square(y - target))

    gradient = jax.jit(jax.grad(loss))
    grad = gradient(w)
    np.testing.assert_allclose(jnp.sum(w * grad, axis=0), np.zeros(3), atol=1e-15)
    np.testing.assert_allclose(2 * gradient(2 * w), grad, atol=1e-13)


@pytest.mark.parametrize("order", [("norm", "relu"), ("relu", "norm")])
def test_it_may_stand_before_or_after_the_activation_bn_07(order, key):
    layers = {"norm": nn.batch_norm(name="norm"), "relu": nn.lift(nn.relu, name="relu")}
    net = nn.sequential(nn.dense(3, use_bias=False), *(layers[name] for name in order))
    params, state = net.init(key, (4,))
    x = jax.random.normal(key, (32, 4))
    y, after = net.apply(params, state, x, training=True)
    assert bool(jnp.all(y >= 0)) == (order[-1] == "relu")
    assert not np.array_equal(after["norm"]["mean"], state["norm"]["mean"])


def test_statistics_run_over_all_middle_axes(key, x64):
    layer, params, state = made(key, channels=3)
    x = np.random.default_rng(1).normal(2.0, 3.0, size=(5, 2, 4, 3))
    y, after = layer.apply(params, state, jnp.asarray(x), training=True)
    mean, var = x.mean((0, 1, 2)), x.var((0, 1, 2))
    np.testing.assert_allclose(y, (x - mean) / np.sqrt(var + 1e-5), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(after["mean"], 0.1 * mean, rtol=1e-12)
    np.testing.assert_allclose(after["var"], 0.9 + 0.1 * var, rtol=1e-12)


def test_the_unbiased_variance_counts_places_as_well_as_real_rows(key, x64):
    layer, params, state = made(key, channels=2, unbiased_running=True, decay=0.0)
    x = np.random.default_rng(2).normal(size=(4, 3, 2))
    mask = jnp.array([True, False, True, False])
    _, after = layer.apply(params, state, jnp.asarray(x), training=True, mask=mask)
    np.testing.assert_allclose(after["var"], x[::2].reshape(6, 2).var(0, ddof=1), rtol=1e-12)


def test_five_real_rows_of_64_give_their_own_mean(key):
    layer, params, state = made(key, decay=0.0)
    x = jnp.zeros((64, 1)).at[:5].set(2.31)
    _, after = layer.apply(params, state, x, training=True, mask=jnp.arange(64) < 5)
    np.testing.assert_allclose(after["mean"], [2.31], rtol=1e-6)


@pytest.mark.parametrize("unbiased", [True, False])
def test_a_batch_without_real_rows_leaves_the_state(key, unbiased):
    layer, params, state = made(key, unbiased_running=unbiased)
    _, state = layer.apply(params, state, Z, training=True)
    y, after = layer.apply(params, state, Z, training=True, mask=jnp.zeros(4, bool))
    assert bool(jnp.all(jnp.isfinite(y)))
    np.testing.assert_array_equal(after["mean"], state["mean"])
    np.testing.assert_array_equal(after["var"], state["var"])


def test_nan_in_padded_rows_reaches_neither_outputs_nor_gradients(key):
    layer, params, state = made(key)
    mask = jnp.array([True, True, True, False])
    x = Z.at[3].set(jnp.nan)

    def loss(params):
        y, after = layer.apply(params, state, x, training=True, mask=mask)
        return jnp.sum(jnp.where(mask[:, None], jnp.square(y), 0)), after

    (value, after), grads = jax.value_and_grad(loss, has_aux=True)(params)
    assert all(bool(jnp.all(jnp.isfinite(a))) for a in jax.tree.leaves((value, after, grads)))


def test_bfloat16_statistics_are_accumulated_in_float32(key):
    layer = nn.batch_norm(decay=0.0)
    params, state = layer.init(key, jax.ShapeDtypeStruct((1,), jnp.bfloat16))
    x = jnp.ones((4096, 1), jnp.bfloat16)
    _, after = layer.apply(params, state, x, training=True)
    np.testing.assert_array_equal(after["mean"], np.ones(1, np.float32))


def test_a_large_offset_does_not_cancel_the_variance(key):
    layer, params, state = made(key, decay=0.0)
    _, after = layer.apply(params, state, Z + 4096.0, training=True)
    np.testing.assert_allclose(after["var"], [1.25], rtol=1e-6)


@pytest.mark.parametrize(
    "options",
    [{"decay": 1.0}, {"decay": -0.1}, {"decay": float("nan")}, {"eps": 0.0}, {"eps": -1e-5}],
)
def test_numbers_out_of_range_raise(options):
    with pytest.raises(ValueError, match=r"^batch_norm: "):
        nn.batch_norm(**options)


def test_a_mask_of_another_shape_raises(key):
    layer, params, state = made(key)
    with pytest.raises(ValueError, match=r"`mask` must have shape \(4,\)"):
        layer.apply(params, state, Z, training=True, mask=jnp.ones((4, 1), bool))


def test_a_mask_of_numbers_raises(key):
    layer, params, state = made(key)
    with pytest.raises(TypeError, match="`mask` must be boolean"):
        layer.apply(params, state, Z, training=True, mask=jnp.ones(4))


def test_a_missing_state_raises_and_says_what_belongs_there(key):
    layer, params, _ = made(key)
    with pytest.raises(ValueError, match="`state` must be a dict of mean, var, got an empty one"):
        layer.apply(params, {}, Z, training=False)


def test_other_channels_raise(key):
    layer, params, state = made(key, channels=3)
    with pytest.raises(ValueError, match="must have size 3"):
        layer.apply(params, state, Z, training=False)


def test_a_traced_mode_raises_and_says_to_make_it_static(key):
    layer, params, state = made(key)

    @jax.jit
    def run(training):
        return layer.apply(params, state, Z, training=training)

    with pytest.raises(TypeError, match="mark it static"):
        run(True)


def test_a_state_of_another_shape_is_never_broadcast(key):
    layer = nn.batch_norm()
    params, state = layer.init(key, (4,))
    state = state | {"var": jnp.ones((1,))}
    with pytest.raises(ValueError, match=r"state\['var'\]` must have shape \(4,\), got \(1,\)"):
        layer.apply(params, state, jnp.ones((2, 4)), training=False)


def test_an_empty_batch_leaves_the_state(key):
    layer = nn.batch_norm()
    params, state = layer.init(key, (3,))
    y, after = layer.apply(params, state, jnp.ones((0, 3)), training=True)
    assert y.shape == (0, 3)
    chex.assert_trees_all_equal(after, state)


def test_a_traced_decay_out_of_range_gives_a_state_of_nan(key):
    @jax.jit
    def after(decay):
        layer = nn.batch_norm(decay=decay)
        return layer.apply(*layer.init(key, (3,)), jnp.ones((2, 3)), training=True)[1]

    assert jnp.isfinite(after(0.5)["mean"]).all()
    assert jnp.isnan(after(1.5)["mean"]).all()
