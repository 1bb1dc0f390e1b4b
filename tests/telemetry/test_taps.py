"""Taps: the same numbers as a network written once more by hand, in four frameworks."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_dl import losses, nn, telemetry, train
from tests.telemetry import models

every_model = pytest.mark.parametrize("name", models.NAMES)

RECURRENT = ["dot_general", "dot_general_1", "tanh"]
SITES = {
    "written-mlp": ["dot_general", "relu", "dot_general_1"],
    "written-cnn": ["first/conv_general_dilated", "first/relu", "head/dot_general"],
    "written-rnn": [*(f"loop/{site}" for site in RECURRENT), "dot_general"],
    "linen-cnn": [
        "LinenCnn/first/conv_general_dilated",
        "LinenCnn/relu",
        "LinenCnn/head/dot_general",
    ],
    "equinox-mlp": [
        "eqx.nn.MLP/eqx.nn.Linear/dot_general",
        "eqx.nn.MLP/relu",
        "eqx.nn.MLP/eqx.nn.Linear/dot_general_1",
    ],
}


@functools.cache
def seen(name):
    """The network looked into, by a program that is quick to compile."""
    case = models.case(name)
    quick = {"xla_backend_optimization_level": 0}
    look = jax.jit(telemetry.tap_gradients(models.loss_of(case.apply)), compiler_options=quick)
    return look(case.params, models.batch(name))


def like(site, by_hand):
    """Axes in the order of what is done by hand; all sizes of a network differ, none is 1."""
    site = np.squeeze(site)
    site = site.reshape(by_hand.shape) if site.ndim > by_hand.ndim else site
    return np.transpose(site, [site.shape.index(size) for size in by_hand.shape])


@every_model
def test_activations_and_gradients_are_those_of_the_network_by_hand(name):
    tapped, by_hand = seen(name), models.seen_by_hand(name)
    pairs = zip(tapped.activations.values(), by_hand.sites.values(), strict=True)
    for value, expected in pairs:
        np.testing.assert_allclose(like(value, expected), expected, rtol=1e-5, atol=1e-6)
    pairs = zip(tapped.gradients.values(), by_hand.gradients.values(), strict=True)
    for value, expected in pairs:
        np.testing.assert_allclose(like(value, expected), expected, rtol=1e-5, atol=1e-7)


@every_model
def test_gradients_of_the_parameters_are_those_of_the_network_by_hand(name):
    found = models.case(name).weights(seen(name).param_gradients)
    expected = models.seen_by_hand(name).by_weights
    for weight in models.SIZES[name.split("-")[1]]:
        np.testing.assert_allclose(found[weight], expected[weight], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", ["linen-rnn", "nnx-cnn", "equinox-attention"])
def test_gradients_of_the_parameters_are_the_plain_ones(name):
    case, mine = models.case(name), seen(name).param_gradients
    plain = jax.jit(jax.grad(models.loss_of(case.apply)))(case.params, models.batch(name))
    assert jax.tree.structure(mine) == jax.tree.structure(plain)
    for a, b in zip(jax.tree.leaves(mine), jax.tree.leaves(plain), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)


@every_model
def test_the_batch_axis_is_the_one_of_five_examples(name):
    case, batch = models.case(name), models.batch(name)
    axes = telemetry.batch_axes(models.loss_of(case.apply), case.params, batch)
    shapes = {site: value.shape for site, value in seen(name).activations.items()}
    assert axes == {site: shape.index(5) for site, shape in shapes.items()}


@pytest.mark.parametrize("name", SITES)
def test_sites_are_named_by_scope_and_operation(name):
    assert list(seen(name).activations) == SITES[name]


@pytest.mark.parametrize("name", ["linen-cnn", "equinox-mlp"])
def test_outputs_are_those_of_the_function(name):
    case, batch = models.case(name), models.batch(name)
    outputs, _ = jax.jit(telemetry.tap(case.apply))(case.params, batch["x"])
    np.testing.assert_allclose(outputs, case.apply(case.params, batch["x"]), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["written-mlp", "written-rnn"])
def test_it_gives_the_same_without_compilation(name):
    case = models.case(name)
    eager = telemetry.tap_gradients(models.loss_of(case.apply))(case.params, models.batch(name))
    assert list(eager.activations) == list(seen(name).activations)
    for a, b in zip(jax.tree.leaves(eager), jax.tree.leaves(seen(name)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_vmap_over_parameters_looks_into_each_network():
    case, x = models.case("written-rnn"), models.batch("written-rnn")["x"]
    two = jax.tree.map(lambda p: jnp.stack([p, 2 * p]), case.params)
    _, both = jax.jit(jax.vmap(telemetry.tap(case.apply), (0, None)))(two, x)
    _, second = jax.jit(telemetry.tap(case.apply))(jax.tree.map(lambda p: 2 * p, case.params), x)
    for site, expected in second.items():
        np.testing.assert_allclose(both[site][1], expected, rtol=1e-5, atol=1e-6)


def test_a_recorded_value_can_be_differentiated():
    def squares(kernel):
        _, sites = telemetry.tap(lambda k: jnp.sum(jnp.tanh(k)))(kernel)
        return jnp.sum(sites["tanh"] ** 2)

    kernel = jnp.array([0.3, -2.0])
    slope = 2 * np.tanh(kernel) * (1 - np.tanh(kernel) ** 2)
    np.testing.assert_allclose(jax.grad(squares)(kernel), slope, rtol=1e-5)


def test_a_custom_rule_is_one_site_and_stays_in_force():
    @jax.custom_vjp
    def straight_through(x):
        return jnp.tanh(jnp.round(x))

    straight_through.defvjp(lambda x: (straight_through(x), None), lambda _, g: (7 * g,))
    seen = telemetry.tap_gradients(lambda x: jnp.sum(straight_through(x)))(jnp.array([0.4, 2.6]))
    assert list(seen.activations) == ["straight_through"]
    assert seen.param_gradients.tolist() == [7.0, 7.0]


@pytest.mark.parametrize(
    "activation",
    ["silu", "leaky_relu", "elu", "softplus", "log_sigmoid", "soft_sign", "squareplus"],
)
def test_a_compiled_activation_is_one_site(activation):
    function = getattr(jax.nn, activation)
    x = jnp.array([-1.0, 0.5, 2.0])
    _, sites = telemetry.tap(function)(x)
    np.testing.assert_array_equal(list(sites.values())[-1], function(x))


def test_two_calls_of_one_compiled_function_are_two_sites():
    layer = jax.jit(lambda w, x: jnp.sin(x @ w))
    w, x = jnp.eye(2) / 2, jnp.array([[1.0, 2.0]])
    _, sites = telemetry.tap(lambda w, x: layer(w, layer(w, x)))(w, x)
    assert list(sites) == ["dot_general", "sin", "dot_general_1", "sin_1"]
    np.testing.assert_allclose(sites["dot_general_1"], np.sin(x / 2) / 2, rtol=1e-6)


def test_scopes_around_a_call_come_before_those_inside_it():
    inner = jax.jit(jax.named_scope("inner")(jnp.sin))
    outer = jax.named_scope("outer")(lambda x: jax.checkpoint(inner)(x))
    assert list(telemetry.tap(jax.vmap(outer))(jnp.ones((2, 3)))[1]) == ["outer/inner/sin"]


def test_scans_within_scans_stack_both_steps():
    def grid(rows):
        def cell(c, v):
            return jnp.tanh(c + v), None

        def line(c, row):
            return jax.lax.scan(cell, c, row)[0], None

        return jax.lax.scan(line, jnp.zeros(()), rows, reverse=True)[0]

    rows = np.arange(6, dtype=np.float32).reshape(2, 3) / 5
    seen = telemetry.tap_gradients(grid)(rows)
    state, expected = 0.0, np.zeros((2, 3))
    for i in (1, 0):
        for j in range(3):
            state = expected[i, j] = np.tanh(state + rows[i, j])
    np.testing.assert_allclose(seen.activations["tanh"], expected, rtol=1e-5)
    slope = seen.gradients["tanh"] * (1 - expected**2)
    np.testing.assert_allclose(slope, seen.param_gradients, rtol=1e-5)


def test_random_numbers_and_their_masks_are_no_site():
    def dropped(x):
        keep = jax.random.uniform(jax.random.key(0), x.shape) < 0.5
        return jnp.sum(jnp.where(keep, jnp.sin(x), 0.0))

    _, sites = telemetry.tap(dropped)(jnp.ones(8))
    assert list(sites) == ["sin"]


def test_a_selection_by_the_value_itself_is_a_site():
    _, sites = telemetry.tap(lambda x: jnp.where(x > 0, x, -2 * x))(jnp.array([1.0, -1.0]))
    assert sites["select_n"].tolist() == [1.0, 2.0]


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float32])
def test_dtypes_stay(dtype):
    w, x = jnp.ones((2, 3), dtype), jnp.ones((4, 2), dtype)
    seen = telemetry.tap_gradients(lambda w, x: jnp.sum(jax.nn.relu(x @ w)))(w, x)
    assert {leaf.dtype for leaf in jax.tree.leaves(seen)} == {jnp.dtype(dtype)}


def test_float64_is_exact_to_its_rounding(x64):
    w, x = np.arange(6.0).reshape(2, 3) / 7, np.arange(8.0).reshape(4, 2) / 3
    seen = telemetry.tap_gradients(lambda w, x: jnp.sum(jnp.tanh(x @ w)))(w, x)
    np.testing.assert_allclose(seen.activations["dot_general"], x @ w, rtol=1e-15)
    slopes = 1 - np.tanh(x @ w) ** 2
    np.testing.assert_allclose(seen.gradients["dot_general"], slopes, rtol=1e-12)


def test_what_a_loss_returns_beside_it_is_kept():
    def loss(w):
        return jnp.sum(jnp.tanh(w)), {"length": jnp.sum(w**2)}

    seen = telemetry.tap_gradients(loss, has_aux=True)(jnp.array([3.0, 4.0]))
    assert float(seen.aux["length"]) == 25.0


def test_an_objective_with_state_labels_and_a_key_is_seen_as_it_is():
    layers = nn.dense(4), nn.batch_norm(), nn.lift(nn.relu), nn.dropout(keep_prob=0.5)
    model = nn.sequential(*layers, nn.dense(3, name="head"))
    params, state = jax.jit(lambda key: model.init(key, (5,)))(jax.random.key(0))
    objective = train.supervised(model, losses.softmax_cross_entropy)
    batch = {"x": np.ones((6, 5), np.float32), "y": np.arange(6, dtype=np.int32) % 3}

    def loss(params, state, batch, key):
        return objective(params, state, batch, key=key, training=True)

    @jax.jit
    def look(*args):
        return telemetry.tap_gradients(loss, has_aux=True)(*args), loss(*args)

    args = params, state, batch, jax.random.key(1)
    seen, (value, aux) = look(*args)
    sites = list(seen.activations)
    assert sites[:3] == ["00_dense/dot_general", "02_relu/relu", "head/dot_general"]
    np.testing.assert_allclose(seen.value, value, rtol=1e-6)
    assert jax.tree.structure(seen.aux) == jax.tree.structure(aux)
    assert set(telemetry.batch_axes(loss, *args, batch=2).values()) == {0}


def test_what_losses_consist_of_is_no_site_but_a_rule_of_ones_own_is():
    bend = jax.custom_jvp(jnp.abs)
    bend.defjvps(lambda slope, out, x: slope * jnp.sign(x))
    for function, found in ((jnp.abs, []), (jnp.square, []), (bend, ["abs"])):
        _, sites = telemetry.tap(lambda k, x, f=function: jnp.mean(f(x @ k) ** 2))(
            jnp.ones((4, 3)), jnp.eye(2, 4) - 0.5
        )
        assert list(sites) == ["dot_general", *found]
