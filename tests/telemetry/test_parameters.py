"""Gains, symmetry and sparsity of parameters."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_dl import data, losses, nn, telemetry


def linear_net(weight: float, depth: int):
    """A network without activations whose layers are a multiple of the identity."""
    net = nn.sequential(*[nn.dense(2, use_bias=False) for _ in range(depth)])
    kernels = {f"{i:02d}_dense": {"kernel": weight * jnp.eye(2)} for i in range(depth)}
    return net, kernels


@pytest.mark.parametrize(("weight", "value"), [(1.5, 6.376e8), (0.5, 8.882e-16)])
def test_a_linear_network_is_the_product_of_its_layers_van_01(weight, value):
    net, kernels = linear_net(weight, 50)
    y, _ = net.apply(kernels, {}, jnp.ones((1, 2)), training=False)
    np.testing.assert_allclose(y, np.full((1, 2), value), rtol=1e-3)
    gains = telemetry.layer_gains(kernels)
    np.testing.assert_allclose(np.prod(list(gains.values()), axis=0), value, rtol=1e-3)


@pytest.mark.parametrize(("gain", "product"), [(0.9, 0.005154), (1.1, 117.39)])
def test_gains_multiply_with_depth_van_02(gain, product):
    _, kernels = linear_net(gain, 50)
    largest = [float(values[0]) for values in telemetry.layer_gains(kernels).values()]
    assert np.prod(largest) == pytest.approx(product, rel=1e-3)


@pytest.mark.parametrize(("weight", "layer", "end"), [(1.5, 219, np.inf), (0.5, 150, 0.0)])
def test_float32_overflows_or_underflows_at_a_known_layer_van_02(weight, layer, end):
    # NumPy, since XLA on CPU flushes the smallest numbers to zero some layers earlier.
    x = np.float32(1.0)
    for depth in range(1, layer + 1):
        assert x != end, depth
        with np.errstate(over="ignore", under="ignore"):
            x = np.float32(x * np.float32(weight))
    assert x == end


def test_gains_are_the_singular_values_of_every_kernel(x64):
    rng = np.random.default_rng(0)
    params = {
        "a": {"kernel": rng.normal(size=(4, 3)), "bias": np.ones(3)},
        "b": {"kernel": rng.normal(size=(3, 3, 2, 5))},
    }
    gains = telemetry.layer_gains(params)
    assert list(gains) == ["a/kernel", "b/kernel"]
    for path, kernel in (("a/kernel", params["a"]["kernel"]), ("b/kernel", params["b"]["kernel"])):
        expected = np.linalg.svd(kernel.reshape(-1, kernel.shape[-1]), compute_uv=False)
        np.testing.assert_allclose(gains[path], expected, rtol=1e-10)


def test_gains_work_in_programs():
    params = {"kernel": 2 * jnp.eye(3)}
    np.testing.assert_allclose(jax.jit(telemetry.layer_gains)(params)["kernel"], np.full(3, 2.0))


def test_parameters_without_kernels_have_no_gains():
    with pytest.raises(ValueError, match="layer_gains: .* two axes, got none"):
        telemetry.layer_gains({"bias": jnp.ones(3)})


def trained(params, steps=20):
    net = nn.mlp((32, 10), activation=nn.tanh)
    rng = np.random.default_rng(1)
    x, targets = jnp.asarray(rng.normal(size=(20, 64)), jnp.float32), jnp.arange(20) % 7

    @jax.jit
    def step(params):
        def loss(params):
            logits, _ = net.apply(params, {}, x, training=True)
            return jnp.mean(losses.softmax_cross_entropy(logits, targets))

        return jax.tree.map(lambda w, g: w - 0.1 * g, params, jax.grad(loss)(params))

    for _ in range(steps):
        params = step(params)
    return params


def test_equal_weights_stay_equal_for_ever_init_02(key):
    net = nn.mlp((32, 10), activation=nn.tanh, kernel_init=nn.constant(0.1))
    params, _ = net.init(key, (64,))
    found = telemetry.unit_symmetry(trained(params))["00_dense"]
    assert found == (32, 1, 1)


def test_from_zero_weights_only_the_output_bias_learns_init_03(key):
    net = nn.mlp((32, 10), activation=nn.tanh, kernel_init=nn.zeros)
    start, _ = net.init(key, (64,))
    moved = jax.tree.map(lambda a, b: bool(jnp.any(a != b)), start, trained(start))
    assert moved == {
        "00_dense": {"kernel": False, "bias": False},
        "02_dense": {"kernel": False, "bias": True},
    }


def test_from_zero_weights_only_class_frequencies_of_the_digits_are_learned_init_03(key):
    """The loss ends at the entropy of the class frequencies, 2.3008 in these 1078 rows.

    Whole-batch updates, as many as 20 epochs of batches of 64, so that no noise is left over it.
    """
    digits = data.load_bundled("digits")
    rows = data.split(jax.random.key(0), 1797, (0.6, 0.2, 0.2))[0]
    x, y = jnp.asarray(digits.x[rows] / 16, jnp.float32), jnp.asarray(digits.y[rows])
    net = nn.mlp((32, 10), activation=nn.tanh, kernel_init=nn.zeros)
    start, _ = net.init(key, (64,))

    def loss(params):
        logits, _ = net.apply(params, {}, x, training=True)
        return jnp.mean(losses.softmax_cross_entropy(logits, y))

    def step(params, _):
        value, slope = jax.value_and_grad(loss)(params)
        return jax.tree.map(lambda w, g: w - 0.1 * g, params, slope), value

    end, curve = jax.jit(lambda params: jax.lax.scan(step, params, length=20 * 17))(start)
    shares = np.bincount(digits.y[rows]) / len(rows)
    entropy = -np.sum(shares * np.log(shares))
    assert entropy == pytest.approx(2.3008, abs=5e-5)
    np.testing.assert_allclose(np.asarray(curve)[[0, -1]], [np.log(10), entropy], rtol=0, atol=2e-5)
    assert not any(np.any(end[layer]["kernel"]) for layer in end)


def test_random_weights_break_the_symmetry_init_02(key):
    params, _ = nn.mlp((32, 10)).init(key, (64,))
    found = telemetry.unit_symmetry(params)
    assert found == {"00_dense": (32, 32, 32), "02_dense": (10, 10, 10)}


def test_a_bias_of_its_own_tells_units_apart():
    params = {"kernel": jnp.ones((3, 2)), "bias": jnp.array([0.0, 1.0])}
    assert telemetry.unit_symmetry(params)[""] == (2, 2, 1)


def test_channels_of_a_convolution_are_units():
    kernel = jnp.ones((3, 3, 2, 4)).at[0, 1, 0, 2].set(5.0)
    assert telemetry.unit_symmetry({"conv": {"kernel": kernel}})["conv"] == (4, 2, 2)


def test_symmetry_cannot_be_counted_in_programs():
    with pytest.raises(TypeError, match=r"outside of compiled programs, got traced arrays"):
        jax.jit(telemetry.unit_symmetry)({"kernel": jnp.ones((2, 2))})


def test_sparsity_is_the_share_of_exact_zeros_reg_11():
    params = {"a": jnp.array([0.45, 0.0]), "b": jnp.array([[0.05], [-0.0]])}
    assert float(jax.jit(telemetry.sparsity)(params)) == 0.5


def test_nothing_has_no_sparsity():
    with pytest.raises(ValueError, match="sparsity: .* at least one number"):
        telemetry.sparsity({})
