"""The same networks in Flax, Equinox and Keras, trained as their documentation shows."""

import itertools
import os

import jax
import jax.numpy as jnp
import numpy as np
import optax
from _by_hand import pool_by_reshape
from _problems import DECAY, LEARNING_RATE, Problem, Run, looped


def linen(problem: Problem) -> Run:
    """Flax linen: `apply` in a jitted, donated update."""
    import flax.linen as nn

    class Network(nn.Module):
        @nn.compact
        def __call__(self, x: jax.Array, training: bool) -> jax.Array:
            for place, width in enumerate(problem.widths[1:-1]):
                if problem.kind == "conv":
                    x = nn.max_pool(nn.relu(nn.Conv(width, (3, 3))(x)), (2, 2), (2, 2))
                    continue
                z = nn.Dense(width)(x)
                if problem.batch_norm:
                    z = nn.BatchNorm(use_running_average=not training, momentum=DECAY)(z)
                z = nn.relu(z)
                x = x + z if problem.kind == "residual" and place > 0 else z
            return nn.Dense(problem.widths[-1])(x.reshape(len(x), -1))

    network, optimizer = Network(), optax.adam(LEARNING_RATE)
    variables = network.init(jax.random.key(0), problem.data[0][:1], False)
    params, averages = variables["params"], variables.get("batch_stats", {})
    return _jitted(problem, network_loss(network), (params, averages), optimizer)


def network_loss(network):
    """Return `(params, averages, x, y, training) -> (loss, averages)` of a linen network."""

    def loss(params, averages, x, y, training):
        variables = {"params": params, "batch_stats": averages}
        mutable = ["batch_stats"] if training else []
        logits, new = network.apply(variables, x, training, mutable=mutable)
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, y)
        return losses.mean(), new.get("batch_stats", averages)

    return loss


def _jitted(problem: Problem, loss, start: tuple, optimizer) -> Run:
    """A jitted update with donated state, in a loop."""
    x, y, dev_x, dev_y = map(jnp.asarray, (*problem.data, *problem.dev))
    state = (*start, optimizer.init(start[0]))
    best = None

    def update(state, x, y, rows):
        params, averages, moments = state
        grads, averages = jax.grad(loss, has_aux=True)(params, averages, x[rows], y[rows], True)
        updates, moments = optimizer.update(grads, moments, params)
        return optax.apply_updates(params, updates), averages, moments

    program = jax.jit(update, donate_argnums=0)
    measure = jax.jit(lambda params, averages, x, y: loss(params, averages, x, y, False)[0])

    def step(rows: np.ndarray) -> None:
        nonlocal state
        state = program(state, x, y, rows)

    def keep() -> None:
        nonlocal best
        best = jax.tree.map(jnp.copy, state[:2])

    return looped(problem, step, lambda: float(measure(*state[:2], dev_x, dev_y)), keep)


def nnx(problem: Problem) -> Run:
    """Flax NNX: `nnx.jit` around model and optimizer objects."""
    from flax import nnx

    class Network(nnx.Module):
        def __init__(self, rngs: nnx.Rngs):
            widths = problem.widths
            pairs = list(itertools.pairwise(widths[:-1]))
            conv = problem.kind == "conv"
            make = (
                (lambda a, b: nnx.Conv(a, b, (3, 3), rngs=rngs))
                if conv
                else (lambda a, b: nnx.Linear(a, b, rngs=rngs))
            )
            self.hidden = nnx.List([make(a, b) for a, b in pairs])
            norms = [nnx.BatchNorm(b, momentum=DECAY, rngs=rngs) for _, b in pairs]
            self.norms = nnx.List(norms if problem.batch_norm else [])
            inputs = widths[-2] * (49 if conv else 1)
            self.last = nnx.Linear(inputs, widths[-1], rngs=rngs)

        def __call__(self, x: jax.Array) -> jax.Array:
            for place, layer in enumerate(self.hidden):
                z = layer(x)
                z = nnx.relu(self.norms[place](z) if self.norms else z)
                if problem.kind == "conv":
                    z = nnx.max_pool(z, (2, 2), (2, 2))
                x = x + z if problem.kind == "residual" and place > 0 else z
            return self.last(x.reshape(len(x), -1))

    model = Network(nnx.Rngs(0))
    optimizer = nnx.Optimizer(model, optax.adam(LEARNING_RATE), wrt=nnx.Param)
    x, y, dev_x, dev_y = map(jnp.asarray, (*problem.data, *problem.dev))
    best = None

    def loss(model, x, y):
        return optax.softmax_cross_entropy_with_integer_labels(model(x), y).mean()

    @nnx.jit
    def update(model, optimizer, x, y, rows):
        optimizer.update(model, nnx.grad(loss)(model, x[rows], y[rows]))

    measure = nnx.jit(loss)

    def step(rows: np.ndarray) -> None:
        model.train()
        update(model, optimizer, x, y, rows)

    def evaluate() -> float:
        model.eval()
        return float(measure(model, dev_x, dev_y))

    def keep() -> None:
        nonlocal best
        best = jax.tree.map(jnp.copy, nnx.state(model))

    return looped(problem, step, evaluate, keep)


