"""The conventions that the documentation states, held against Flax and optax."""

import flax.linen as linen
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxopt_dl import losses, nn

RNG = np.random.default_rng(0)
IMAGES = jnp.asarray(RNG.normal(size=(2, 5, 4, 3)), jnp.float32)
SEQUENCES = jnp.asarray(RNG.normal(size=(2, 5, 3)), jnp.float32)
LOGITS = jnp.asarray(RNG.normal(size=(4, 3)) * 3, jnp.float32)


def made(layer, x, seed=0):
    """Parameters of a layer with random numbers in place of zeros and ones."""
    params, _ = layer.init(jax.random.key(seed), x.shape[1:])
    return jax.tree.map(lambda leaf: jnp.asarray(RNG.normal(size=leaf.shape), leaf.dtype), params)


def run(layer, params, x):
    return layer.apply(params, {}, x, training=False)[0]


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
def test_a_convolution_is_that_of_linen(padding):
    layer = nn.conv(4, (3, 2), strides=2, padding=padding)
    params = made(layer, IMAGES)
    theirs = linen.Conv(4, (3, 2), strides=2, padding=padding).apply({"params": params}, IMAGES)
    np.testing.assert_allclose(run(layer, params, IMAGES), theirs, rtol=1e-4, atol=1e-5)


def test_an_average_over_windows_leaves_padding_out(standard_promotion):
    ours = run(nn.average_pool((2, 2), padding="SAME"), {}, IMAGES)
    options = dict(strides=(2, 2), padding="SAME")
    without = linen.avg_pool(IMAGES, (2, 2), count_include_pad=False, **options)
    np.testing.assert_allclose(ours, without, rtol=1e-5, atol=1e-6)
    assert np.abs(ours - linen.avg_pool(IMAGES, (2, 2), **options)).max() > 0.1


def test_the_windows_of_a_pool_do_not_overlap_unless_asked():
    ours = run(nn.max_pool((2, 2)), {}, IMAGES)
    np.testing.assert_array_equal(ours, linen.max_pool(IMAGES, (2, 2), strides=(2, 2)))
    assert linen.max_pool(IMAGES, (2, 2)).shape != ours.shape


def test_layer_norm_is_that_of_linen_with_another_eps():
    layer = nn.layer_norm()
    params = made(layer, SEQUENCES)
    theirs = linen.LayerNorm(epsilon=1e-5).apply({"params": params}, SEQUENCES)
    np.testing.assert_allclose(run(layer, params, SEQUENCES), theirs, rtol=1e-4, atol=1e-5)


def over_time(cell, params, carry):
    for t in range(SEQUENCES.shape[1]):
        carry, y = cell.apply({"params": params}, carry, SEQUENCES[:, t])
    return y


def gates(params, names):
    """Blocks of the kernels and of the bias, by the name of their gate."""
    count = len(names)
    return {
        name: {leaf: block[i] for leaf, block in split.items()}
        for split in [{leaf: np.split(value, count, -1) for leaf, value in params.items()}]
        for i, name in enumerate(names)
    }


def test_a_gru_resets_after_the_product_and_has_one_bias():
    layer = nn.gru(4, sequences=False)
    params = made(layer, SEQUENCES)
    theirs = {}
    for name, gate in gates(params, "rzn").items():
        theirs[f"i{name}"] = {"kernel": gate["kernel"], "bias": gate["bias"]}
        theirs[f"h{name}"] = {"kernel": gate["recurrent_kernel"]}
    theirs["hn"]["bias"] = np.zeros(4, np.float32)
    expected = over_time(linen.GRUCell(4), theirs, jnp.zeros((2, 4)))
    np.testing.assert_allclose(run(layer, params, SEQUENCES), expected, rtol=1e-4, atol=1e-5)


def test_an_lstm_orders_its_gates_input_forget_new_output():
    layer = nn.lstm(4, sequences=False)
    params = made(layer, SEQUENCES)
    theirs = {}
    for name, gate in gates(params, "ifgo").items():
        theirs[f"i{name}"] = {"kernel": gate["kernel"]}
        theirs[f"h{name}"] = {"kernel": gate["recurrent_kernel"], "bias": gate["bias"]}
    expected = over_time(linen.LSTMCell(4), theirs, (jnp.zeros((2, 4)), jnp.zeros((2, 4))))
    np.testing.assert_allclose(run(layer, params, SEQUENCES), expected, rtol=1e-4, atol=1e-5)


def test_gelu_is_exact_unless_asked():
    np.testing.assert_allclose(nn.gelu(LOGITS), jax.nn.gelu(LOGITS, approximate=False), rtol=1e-6)
    assert np.abs(nn.gelu(LOGITS) - jax.nn.gelu(LOGITS)).max() > 1e-5


def test_losses_are_those_of_optax(standard_promotion):
    labels, soft = jnp.array([0, 2, 1, 1]), jax.nn.softmax(LOGITS[::-1])
    pairs = [
        (losses.softmax_cross_entropy(LOGITS, labels),
         optax.softmax_cross_entropy_with_integer_labels(LOGITS, labels)),
        (losses.soft_target_cross_entropy(LOGITS, soft), optax.softmax_cross_entropy(LOGITS, soft)),
        (losses.softmax_cross_entropy(LOGITS, labels, label_smoothing=0.1),
         optax.softmax_cross_entropy(LOGITS, optax.smooth_labels(jax.nn.one_hot(labels, 3), 0.1))),
        (losses.sigmoid_cross_entropy(LOGITS, soft),
         optax.sigmoid_binary_cross_entropy(LOGITS, soft).mean(axis=1)),
        (losses.squared_error(LOGITS, soft), optax.squared_error(LOGITS, soft).mean(axis=1)),
        (losses.absolute_error(LOGITS, soft), jnp.abs(LOGITS - soft).mean(axis=1)),
        (losses.huber(LOGITS, soft, delta=0.7),
         optax.huber_loss(LOGITS, soft, delta=0.7).mean(axis=1)),
    ]  # fmt: skip
    for ours, theirs in pairs:
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)
