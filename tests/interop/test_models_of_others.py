"""Models of Flax (linen and nnx) and Equinox, trained by our optimizers and by `fit`."""

# pyright: reportAttributeAccessIssue=false, reportIndexIssue=false, reportOptionalMemberAccess=false

import equinox as eqx
import flax.linen as linen
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from jaxopt_dl import losses, nn, optim, schedules, train
from jaxopt_dl._core.trees import leaves_with_paths

RNG = np.random.default_rng(0)
X = RNG.normal(size=(96, 4)).astype(np.float32)
Y = np.argmax(X @ RNG.normal(size=(4, 3)), axis=1).astype(np.int32)


def linen_model():
    class Network(linen.Module):
        @linen.compact
        def __call__(self, x):
            return linen.Dense(3)(linen.relu(linen.Dense(16)(x)))

    network = Network()
    params = network.init(jax.random.key(0), X[:1])["params"]
    return params, lambda params, x: network.apply({"params": params}, x)


def nnx_model():
    class Network(nnx.Module):
        def __init__(self, rngs):
            self.first = nnx.Linear(4, 16, rngs=rngs)
            self.second = nnx.Linear(16, 3, rngs=rngs)

        def __call__(self, x):
            return self.second(nnx.relu(self.first(x)))

    graph, params = nnx.split(Network(nnx.Rngs(0)), nnx.Param)
    return params, lambda params, x: nnx.merge(graph, params)(x)


def equinox_model():
    network = eqx.nn.MLP(4, 3, width_size=16, depth=1, key=jax.random.key(0))
    params, static = eqx.partition(network, eqx.is_inexact_array)
    return params, lambda params, x: jax.vmap(eqx.combine(params, static))(x)


MODELS = {"linen": linen_model, "nnx": nnx_model, "equinox": equinox_model}
every_model = pytest.mark.parametrize("name", MODELS)

OPTIMIZERS = {
    "adam": lambda: optim.adam(0.03),
    "nesterov": lambda: optim.nesterov(schedules.cosine(0.3, steps=60)),
    "clipped": lambda: optim.chain(
        optim.clip_by_global_norm(1.0), optim.scale_by_rmsprop(), optim.sgd(0.01)
    ),
    "averaged": lambda: optim.chain(optim.adam(0.03), optim.ema_params(0.9)),
    "by_path": lambda: optim.by_path({"*bias": optim.sgd(0.3)}, default=optim.adam(0.03)),
}


def loss_of(apply):
    def loss(params, x, y):
        return jnp.mean(losses.softmax_cross_entropy(apply(params, x), y))

    return loss


def trained_by_hand(params, apply, optimizer, steps=60):
    """A loop as users of optax write it."""
    loss = loss_of(apply)

    @jax.jit
    def step(params, state):
        gradients = jax.grad(loss)(params, X, Y)
        updates, state = optimizer.update(gradients, state, params)
        return optax.apply_updates(params, updates), state

    state = optimizer.init(params)
    for _ in range(steps):
        params, state = step(params, state)
    return float(loss(params, X, Y))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@every_model
def test_our_optimizers_train_the_models_of_others(name, optimizer, standard_promotion):
    params, apply = MODELS[name]()
    before = float(loss_of(apply)(params, X, Y))
    assert trained_by_hand(params, apply, OPTIMIZERS[optimizer]()) < 0.4 * before


@every_model
def test_fit_trains_the_models_of_others(name, standard_promotion):
    params, apply = MODELS[name]()

    def objective(params, state, batch, *, key, training):
        values = losses.softmax_cross_entropy(apply(params, batch["x"]), batch["y"])
        loss, weight = losses.weighted_mean(values, batch["weight"])
        return loss, train.Aux(state, {}, weight)

    result = train.fit(
        objective,
        params,
        {},
        optim.adam(0.03),
        {"x": X, "y": Y},
        key=jax.random.key(1),
        epochs=10,
        batch_size=24,
        progress=None,
    )
    assert result.history["train_loss"][-1] < 0.4 * result.history["train_loss"][0]
    assert jax.tree.structure(result.last[0]) == jax.tree.structure(params)


def kernels_and_others(params):
    """The leaves with two axes, and the rest: the models here have no other kernels."""
    leaves = jax.tree.leaves(params)
    return [x for x in leaves if x.ndim == 2], [x for x in leaves if x.ndim == 1]


@every_model
def test_the_kernels_of_others_decay_and_their_biases_do_not(name, standard_promotion):
    params = jax.tree.map(jnp.ones_like, MODELS[name]()[0])
    rule, zero = optim.adamw(0.5, weight_decay=0.2), jax.tree.map(jnp.zeros_like, params)
    updates, _ = rule.update(zero, rule.init(params), params)
    decayed, kept = kernels_and_others(updates)
    assert len(decayed) == len(kept) == 2
    for leaf in decayed:
        np.testing.assert_allclose(leaf, -0.1, rtol=1e-6)
    assert not any(np.any(leaf) for leaf in kept)


@every_model
def test_a_penalty_counts_the_kernels_of_others_and_not_their_biases(name):
    params, _ = MODELS[name]()
    shifted = jax.tree.map(lambda leaf: leaf + 1, params)
    squares = sum(float(jnp.sum(jnp.square(leaf))) for leaf in kernels_and_others(shifted)[0])
    assert float(losses.l2_penalty(shifted, 2.0)) == pytest.approx(squares, rel=1e-5)


