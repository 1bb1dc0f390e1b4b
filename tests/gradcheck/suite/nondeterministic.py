"""Functions that return another value at each call."""

import itertools
import random

import jax
import jax.numpy as jnp
import numpy as np

from tests.gradcheck.suite._cases import bug, correct, drawing, normal

X, Y = normal(1, 8, 3), normal(2, 8)


def params(seed):
    return {"kernel": normal(seed, 3), "bias": normal(seed + 1)}


def squared_error(p, x, y):
    return jnp.mean((x @ p["kernel"] + p["bias"] - y) ** 2)


def case(function, seed, *args):
    return {"function": function, "params": params(seed), "args": args or (X, Y)}


@bug(None, drawing)
def noise_from_numpy():
    def loss(p, x, y):
        noise = np.random.normal(size=x.shape)  # noqa: NPY002
        return squared_error(p, x + 0.1 * noise, y)

    return case(loss, 3)


@bug(None, drawing)
def dropout_without_a_fixed_key():
    def loss(p, x, y):
        key = jax.random.key(np.random.randint(2**31 - 1))  # noqa: NPY002
        kept = jax.random.bernoulli(key, 0.5, x.shape)
        return squared_error(p, jnp.where(kept, 2 * x, 0.0), y)

    return case(loss, 4)


@bug(None, drawing)
def key_split_in_a_closure():
    keys = {"next": jax.random.key(0)}

    def loss(p, x, y):
        keys["next"], now = jax.random.split(keys["next"])
        return squared_error(p, x + 0.1 * jax.random.normal(now, x.shape, x.dtype), y)

    return case(loss, 5)


@bug(None, drawing)
def batches_from_an_iterator():
    rows = itertools.cycle(range(8))

    def loss(p, x, y):
        row = next(rows)
        return squared_error(p, x[row : row + 1], y[row : row + 1])

    return case(loss, 6)


@bug(None, drawing)
def call_counter_as_a_schedule():
    calls = []

    def loss(p, x, y):
        calls.append(1)
        return squared_error(p, x, y) * (1 + 0.1 * len(calls))

    return case(loss, 7)


@bug(None, drawing)
def python_random_augmentation():
    def loss(p, x, y):
        return squared_error(p, x * random.uniform(0.9, 1.1), y)

    return case(loss, 8)


@bug(None, drawing)
def running_mean_kept_between_calls():
    class Memory:
        mean = np.zeros(3)

    def loss(p, x, y):
        Memory.mean = 0.9 * Memory.mean + 0.1 * x.mean(axis=0)
        return squared_error(p, x - Memory.mean, y)

    return case(loss, 9)


@bug(None, drawing)
def generator_shared_by_all_calls():
    generator = np.random.default_rng(0)

    def loss(p, x, y):
        chosen = generator.permutation(8)[:4]
        return squared_error(p, x[chosen], y[chosen])

    return case(loss, 10)


@correct()
def fixed_key_in_the_arguments():
    def loss(p, x, y, key):
        kept = jax.random.uniform(key, x.shape, jnp.float32) < 0.5
        return squared_error(p, jnp.where(kept, 2 * x, 0.0), y)

    return case(loss, 11, X, Y, jax.random.key(3))


@correct()
def key_by_keyword():
    def loss(p, x, y, *, key, training):
        noise = jax.random.normal(key, x.shape, jnp.float32) if training else jnp.zeros(x.shape)
        return squared_error(p, x + 0.1 * noise.astype(x.dtype), y)

    return {**case(loss, 12), "kwargs": {"key": jax.random.key(4), "training": True}}


@correct()
def memory_that_only_counts():
    """Python state that does not reach the value."""
    calls = []

    def loss(p, x, y):
        calls.append(1)
        return squared_error(p, x, y)

    return case(loss, 13)


@correct()
def generator_made_anew_in_each_call():
    def loss(p, x, y):
        return squared_error(p, x + np.random.default_rng(5).normal(size=x.shape), y)

    return case(loss, 14)


@correct()
def cached_constant():
    cache = {}

    def loss(p, x, y):
        if "weights" not in cache:
            cache["weights"] = np.linspace(1, 2, len(y))
        return jnp.mean(cache["weights"] * (x @ p["kernel"] + p["bias"] - y) ** 2)

    return case(loss, 15)
