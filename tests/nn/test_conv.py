"""Convolution: its two forms give the same numbers, and how it complains."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_dl import nn
from jaxopt_dl.nn import _convolve
from jaxopt_dl.nn._window import make_window, pairs_of

WINDOWS = {
    "same": ((3, 3), 1, "SAME", 1, (6, 5)),
    "same_even": ((2, 4), 1, "SAME", 1, (5, 6)),
    "strided": ((3, 2), (2, 3), "SAME", 1, (7, 8)),
    "valid": ((2, 3), 1, "VALID", 1, (4, 5)),
    "dilated": ((3, 2), 1, "SAME", (2, 3), (7, 6)),
    "explicit": ((3, 2), (1, 2), ((2, 0), (1, 3)), 1, (5, 4)),
    "one_by_one": ((1, 1), 2, "SAME", 1, (5, 4)),
    "sequence": ((4,), 2, "SAME", 2, (9,)),
}
each_window = pytest.mark.parametrize("case", WINDOWS.values(), ids=WINDOWS)


def problem(case, rng):
    sizes, strides, padding, dilation, spatial = case
    window = make_window("conv", "kernel_size", sizes, strides, padding, dilation)
    x = jnp.asarray(rng.normal(size=(2, *spatial, 3)))
    kernel = jnp.asarray(rng.normal(size=(*sizes, 3, 4)))
    return window, pairs_of("conv", window, spatial), x, kernel


@each_window
def test_both_forms_have_the_same_values_and_gradients(case, x64):
    window, pairs, x, kernel = problem(case, np.random.default_rng(0))

    def run(form):
        def loss(x, kernel):
            y = form(x, kernel, window, pairs)
            weights = jnp.cos(jnp.arange(y.size, dtype=y.dtype)).reshape(y.shape)
            return jnp.sum(weights * jnp.square(y)), y

        return jax.jit(jax.value_and_grad(loss, argnums=(0, 1), has_aux=True))(x, kernel)

    ours, theirs = run(_convolve.by_patches), run(_convolve.by_xla)
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@each_window
def test_padding_is_that_of_xla(case, padding):
    sizes, strides, _, _, spatial = case
    window = make_window("conv", "kernel_size", sizes, strides, padding)
    expected = jax.lax.padtype_to_pads(spatial, sizes, window.strides, padding)
    assert list(pairs_of("conv", window, spatial)) == list(expected)


def test_each_output_is_the_sum_over_its_window(key):
    layer = nn.conv(3, (2, 3), strides=2, padding="VALID", bias_init=nn.constant(0.5))
    params, state = layer.init(key, (5, 6, 2))
    x = np.random.default_rng(1).normal(size=(4, 5, 6, 2)).astype(np.float32)
    y, _ = layer.apply(params, state, x, training=False)
    kernel = np.asarray(params["kernel"])
    for i, j in np.ndindex(2, 2):
        part = x[:, 2 * i : 2 * i + 2, 2 * j : 2 * j + 3]
        expected = np.einsum("bhwc,hwco->bo", part, kernel) + 0.5
        np.testing.assert_allclose(y[:, i, j], expected, rtol=1e-4, atol=1e-5)
    assert y.shape == (4, 2, 2, 3)


def program_of(layer, spec, key):
    params, state = layer.init(key, spec)
    x = jnp.ones((2, *spec))
    return str(jax.make_jaxpr(lambda x: layer.apply(params, state, x, training=False))(x))


def test_small_kernels_are_matrix_products_on_cpu(key):
    assert "conv_general_dilated" not in program_of(nn.conv(2, (5, 5)), (8, 8, 1), key)


def test_large_kernels_fall_back_to_xla(key):
    assert "conv_general_dilated" in program_of(nn.conv(2, (7, 7)), (8, 8, 1), key)


def test_other_backends_use_xla(key, monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    program = program_of(nn.conv(2, (3, 3)), (8, 8, 1), key)
    assert "conv_general_dilated" in program
    assert "platform_index" not in program


def test_kernels_are_scaled_by_their_window_and_channels(key):
    params, _ = nn.conv(4096, (3, 3), kernel_init=nn.he_normal()).init(key, (5, 5, 8))
    assert float(params["kernel"].std()) == pytest.approx((2 / 72) ** 0.5, rel=0.02)


@pytest.mark.parametrize("size", [3, (3, 3, 3), "3"])
def test_a_kernel_size_that_is_no_pair_raises_and_shows_one(size):
    with pytest.raises(TypeError, match=r"^conv: `kernel_size` must be a tuple.*\(3, 3\)"):
        nn.conv(4, size)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"strides": 0}, "strides"),
        ({"strides": (1, 1, 1)}, "strides"),
        ({"dilation": 0}, "dilation"),
        ({"padding": "same"}, "SAME"),
        ({"padding": ((1, 1),)}, "2 pairs"),
        ({"padding": ((1, -1), (0, 0))}, "padding"),
        ({"padding": 1}, "2 pairs"),
    ],
)
def test_bad_options_raise_and_are_named(options, named):
    with pytest.raises(ValueError, match=rf"^conv 'first': .*{named}"):
        nn.conv(4, (3, 3), name="first", **options)


def test_gray_images_without_a_channel_axis_raise(key):
    layer = nn.conv(4, (3, 3))
    with pytest.raises(ValueError, match=r"got \(1, 28, 28\)\. Give gray images a channel axis"):
        layer.init(key, (28, 28))


def test_other_channels_raise(key):
    layer = nn.conv(4, (3, 3))
    params, state = layer.init(key, (8, 8, 3))
    with pytest.raises(ValueError, match="must have size 3"):
        layer.apply(params, state, jnp.ones((2, 8, 8, 1)), training=False)


def test_an_input_smaller_than_the_kernel_raises(key):
    layer = nn.conv(4, (3, 3), padding="VALID", dilation=2)
    params, state = layer.init(key, (5, 5, 1))
    with pytest.raises(ValueError, match=r"the window, \(5, 5\) wide, must fit"):
        layer.apply(params, state, jnp.ones((2, 5, 4, 1)), training=False)
    with pytest.raises(ValueError, match=r"^conv: the window, \(5, 5\) wide, must fit"):
        layer.init(key, (5, 4, 1))


@pytest.mark.parametrize(
    ("leaf", "shape"), [("kernel", (3, 2, 1, 4)), ("kernel", (9, 1, 4)), ("bias", (1,))]
)
def test_a_parameter_of_another_shape_is_never_broadcast(key, leaf, shape):
    layer = nn.conv(4, (3, 3))
    params, state = layer.init(key, (8, 8, 1))
    with pytest.raises(ValueError, match=rf"conv: `params\['{leaf}'\]` must have shape"):
        layer.apply({**params, leaf: jnp.ones(shape)}, state, jnp.ones((2, 8, 8, 1)), training=True)


def test_an_initializer_that_returns_another_shape_raises(key):
    layer = nn.conv(4, (3, 3), kernel_init=lambda key, shape, dtype: jnp.ones((1, 1), dtype))
    with pytest.raises(ValueError, match=r"`params\['kernel'\]` must have shape \(3, 3, 1, 4\)"):
        layer.init(key, (8, 8, 1))


def test_uint8_images_raise(key):
    layer = nn.conv(4, (3, 3))
    params, state = layer.init(key, (8, 8, 1))
    with pytest.raises(TypeError, match="uint8"):
        layer.apply(params, state, jnp.ones((2, 8, 8, 1), jnp.uint8), training=False)