def test_the_scale_of_an_equinox_norm_does_not_decay():
    params = {"norm": eqx.nn.LayerNorm(3), "out": eqx.nn.Linear(3, 2, key=jax.random.key(0))}
    params = jax.tree.map(jnp.ones_like, eqx.filter(params, eqx.is_inexact_array))
    rule = optim.add_decayed_weights(0.5)
    updates, _ = rule.update(jax.tree.map(jnp.zeros_like, params), rule.init(params), params)
    assert not np.any(updates["norm"].weight)
    assert np.all(updates["out"].weight == 0.5)


def test_a_decay_in_an_nnx_optimizer_moves_kernels_alone(standard_promotion):
    model = nnx.Linear(4, 3, rngs=nnx.Rngs(0), bias_init=nnx.initializers.ones)
    before = np.asarray(model.kernel[...])
    optimizer = nnx.Optimizer(model, optim.adamw(0.5, weight_decay=0.2), wrt=nnx.Param)
    optimizer.update(model, jax.tree.map(jnp.zeros_like, nnx.state(model, nnx.Param)))
    np.testing.assert_allclose(model.kernel[...], 0.9 * before, rtol=1e-6)
    np.testing.assert_array_equal(nnx.state(model)["bias"][...], np.ones(3))


def test_the_attribute_in_which_nnx_holds_an_array_is_no_name():
    attention = nnx.State({"attention": {"value": {"bias": nnx.Param(jnp.ones(2))}}})
    assert [path for path, _ in leaves_with_paths(attention)] == ["attention/value/bias"]
    assert [path for path, _ in leaves_with_paths({"a": {"value": 1.0}})] == ["a/value"]
    assert [path for path, _ in leaves_with_paths(nnx.Param(jnp.ones(2)))] == ["value"]


def test_an_nnx_optimizer_takes_our_rules(standard_promotion):
    model = nnx.Linear(4, 3, rngs=nnx.Rngs(0))
    optimizer = nnx.Optimizer(model, optim.adam(0.03), wrt=nnx.Param)

    @nnx.jit
    def step(model, optimizer):
        def loss(model):
            return jnp.mean(losses.softmax_cross_entropy(model(X), Y))

        value, gradients = nnx.value_and_grad(loss)(model)
        optimizer.update(model, gradients)
        return value

    values = [float(step(model, optimizer)) for _ in range(60)]
    assert values[-1] < 0.4 * values[0]


def our_model():
    layer = nn.sequential(nn.dense(16), nn.lift(nn.relu), nn.dense(3))
    params, state = layer.init(jax.random.key(0), (4,))
    return params, lambda params, x: layer.apply(params, state, x, training=True)[0]


def test_our_layers_and_losses_train_in_a_loop_of_optax(standard_promotion):
    params, apply = our_model()
    before = float(loss_of(apply)(params, X, Y))
    assert trained_by_hand(params, apply, optax.adam(0.03)) < 0.4 * before


def test_our_layers_are_leaves_of_an_equinox_module(standard_promotion):
    class Network(eqx.Module):
        params: dict
        head: eqx.nn.Linear

        def __call__(self, x):
            y, _ = LAYER.apply(self.params, {}, x, training=True)
            return jax.vmap(self.head)(nn.relu(y))

    LAYER = nn.dense(16)
    params, _ = LAYER.init(jax.random.key(0), (4,))
    model = Network(params, eqx.nn.Linear(16, 3, key=jax.random.key(1)))
    optimizer = optim.adam(0.03)

    @eqx.filter_jit
    def step(model, state):
        def loss(model):
            return jnp.mean(losses.softmax_cross_entropy(model(X), Y))

        value, gradients = eqx.filter_value_and_grad(loss)(model)
        updates, state = optimizer.update(gradients, state, eqx.filter(model, eqx.is_array))
        return eqx.apply_updates(model, updates), state, value

    state, values = optimizer.init(eqx.filter(model, eqx.is_array)), []
    for _ in range(60):
        model, state, value = step(model, state)
        values.append(float(value))
    assert values[-1] < 0.4 * values[0]


def test_a_dense_layer_is_that_of_linen():
    layer, theirs = nn.dense(3), linen.Dense(3)
    params, state = layer.init(jax.random.key(0), (4,))
    ours, _ = layer.apply(params, state, X, training=False)
    np.testing.assert_allclose(ours, theirs.apply({"params": params}, X), rtol=1e-6)


def test_batch_norm_is_that_of_linen_with_decay_as_momentum():
    layer, theirs = nn.batch_norm(decay=0.7), linen.BatchNorm(momentum=0.7, epsilon=1e-5)
    params, state = layer.init(jax.random.key(0), (4,))
    ours, after = layer.apply(params, state, X, training=True)
    expected, changed = theirs.apply(
        {"params": params, "batch_stats": state},
        X,
        use_running_average=False,
        mutable=["batch_stats"],
    )
    np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(after["mean"], changed["batch_stats"]["mean"], atol=1e-6)
    np.testing.assert_allclose(after["var"], changed["batch_stats"]["var"], rtol=1e-5)
