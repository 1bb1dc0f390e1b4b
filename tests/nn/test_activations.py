"""Values, slopes and limits of the activations."""

import functools
import math

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxopt_dl import nn

ALL = [
    nn.relu,
    nn.tanh,
    nn.sigmoid,
    nn.leaky_relu,
    nn.selu,
    nn.elu,
    nn.gelu,
    nn.mish,
    nn.silu,
    nn.softplus,
]
DERIVATIVES = {
    nn.relu: nn.relu_derivative,
    nn.sigmoid: nn.sigmoid_derivative,
    nn.tanh: nn.tanh_derivative,
}
each = pytest.mark.parametrize("activation", ALL, ids=lambda f: f.__name__)

NUMBERS = st.floats(-30, 30, allow_nan=False, width=32)


@pytest.mark.parametrize(
    ("activation", "at", "value"),
    [
        (nn.sigmoid, 0.0, 0.5),  # ACT-01
        (nn.sigmoid, 2.0, 0.880797),
        (nn.sigmoid, -2.0, 0.119203),
        (nn.relu, -1.0, 0.0),  # ACT-03
        (nn.relu, 0.0, 0.0),
        (nn.relu, 2.0, 2.0),
        (nn.tanh, 1.0, 0.761594),  # ACT-05
        (nn.leaky_relu, -2.0, -0.02),  # ACT-07
        (nn.selu, 1.0, 1.050701),
    ],
)
def test_values_act_01_03_05_07(activation, at, value):
    np.testing.assert_allclose(activation(jnp.array(at)), value, atol=1e-6)


@pytest.mark.parametrize(
    ("activation", "at", "slope"),
    [
        (nn.sigmoid, 0.0, 0.25),  # ACT-02
        (nn.sigmoid, 2.0, 0.104994),
        (nn.sigmoid, -1000.0, 0.0),  # ACT-01: the naive form is NaN here
        (nn.relu, 0.0, 0.0),  # ACT-04: not 1/2
        (nn.relu, 1e-9, 1.0),
        (nn.tanh, 1.0, 0.419974),  # ACT-06
        (nn.tanh, 0.0, 1.0),
        (nn.leaky_relu, -3.0, 0.01),
        (nn.selu, 2.0, 1.050701),
    ],
)
def test_slopes_act_01_02_04_06(activation, at, slope):
    np.testing.assert_allclose(jax.grad(activation)(jnp.array(at)), slope, atol=1e-6)


@given(NUMBERS)
@settings(deadline=None, max_examples=30)
def test_tanh_is_a_stretched_sigmoid_act_05(z):
    with jax.enable_x64(True):
        z = jnp.asarray(z, jnp.float64)
        np.testing.assert_allclose(nn.tanh(z), 2 * nn.sigmoid(2 * z) - 1, atol=1e-14)


@given(NUMBERS)
@settings(deadline=None, max_examples=30)
def test_selu_matches_its_formula(z):
    expected = 1.0507009873554805 * (z if z > 0 else 1.6732632423543772 * np.expm1(z))
    np.testing.assert_allclose(
        nn.selu(jnp.asarray(z, jnp.float32)), expected, rtol=1e-5, atol=1e-30
    )


@each
@pytest.mark.parametrize("at", [-1000.0, 1000.0])
def test_far_out_values_and_slopes_are_finite(activation, at):
    chex.assert_tree_all_finite(jax.value_and_grad(activation)(jnp.array(at)))


@each
def test_nan_is_not_swallowed(activation):
    assert bool(jnp.isnan(activation(jnp.array(jnp.nan))))


@each
def test_integers_raise_and_name_the_function(activation):
    with pytest.raises(TypeError, match=rf"^{activation.__name__}: `x` must hold floating"):
        activation(jnp.array([1, 2], jnp.uint8))


def test_leaky_relu_takes_its_slope():
    y = nn.leaky_relu(jnp.array([-2.0, 3.0]), slope=0.25)
    np.testing.assert_allclose(y, [-0.5, 3.0])


def test_a_slope_that_is_not_finite_raises():
    with pytest.raises(ValueError, match="leaky_relu: `slope`"):
        nn.leaky_relu(jnp.ones(2), slope=float("nan"))


def test_a_partial_application_lifts_under_the_name_of_its_function():
    assert nn.lift(functools.partial(nn.leaky_relu, slope=0.2)).kind == "leaky_relu"


def reference(name, z):
    """The published formulas, in float64 NumPy and the standard library."""
    normal = np.vectorize(math.erf)(z / math.sqrt(2))
    return {
        "elu": np.where(z > 0, z, np.expm1(np.minimum(z, 0))),
        "gelu": z * (1 + normal) / 2,
        "mish": z * np.tanh(np.logaddexp(0, z)),
        "silu": z / (1 + np.exp(-z)),
        "softplus": np.logaddexp(0, z),
    }[name]


@pytest.mark.parametrize("name", ["elu", "gelu", "mish", "silu", "softplus"])
def test_smooth_activations_match_their_formulas(name, x64):
    z = np.linspace(-8.0, 8.0, 41)
    got = getattr(nn, name)(jnp.asarray(z))
    np.testing.assert_allclose(got, reference(name, z), rtol=1e-9, atol=1e-12)


def test_approximate_gelu_is_the_published_tanh_form(x64):
    z = np.linspace(-4.0, 4.0, 9)
    expected = z * (1 + np.tanh(np.sqrt(2 / np.pi) * (z + 0.044715 * z**3))) / 2
    np.testing.assert_allclose(nn.gelu(jnp.asarray(z), approximate=True), expected, rtol=1e-10)


def test_elu_takes_its_limit():
    np.testing.assert_allclose(nn.elu(jnp.array([-50.0, 2.0]), alpha=0.5), [-0.5, 2.0])


@each
@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16, jnp.float32])
def test_dtypes_are_kept(activation, dtype):
    assert jax.eval_shape(activation, jax.ShapeDtypeStruct((3,), dtype)).dtype == dtype


@pytest.mark.parametrize("activation", DERIVATIVES, ids=lambda f: f.__name__)
def test_derivatives_equal_automatic_ones_act_02_04_06(activation, x64):
    z = jnp.array([-700.0, -2.0, -1e-9, 0.0, 1e-9, 0.3, 2.0, 700.0])
    automatic = jax.vmap(jax.grad(activation))(z)
    np.testing.assert_allclose(DERIVATIVES[activation](z), automatic, rtol=1e-13, atol=1e-300)


@pytest.mark.parametrize(
    ("derivative", "at", "slope"),
    [
        (nn.sigmoid_derivative, 0.0, 0.25),  # ACT-02
        (nn.sigmoid_derivative, 2.0, 0.104994),
        (nn.relu_derivative, 0.0, 0.0),  # ACT-04
        (nn.relu_derivative, 1e-9, 1.0),
        (nn.tanh_derivative, 1.0, 0.419974),  # ACT-06
        (nn.tanh_derivative, 0.0, 1.0),
    ],
)
def test_derivatives_have_the_slopes_of_the_register_act_02_04_06(derivative, at, slope):
    np.testing.assert_allclose(derivative(jnp.array(at)), slope, atol=1e-6)


@pytest.mark.parametrize("derivative", DERIVATIVES.values(), ids=lambda f: f.__name__)
def test_derivatives_of_integers_raise(derivative):
    with pytest.raises(TypeError, match=f"^{derivative.__name__}: `x`"):
        derivative(jnp.array([1, 2]))