def equinox(problem: Problem) -> Run:
    """Equinox: `filter_jit` around an update of model, state and optimizer state."""
    import equinox as eqx

    class Network(eqx.Module):
        hidden: list
        norms: list
        last: eqx.nn.Linear

        def __init__(self, key: jax.Array):
            pairs = list(itertools.pairwise(problem.widths[:-1]))
            keys = jax.random.split(key, len(pairs) + 1)
            conv = problem.kind == "conv"
            self.hidden = [
                eqx.nn.Conv2d(a, b, 3, padding=1, key=k) if conv else eqx.nn.Linear(a, b, key=k)
                for (a, b), k in zip(pairs, keys[1:], strict=True)
            ]
            norms = problem.batch_norm
            self.norms = [
                eqx.nn.BatchNorm(b, "batch", momentum=DECAY, mode="batch")
                for _, b in (pairs if norms else [])
            ]
            inputs = problem.widths[-2] * (49 if conv else 1)
            self.last = eqx.nn.Linear(inputs, problem.widths[-1], key=keys[0])

        def __call__(self, x: jax.Array, state):
            for place, layer in enumerate(self.hidden):
                z = layer(x)
                if self.norms:
                    z, state = self.norms[place](z, state)
                z = jax.nn.relu(z)
                if problem.kind == "conv":
                    z = jnp.moveaxis(pool_by_reshape(jnp.moveaxis(z, 0, -1)[None])[0], -1, 0)
                x = x + z if problem.kind == "residual" and place > 0 else z
            return self.last(x.reshape(-1)), state

    def loss(model, state, x, y):
        batched = jax.vmap(model, axis_name="batch", in_axes=(0, None), out_axes=(0, None))
        logits, state = batched(x, state)
        return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean(), state

    optimizer = optax.adam(LEARNING_RATE)
    model, state = eqx.nn.make_with_state(Network)(jax.random.key(0))
    moments = optimizer.init(eqx.filter(model, eqx.is_inexact_array))
    turn = (lambda x: np.moveaxis(x, -1, 1)) if problem.kind == "conv" else (lambda x: x)
    x, dev_x = (jnp.asarray(turn(part[0])) for part in (problem.data, problem.dev))
    y, dev_y = (jnp.asarray(part[1]) for part in (problem.data, problem.dev))
    best = None

    @eqx.filter_jit(donate="all-except-first")
    def update(data, rows, model, state, moments):
        x, y = (part[rows] for part in data)
        grads, state = eqx.filter_grad(loss, has_aux=True)(model, state, x, y)
        updates, moments = optimizer.update(grads, moments, model)
        return eqx.apply_updates(model, updates), state, moments

    measure = eqx.filter_jit(lambda m, s, x, y: loss(eqx.nn.inference_mode(m), s, x, y)[0])

    def step(rows: np.ndarray) -> None:
        nonlocal model, state, moments
        model, state, moments = update((x, y), jnp.asarray(rows), model, state, moments)

    def keep() -> None:
        nonlocal best
        arrays = eqx.filter((model, state), eqx.is_array)
        best = jax.tree.map(jnp.copy, arrays)

    return looped(problem, step, lambda: float(measure(model, state, dev_x, dev_y)), keep)


def keras(problem: Problem) -> Run:
    """Keras on JAX: `compile` and `fit`, the best weights kept by its callback."""
    os.environ.setdefault("KERAS_BACKEND", "jax")
    import keras

    layers = keras.layers
    inputs = z = keras.Input(problem.data[0].shape[1:])
    for place, width in enumerate(problem.widths[1:-1]):
        around = z
        if problem.kind == "conv":
            z = layers.Conv2D(width, 3, padding="same", activation="relu")(z)
            z = layers.MaxPooling2D()(z)
            continue
        z = layers.Dense(width)(z)
        z = layers.BatchNormalization(momentum=DECAY)(z) if problem.batch_norm else z
        z = layers.ReLU()(z)
        z = layers.Add()([around, z]) if problem.kind == "residual" and place > 0 else z
    z = layers.Dense(problem.widths[-1])(layers.Flatten()(z))
    model = keras.Model(inputs, z)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(LEARNING_RATE), loss)

    def run(epochs: int) -> float:
        best = keras.callbacks.EarlyStopping(patience=10**9, restore_best_weights=True)
        history = model.fit(
            *problem.data,
            batch_size=problem.batch_size,
            epochs=epochs,
            validation_data=problem.dev,
            validation_batch_size=len(problem.dev[0]),
            callbacks=[best],
            verbose=0,
        )
        return min(history.history["val_loss"])

    return run
