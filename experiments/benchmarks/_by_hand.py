"""The same networks in plain JAX, and the loops people write around them.

Nothing of the library is used here.
"""

import functools
import itertools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from _problems import DECAY, LEARNING_RATE, Problem, Run, looped


def initial(problem: Problem) -> tuple[list, list]:
    """Return parameters and running averages, one entry per layer."""
    random = np.random.default_rng(1)
    params, averages = [], []
    widths = [*problem.widths[:-1]]
    for layer, (a, b) in enumerate(itertools.pairwise(problem.widths)):
        last = layer == len(widths) - 1
        shape = (a, b)
        if problem.kind == "conv":
            shape = (a * 49, b) if last else (3, 3, a, b)
        scale = np.sqrt(2 / np.prod(shape[:-1])) * (0.2 if problem.kind == "residual" else 1)
        kernel = (scale * random.standard_normal(shape)).astype(np.float32)
        entry = {"kernel": jnp.asarray(kernel), "bias": jnp.zeros(b)}
        normalized = problem.batch_norm and not last
        params.append(entry | ({"scale": jnp.ones(b)} if normalized else {}))
        averages.append({"mean": jnp.zeros(b), "var": jnp.ones(b)} if normalized else {})
    return params, averages


def forward(problem: Problem, pool: Callable, params, averages, x, training: bool):
    """Return logits and new running averages."""
    new = []
    for place, (p, s) in enumerate(zip(params, averages, strict=True)):
        last = place == len(params) - 1
        if problem.kind == "conv" and not last:
            form = ("NHWC", "HWIO", "NHWC")
            z = jax.lax.conv_general_dilated(x, p["kernel"], (1, 1), "SAME", dimension_numbers=form)
            x = pool(jax.nn.relu(z + p["bias"]))
            new.append(s)
            continue
        z = x.reshape(len(x), -1) @ p["kernel"]
        if s:
            z, s = batch_norm(p, s, z, training)
        z = z + p["bias"]
        new.append(s)
        if last:
            return z, new
        around = x if problem.kind == "residual" and place > 0 else 0.0
        x = around + jax.nn.relu(z)
    raise AssertionError("a network ends with a linear layer")


def batch_norm(p: dict, s: dict, z: jax.Array, training: bool) -> tuple[jax.Array, dict]:
    if training:
        mean, var = z.mean(0), z.var(0)
        s = {
            "mean": DECAY * s["mean"] + (1 - DECAY) * mean,
            "var": DECAY * s["var"] + (1 - DECAY) * var,
        }
    else:
        mean, var = s["mean"], s["var"]
    return (z - mean) * jax.lax.rsqrt(var + 1e-5) * p["scale"], s


def pool_by_window(x: jax.Array) -> jax.Array:
    return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")


def pool_by_reshape(x: jax.Array) -> jax.Array:
    rows, height, width, channels = x.shape
    return x.reshape(rows, height // 2, 2, width // 2, 2, channels).max((2, 4))


def functions(problem: Problem, pool: Callable) -> tuple[Callable, Callable]:
    """Return the pure update on a batch and the loss on the dev set."""
    optimizer = optax.adam(LEARNING_RATE)

    def loss(params, averages, x, y, training):
        logits, averages = forward(problem, pool, params, averages, x, training)
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, y)
        return losses.mean(), averages

    def update(state: tuple, x: jax.Array, y: jax.Array) -> tuple:
        params, averages, moments = state
        grads, averages = jax.grad(loss, has_aux=True)(params, averages, x, y, True)
        updates, moments = optimizer.update(grads, moments, params)
        return optax.apply_updates(params, updates), averages, moments

    def evaluate(state: tuple, x: jax.Array, y: jax.Array) -> jax.Array:
        return loss(state[0], state[1], x, y, False)[0]

    return update, evaluate


def start(problem: Problem) -> tuple:
    params, averages = initial(problem)
    return params, averages, optax.adam(LEARNING_RATE).init(params)


def loop(problem: Problem, pool: Callable = pool_by_reshape) -> Run:
    """A jitted update with donated state, called batch by batch; rows are gathered inside."""
    update, evaluate = functions(problem, pool)
    x, y = map(jnp.asarray, problem.data)
    dev = tuple(map(jnp.asarray, problem.dev))
    step = jax.jit(lambda state, x, y, rows: update(state, x[rows], y[rows]), donate_argnums=0)
    loss = jax.jit(evaluate)
    state, best = start(problem), None

    def update_rows(rows: np.ndarray) -> None:
        nonlocal state
        state = step(state, x, y, rows)

    def keep() -> None:
        nonlocal best
        best = jax.tree.map(jnp.copy, state[:2])

    return looped(problem, update_rows, lambda: float(loss(state, *dev)), keep)


def scan(problem: Problem, pool: Callable = pool_by_reshape) -> Run:
    """One compiled program per epoch: shuffling, updates, evaluation, the best parameters."""
    update, evaluate = functions(problem, pool)
    data, dev = (tuple(map(jnp.asarray, part)) for part in (problem.data, problem.dev))

    @functools.partial(jax.jit, donate_argnums=0)
    def epoch(carry: tuple, data: tuple, dev: tuple) -> tuple:
        state, lowest, best, key = carry
        key, now = jax.random.split(key)
        order = jax.random.permutation(now, len(data[0]))
        order = order[: problem.steps * problem.batch_size]
        order = order.reshape(problem.steps, problem.batch_size)

        def one(state: tuple, rows: jax.Array) -> tuple[tuple, None]:
            return update(state, data[0][rows], data[1][rows]), None

        state = jax.lax.scan(one, state, order)[0]
        value = evaluate(state, *dev)
        best = jax.tree.map(lambda new, old: jnp.where(value < lowest, new, old), state[:2], best)
        return (state, jnp.minimum(value, lowest), best, key), value

    state = start(problem)
    carry: Any = (state, jnp.float32(np.inf), jax.tree.map(jnp.copy, state[:2]), jax.random.key(3))

    def run(epochs: int) -> float:
        nonlocal carry
        for _ in range(epochs):
            carry, value = epoch(carry, data, dev)
            float(value)
        return float(jax.block_until_ready(carry)[1])

    return run
