"""Back-propagation by hand on the three-layer network N, against its numbers and `jax.grad`."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxopt_dl import losses, nn, optim, train
from jaxopt_dl._core.flops import count_flops
from jaxopt_dl.gradcheck import check_gradients, finite_difference

# Examples are rows here, so every matrix is the transpose of the notes' own.
X = np.array([[1.0, 2.0], [-1.0, 0.0], [0.5, -1.0]])
Y = np.array([1.0, 0.0, 1.0])
WEIGHTS = {
    "00_dense": [[0.1, 0.2], [0.3, 0.4]],
    "02_dense": [[0.5, -0.6], [-0.7, 0.8]],
    "04_dense": [[0.9, -1.0]],
}
NET = nn.mlp((2, 2, 1), activation=nn.sigmoid)


def net_n():
    return {
        name: {"kernel": jnp.asarray(np.transpose(w)), "bias": jnp.zeros(len(w))}
        for name, w in WEIGHTS.items()
    }


def cost(params, x=X, y=Y):
    """The same cost from the library's parts."""
    logits, _ = NET.apply(params, {}, jnp.asarray(x), training=True)
    return jnp.mean(losses.sigmoid_cross_entropy(logits[:, 0], jnp.asarray(y)))


@pytest.fixture
def by_hand(x64):
    """Cost and gradient of N, matrices as in the notes: `(out, in)`."""
    value, gradient = nn.mlp_backprop(net_n(), jnp.asarray(X), Y)
    kernels = [np.asarray(gradient[name]["kernel"]).T for name in WEIGHTS]
    return float(value), kernels, [np.asarray(gradient[name]["bias"]) for name in WEIGHTS]


def test_the_forward_pass_gives_the_outputs_and_the_cost_bp_01(by_hand):
    logits, _ = NET.apply(net_n(), {}, jnp.asarray(X), training=False)
    np.testing.assert_allclose(nn.sigmoid(logits[:, 0]), [0.469479, 0.486005, 0.484085], atol=1e-6)
    assert by_hand[0] == pytest.approx(0.7157231454717, abs=1e-13)


def test_it_equals_automatic_differentiation_to_rounding_bp_02(x64):
    value, gradient = nn.mlp_backprop(net_n(), jnp.asarray(X), Y)
    expected_value, expected = jax.value_and_grad(cost)(net_n())
    assert abs(float(value - expected_value)) < 1e-15
    for ours, theirs in zip(*map(jax.tree.leaves, (gradient, expected)), strict=True):
        assert float(jnp.max(jnp.abs(ours - theirs))) < 1e-15


def test_the_gradient_of_the_last_layer_bp_03(by_hand):
    _, kernels, biases = by_hand
    np.testing.assert_allclose(kernels[2], [[-0.0866446621, -0.1014770503]], atol=1e-10)
    np.testing.assert_allclose(biases[2], [-0.1868102885], atol=1e-10)


def test_the_gradient_of_the_middle_layer_bp_04(by_hand):
    expected = [[-0.02522875, -0.0311348842], [0.0279791984, 0.0345307509]]
    np.testing.assert_allclose(by_hand[1][1], expected, atol=1e-10)


def test_the_gradient_of_the_first_layer_bp_05(by_hand):
    expected = [[-0.0296352082, -0.0114643312], [0.0313888029, 0.0078908752]]
    np.testing.assert_allclose(by_hand[1][0], expected, atol=1e-10)


def test_the_checker_agrees_with_the_hand_written_gradient_bp_02():
    def gradient(params, x, y):
        return nn.mlp_backprop(params, x, y)[1]

    report = check_gradients(cost, net_n(), args=(X, Y), gradient=gradient)
    assert report.verdict == "pass", str(report)


