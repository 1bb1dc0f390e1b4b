"""The affine map: its numbers, its dtypes and how it complains."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_dl import nn


def test_it_is_the_affine_map_of_its_parameters(key):
    layer = nn.dense(3, bias_init=nn.constant(0.7))
    params, state = layer.init(key, (4,))
    x = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    y, _ = layer.apply(params, state, x, training=True)
    expected = np.einsum("bi,io->bo", x, np.asarray(params["kernel"])) + 0.7
    np.testing.assert_allclose(y, expected, rtol=1e-5)


def test_middle_axes_are_mapped_alike(key):
    layer = nn.dense(3)
    params, state = layer.init(key, (7, 2, 4))
    x = jax.random.normal(key, (5, 7, 2, 4))
    y, _ = layer.apply(params, state, x, training=False)
    flat, _ = layer.apply(params, state, x.reshape(-1, 4), training=False)
    np.testing.assert_allclose(y.reshape(-1, 3), flat, rtol=1e-5, atol=1e-6)


def test_biases_start_at_zero_init_15(key):
    params, _ = nn.dense(3).init(key, (4,))
    assert not params["bias"].any()


def test_each_layer_scales_by_its_own_fan_init_20(key):
    layers = [nn.dense(n, kernel_init=nn.he_normal(), name=str(n)) for n in (4096, 1024)]
    params, _ = nn.sequential(*layers).init(key, (4,))
    stds = [float(params[name]["kernel"].std()) for name in ("4096", "1024")]
    np.testing.assert_allclose(stds, [0.7071, (2 / 4096) ** 0.5], rtol=0.02)


def test_the_dtype_of_the_parameters_can_be_fixed(key):
    params, _ = nn.dense(3, dtype=jnp.bfloat16).init(key, (4,))
    assert {leaf.dtype for leaf in params.values()} == {jnp.dtype(jnp.bfloat16)}


def test_float32_input_and_bfloat16_parameters_give_float32(key):
    layer = nn.dense(3, dtype=jnp.bfloat16)
    params, state = layer.init(key, (4,))
    y, _ = layer.apply(params, state, jnp.ones((2, 4)), training=False)
    assert y.dtype == jnp.float32


def test_kernel_and_bias_draw_from_different_keys(key):
    init = nn.normal(stddev=1.0)
    params, _ = nn.dense(3, kernel_init=init, bias_init=init).init(key, (1,))
    assert not np.array_equal(params["kernel"][0], params["bias"])


def test_another_width_raises_and_names_the_layer(key):
    layer = nn.dense(3, name="head")
    params, state = layer.init(key, (4,))
    with pytest.raises(ValueError, match=r"^dense 'head': the last axis of `x` must have size 4"):
        layer.apply(params, state, jnp.ones((2, 5)), training=False)


def test_another_width_raises_under_jit_too(key):
    layer = nn.dense(3)
    params, state = layer.init(key, (4,))
    with pytest.raises(ValueError, match="must have size 4"):
        jax.jit(lambda x: layer.apply(params, state, x, training=False))(jnp.ones((2, 5)))


def test_a_missing_batch_axis_raises(key):
    layer = nn.dense(3)
    params, state = layer.init(key, (4,))
    with pytest.raises(ValueError, match="Add the batch axis"):
        layer.apply(params, state, jnp.ones(4), training=False)


def test_integer_images_raise(key):
    layer = nn.dense(3)
    params, state = layer.init(key, (4,))
    with pytest.raises(TypeError, match="floating-point numbers, got dtype uint8"):
        layer.apply(params, state, jnp.ones((2, 4), jnp.uint8), training=False)


def test_an_integer_spec_raises(key):
    with pytest.raises(TypeError, match="dense: `spec` must hold floating"):
        nn.dense(3).init(key, jax.ShapeDtypeStruct((4,), jnp.uint8))


@pytest.mark.parametrize("spec", [(), (0,)])
def test_a_spec_without_features_raises(spec, key):
    with pytest.raises(ValueError, match="features last"):
        nn.dense(3).init(key, spec)


def test_parameters_of_another_layer_raise(key):
    layer = nn.dense(3)
    _, state = layer.init(key, (4,))
    with pytest.raises(ValueError, match="must be a dict of kernel, bias, got scale"):
        layer.apply({"scale": jnp.ones(4)}, state, jnp.ones((2, 4)), training=False)


def test_something_else_than_a_key_raises():
    with pytest.raises(TypeError, match="dense: `key` must be a PRNG key"):
        nn.dense(3).init(0, (4,))


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"features": 0}, ValueError),
        ({"features": 2.0}, TypeError),
        ({"features": True}, TypeError),
        ({"features": 2, "kernel_init": 0.1}, TypeError),
        ({"features": 2, "bias_init": None}, TypeError),
        ({"features": 2, "dtype": jnp.int32}, TypeError),
    ],
)
def test_bad_arguments_raise_when_the_layer_is_made(arguments, error):
    with pytest.raises(error, match=r"^dense: "):
        nn.dense(**arguments)


def test_an_initializer_that_returns_another_shape_is_refused(key):
    layer = nn.dense(3, kernel_init=lambda key, shape, dtype: jnp.ones(3, dtype))
    with pytest.raises(
        ValueError, match=r"params\['kernel'\]` must have shape \(4, 3\), got \(3,\)"
    ):
        layer.init(key, (4,))


def test_a_bias_of_another_shape_is_never_broadcast(key):
    layer = nn.dense(3)
    params, state = layer.init(key, (4,))
    params["bias"] = jnp.ones((1,))
    with pytest.raises(ValueError, match=r"params\['bias'\]` must have shape \(3,\), got \(1,\)"):
        layer.apply(params, state, jnp.ones((2, 4)), training=False)
