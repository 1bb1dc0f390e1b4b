"""Statistics of activations, layer by layer."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.scipy.special import ndtri

from jaxopt_dl import nn, telemetry


def normal_quantiles(count: int = 100_001):
    """Numbers spread like a standard normal, without the noise of a draw."""
    return ndtri((jnp.arange(count, dtype=float) + 0.5) / count)


@pytest.mark.parametrize(
    ("activation", "mean", "mean_square"),
    [(nn.relu, 0.398942, 0.5), (nn.tanh, 0.0, 0.394294), (nn.sigmoid, 0.5, 0.293379)],
)
def test_activations_of_normal_inputs_init_06(activation, mean, mean_square, x64):
    named = jax.named_scope("layer")(activation)
    stats = telemetry.activation_stats(named, normal_quantiles())["layer"]
    assert float(stats.mean) == pytest.approx(mean, abs=1e-4)
    assert float(stats.mean_square) == pytest.approx(mean_square, abs=1e-4)


def network(key, training=False):
    net = nn.sequential(
        nn.sequential(nn.conv(3, (3,)), nn.batch_norm(), nn.lift(nn.relu), name="block"),
        nn.flatten(),
        nn.dropout(keep_prob=0.5),
        nn.dense(2, name="head"),
    )
    params, state = net.init(key, (6, 2))
    return params, lambda p, x: net.apply(p, state, x, training=training, key=key)[0]


def test_every_layer_that_computes_is_seen_in_order_init_06(key):
    params, apply = network(key)
    stats = telemetry.activation_stats(apply, params, jnp.ones((4, 6, 2)))
    names = ["block/00_conv", "block/01_batch_norm", "block/02_relu", "01_flatten", "head"]
    assert list(stats) == names


def test_the_numbers_are_those_of_the_outputs_init_06(key):
    params, apply = network(key)
    x = jax.random.normal(key, (4, 6, 2))
    y = np.asarray(apply(params, x), np.float64)
    stats = telemetry.activation_stats(apply, params, x)["head"]
    expected = (y.mean(), y.std(), (y**2).mean(), (y == 0).mean(), 0.0)
    np.testing.assert_allclose(stats, expected, rtol=1e-5)


def test_dead_units_show_as_zeros(key):
    params, apply = network(key)
    params["block"]["00_conv"]["bias"] = jnp.full(3, -100.0)
    stats = telemetry.activation_stats(apply, params, jnp.ones((4, 6, 2)))
    assert float(stats["block/02_relu"].zeros) == 1.0


def test_a_unit_is_dead_if_it_is_zero_in_every_row():
    x = jnp.array([[0.0, 0.0, 1.0, 0.0], [0.0, 2.0, 0.0, 0.0]])[:, None]
    stats = telemetry.activation_stats(jax.named_scope("layer")(lambda x: 3 * x), x)["layer"]
    assert float(stats.dead) == 0.5


def test_a_compiled_function_and_a_compiled_measurement_agree(key):
    params, apply = network(key, training=True)
    x = jax.random.normal(key, (4, 6, 2))
    inside = telemetry.activation_stats(jax.jit(apply), params, x)
    outside = jax.jit(lambda p, x: telemetry.activation_stats(apply, p, x))(params, x)
    for layer, stats in inside.items():
        np.testing.assert_allclose(outside[layer], stats, rtol=1e-4, atol=1e-6)


def test_models_of_flax_are_seen_too(key):
    linen = pytest.importorskip("flax.linen")
    model = linen.Sequential([linen.Dense(3), linen.Dense(2)])
    variables = model.init(key, jnp.ones((1, 4)))
    stats = telemetry.activation_stats(model.apply, variables, jnp.ones((5, 4)))
    assert len([layer for layer in stats if "layers_" in layer]) == 2


def test_a_function_without_layers_raises():
    with pytest.raises(ValueError, match="named scopes, got none"):
        telemetry.activation_stats(jnp.sin, jnp.ones(3))


def test_something_else_than_a_function_raises():
    with pytest.raises(TypeError, match="activation_stats: `function`"):
        telemetry.activation_stats(nn.dense(3), jnp.ones(3))