def test_other_depths_and_soft_labels_work_too_bp_02(key, x64):
    net = nn.mlp((3, 4, 2, 1), activation=nn.sigmoid)
    params, _ = net.init(key, jax.ShapeDtypeStruct((5,), jnp.float64))
    x, y = jax.random.normal(key, (7, 5)), jnp.linspace(0.0, 1.0, 7)

    def other(params):
        logits, _ = net.apply(params, {}, x, training=True)
        return jnp.mean(losses.sigmoid_cross_entropy(logits[:, 0], y))

    ours, theirs = nn.mlp_backprop(params, x, y)[1], jax.grad(other)(params)
    for a, b in zip(*map(jax.tree.leaves, (ours, theirs)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-15)


def test_a_saturated_unit_has_a_finite_cost():
    params = {"0": {"kernel": jnp.full((1, 1), 1e4), "bias": jnp.zeros(1)}}
    value, _ = nn.mlp_backprop(params, jnp.array([[1.0]]), jnp.array([0.0]))
    assert float(value) == 1e4


def test_a_scalar_chain_reuses_the_product_behind_it_bp_06(x64):
    def loss(w):
        return (w[2] * w[1] * w[0] * 2.0 - 1.0) ** 2 / 2

    value, grad = jax.value_and_grad(loss)(jnp.array([0.5, 3.0, -1.0]))
    assert float(value) == 8.0
    np.testing.assert_array_equal(grad, [24.0, 4.0, -12.0])


def passes_of_differences(mode, weights):
    """How often the function runs for the differences by so many weights."""
    passes = []

    def counted(w):
        jax.debug.callback(lambda: passes.append(None))
        return jnp.sum(jnp.sin(w))

    finite_difference(counted, jnp.linspace(0.1, 2.0, weights), eps=1e-6, mode=mode)
    jax.effects_barrier()
    return len(passes)


@pytest.mark.parametrize(("mode", "passes"), [("central", 2), ("forward", 1)])
def test_differences_cost_one_or_two_passes_per_weight_bp_07(mode, passes, x64):
    more = passes_of_differences(mode, 40) - passes_of_differences(mode, 16)
    assert more == 24 * passes


@pytest.mark.parametrize("width", [4, 64])
def test_back_propagation_costs_a_few_passes_however_many_weights_bp_07(width, key):
    net = nn.mlp((width, width, 1), activation=nn.sigmoid)
    params, _ = net.init(key, (width,))

    def loss(params):
        logits, _ = net.apply(params, {}, jnp.ones((32, width)), training=True)
        return jnp.mean(losses.sigmoid_cross_entropy(logits[:, 0], jnp.ones(32)))

    forward, backward = (
        count_flops(jax.make_jaxpr(function)(params)) for function in (loss, jax.grad(loss))
    )
    assert 2 < backward / forward < 4


def test_only_the_forward_pass_is_written_bp_08():
    value, slope = jax.value_and_grad(lambda w: w**2)(3.0)
    assert (float(value), float(slope)) == (9.0, 6.0)


def test_the_update_is_a_step_of_its_own_bp_09():
    rule = optim.sgd(0.1)
    params = {"w": jnp.array(2.0)}
    updates, _ = rule.update({"w": jnp.array(0.5)}, rule.init(params), params)
    updated: Any = optax.apply_updates(params, updates)
    np.testing.assert_allclose(updated["w"], 1.95)


@pytest.mark.parametrize(("passes", "value"), [(1, 0.9), (2, 0.81), (3, 0.729)])
def test_training_hands_its_parameters_on_bp_10(passes, value):
    def objective(params, state, batch, *, key, training):
        weight = jnp.sum(batch["weight"])
        return jnp.square(params["w"]) / 2, train.Aux(state, {}, weight)

    result = train.fit(
        objective,
        {"w": jnp.array(1.0)},
        {},
        optim.sgd(0.1),
        {"x": np.zeros((1, 1), np.float32)},
        key=jax.random.key(0),
        epochs=passes,
        batch_size=1,
        progress=None,
    )
    np.testing.assert_allclose(result.last[0]["w"], value, rtol=1e-6)


def test_gradients_have_the_shape_of_the_parameters_bp_12():
    matrix = jnp.array([[1.0, 2.0], [0.0, 1.0]])
    grad = jax.grad(lambda w: w @ matrix @ w)(jnp.array([1.0, 2.0]))
    np.testing.assert_array_equal(grad, [6.0, 6.0])


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({}, "got no leaves"),
        ({"0": {"w": np.ones((2, 1))}}, "got 0/w"),
        ({"0": {"kernel": np.ones((2, 3)), "bias": np.zeros(3)}}, "must have one unit, got 3"),
    ],
)
def test_other_parameters_raise(params, message):
    with pytest.raises(ValueError, match=f"^mlp_backprop: .*{message}"):
        nn.mlp_backprop(params, jnp.asarray(X, jnp.float32), Y)


def test_a_column_of_labels_raises():
    with pytest.raises(ValueError, match=r"`labels` must have shape \(3,\), got \(3, 1\)"):
        nn.mlp_backprop(net_n(), jnp.asarray(X, jnp.float32), Y[:, None])
