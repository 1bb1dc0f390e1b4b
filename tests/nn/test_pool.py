"""Pooling: its two forms give the same numbers, ties and padding included."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_dl import nn
from jaxopt_dl.nn import _reduce_windows as forms
from jaxopt_dl.nn._window import make_window, pairs_of

WINDOWS = {
    "disjoint": ((2, 2), (2, 2), "VALID", (4, 6)),
    "remainder": ((2, 3), (2, 3), "VALID", (5, 7)),
    "same": ((2, 2), (2, 2), "SAME", (5, 3)),
    "overlapping": ((3, 2), (2, 1), "SAME", (6, 5)),
    "explicit": ((3, 3), (1, 2), ((1, 2), (0, 1)), (5, 4)),
    "sequence": ((3,), (2,), "SAME", (8,)),
}
each_window = pytest.mark.parametrize("case", WINDOWS.values(), ids=WINDOWS)


def both_forms(case, x, *operation):
    sizes, strides, padding, spatial = case
    window = make_window("pool", "window", sizes, strides, padding)
    pairs = pairs_of("pool", window, spatial)

    def run(form):
        def loss(x):
            y = form(x, window, pairs, *operation)
            weights = jnp.cos(jnp.arange(y.size, dtype=y.dtype)).reshape(y.shape)
            return jnp.sum(weights * y), y

        return jax.jit(jax.value_and_grad(loss, has_aux=True))(x)

    return run(forms.by_slices), run(forms.by_xla)


def assert_same(pair):
    for a, b in zip(*map(jax.tree.leaves, pair), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


@each_window
def test_both_forms_of_max_agree_with_their_gradients_ties_included(case, x64):
    # Few values, so that most windows hold the largest one more than once.
    x = np.random.default_rng(0).integers(0, 3, size=(2, *case[3], 2)).astype(float)
    operation = (forms._later_if_larger, jax.lax.max, -np.inf)
    assert_same(both_forms(case, jnp.asarray(x), *operation))


@each_window
def test_both_forms_of_sums_agree_with_their_gradients(case, x64):
    x = jnp.asarray(np.random.default_rng(1).normal(size=(2, *case[3], 2)))
    assert_same(both_forms(case, x, jnp.add, jax.lax.add, 0.0))


def pooled(layer, x):
    return layer.apply({}, {}, jnp.asarray(x, jnp.float32), training=False)[0]


def test_of_equal_values_the_first_gets_the_gradient():
    layer = nn.max_pool((2, 2))
    grad = jax.grad(lambda x: layer.apply({}, {}, x, training=False)[0].sum())(
        jnp.ones((1, 2, 2, 1))
    )
    np.testing.assert_array_equal(grad[0, :, :, 0], [[1, 0], [0, 0]])


def test_padding_never_is_the_largest():
    y = pooled(nn.max_pool((2, 2), padding="SAME"), np.full((1, 3, 3, 1), -5.0))
    np.testing.assert_array_equal(y, np.full((1, 2, 2, 1), -5.0))


def test_padding_does_not_count_in_an_average():
    y = pooled(nn.average_pool((2, 2), padding="SAME"), np.arange(1.0, 10).reshape(1, 3, 3, 1))
    np.testing.assert_allclose(y[0, :, :, 0], [[3.0, 4.5], [7.5, 9.0]])


@pytest.mark.parametrize("at", [0, 1, 2, 3])
def test_nan_anywhere_in_a_window_comes_out(at):
    x = np.arange(4.0)
    x[at] = np.nan
    assert np.isnan(pooled(nn.max_pool((2, 2)), x.reshape(1, 2, 2, 1))).all()


def test_minus_infinity_is_a_value_like_any_other():
    assert float(pooled(nn.max_pool((2,)), np.full((1, 2, 1), -np.inf)).item()) == -np.inf


@pytest.mark.parametrize("spatial", [(5,), (5, 4)])
def test_global_pools_reduce_all_spatial_axes(spatial):
    x = np.random.default_rng(2).normal(size=(3, *spatial, 2)).astype(np.float32)
    axes = tuple(range(1, x.ndim - 1))
    np.testing.assert_allclose(pooled(nn.global_average_pool(), x), x.mean(axes), rtol=1e-5)
    np.testing.assert_array_equal(pooled(nn.global_max_pool(), x), x.max(axes))


def test_half_precision_averages_are_summed_in_float32():
    x = jnp.ones((1, 4096, 1), jnp.bfloat16)
    for layer in (nn.global_average_pool(), nn.average_pool((16,))):
        y, _ = layer.apply({}, {}, x, training=False)
        assert y.dtype == jnp.bfloat16
        assert bool(jnp.all(y == 1))


def test_windows_of_padding_alone_raise():
    with pytest.raises(ValueError, match=r"max_pool: `padding` must be smaller"):
        nn.max_pool((2, 2), padding=((2, 0), (0, 0)))


def test_a_window_larger_than_the_input_raises_and_names_the_layer():
    with pytest.raises(ValueError, match="^average_pool 'last': the window"):
        pooled(nn.average_pool((3, 3), name="last"), np.ones((1, 2, 5, 1)))
    with pytest.raises(ValueError, match="^average_pool 'last': the window"):
        nn.average_pool((3, 3), name="last").init(jax.random.key(0), (2, 5, 1))


@pytest.mark.parametrize("layer", [nn.max_pool((2, 2)), nn.global_average_pool()])
def test_rows_without_spatial_axes_raise(layer):
    with pytest.raises(ValueError, match="must have shape"):
        pooled(layer, np.ones((4, 3)))
    with pytest.raises(ValueError, match="must have shape"):
        layer.init(jax.random.key(0), (3,))


def test_large_windows_fall_back_to_xla():
    layer = nn.max_pool((17,))
    program = jax.make_jaxpr(lambda x: layer.apply({}, {}, x, training=False))(jnp.ones((1, 34, 1)))
    assert "reduce_window" in str(program)
