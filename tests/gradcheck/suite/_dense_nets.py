"""Small dense networks with correct hand-written backpropagation, written out step by step."""

import itertools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from tests.gradcheck.suite._cases import normal


class Net(NamedTuple):
    """A loss, its gradient by hand, and parameters and data to check them on."""

    loss: Callable
    gradient: Callable
    example: Callable[[int], tuple]


def dense_params(seed: int, *sizes: int, scale: float = 0.6) -> dict:
    return {
        f"layer{i}": {
            "kernel": normal(seed + i, inputs, outputs, scale=scale),
            "bias": normal(seed + 50 + i, outputs, scale=scale),
        }
        for i, (inputs, outputs) in enumerate(itertools.pairwise(sizes), start=1)
    }


def affine(layer: dict, x):
    return x @ layer["kernel"] + layer["bias"]


def ridge_loss(params, x, y, decay=0.7):
    error = affine(params, x) - y
    return jnp.mean(error**2) / 2 + decay / 2 * jnp.sum(params["kernel"] ** 2)


def ridge_gradient(params, x, y, decay=0.7):
    error = affine(params, x) - y
    kernel = x.T @ error / len(x)
    penalty = decay * params["kernel"]
    return {"kernel": kernel + penalty, "bias": jnp.mean(error)}


def ridge_example(seed):
    params = {"kernel": normal(seed, 5), "bias": normal(seed + 1)}
    return params, (normal(seed + 2, 7, 5), normal(seed + 3, 7))


def logistic_loss(params, x, y):
    z = affine(params, x)
    return jnp.mean(jnp.logaddexp(0.0, z) - y * z)


def logistic_gradient(params, x, y):
    p = 1 / (1 + jnp.exp(-affine(params, x)))
    dz = (p - y) / len(x)
    return {"kernel": x.T @ dz, "bias": jnp.sum(dz)}


def logistic_example(seed):
    params = {"kernel": normal(seed, 4), "bias": normal(seed + 1)}
    return params, (normal(seed + 2, 9, 4), (normal(seed + 3, 9) > 0) * 1.0)


def cross_entropy(logits, labels):
    picked = jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], axis=1)
    return -jnp.mean(picked)


def cross_entropy_backward(logits, labels):
    p = jnp.exp(logits - jnp.max(logits, axis=1, keepdims=True))
    p = p / jnp.sum(p, axis=1, keepdims=True)
    return (p - jax.nn.one_hot(labels, p.shape[1], dtype=p.dtype)) / len(labels)


def mlp_loss(params, x, labels, decay=0.01):
    h1 = jnp.tanh(affine(params["layer1"], x))
    h2 = jnp.tanh(affine(params["layer2"], h1))
    weights = [jnp.sum(layer["kernel"] ** 2) for layer in params.values()]
    return cross_entropy(affine(params["layer3"], h2), labels) + decay / 2 * sum(weights)


def mlp_gradient(params, x, labels, decay=0.01):
    w1, w2, w3 = (params[f"layer{i}"]["kernel"] for i in (1, 2, 3))
    h1 = jnp.tanh(affine(params["layer1"], x))
    h2 = jnp.tanh(affine(params["layer2"], h1))
    dz3 = cross_entropy_backward(affine(params["layer3"], h2), labels)
    dw3, db3 = h2.T @ dz3 + decay * w3, jnp.sum(dz3, axis=0)
    dz2 = (dz3 @ w3.T) * (1 - h2**2)
    dw2, db2 = h1.T @ dz2 + decay * w2, jnp.sum(dz2, axis=0)
    dz1 = (dz2 @ w2.T) * (1 - h1**2)
    dw1, db1 = x.T @ dz1 + decay * w1, jnp.sum(dz1, axis=0)
    return {
        "layer1": {"kernel": dw1, "bias": db1},
        "layer2": {"kernel": dw2, "bias": db2},
        "layer3": {"kernel": dw3, "bias": db3},
    }


def mlp_example(seed):
    labels = np.random.default_rng(seed).integers(0, 3, size=6)
    return dense_params(seed, 4, 5, 5, 3), (normal(seed + 9, 6, 4), labels)


def relu_loss(params, x, y):
    h1 = jax.nn.relu(affine(params["layer1"], x))
    h2 = jax.nn.leaky_relu(affine(params["layer2"], h1), 0.1)
    return jnp.mean((affine(params["layer3"], h2) - y) ** 2)


def relu_gradient(params, x, y):
    z1 = affine(params["layer1"], x)
    h1 = np.maximum(z1, 0)
    z2 = affine(params["layer2"], h1)
    h2 = np.where(z2 > 0, z2, 0.1 * z2)
    dz3 = 2 * (affine(params["layer3"], h2) - y) / y.size
    dz2 = (dz3 @ params["layer3"]["kernel"].T) * np.where(z2 > 0, 1.0, 0.1)
    dz1 = (dz2 @ params["layer2"]["kernel"].T) * (z1 > 0)
    return {
        "layer1": {"kernel": x.T @ dz1, "bias": dz1.sum(axis=0)},
        "layer2": {"kernel": h1.T @ dz2, "bias": dz2.sum(axis=0)},
        "layer3": {"kernel": h2.T @ dz3, "bias": dz3.sum(axis=0)},
    }


def relu_example(seed):
    return dense_params(seed, 3, 6, 5, 2), (normal(seed + 9, 8, 3), normal(seed + 10, 8, 2))


def batch_norm_loss(params, x, y, epsilon=1e-3):
    z = x @ params["hidden"]["kernel"]
    mean, var = jnp.mean(z, axis=0), jnp.var(z, axis=0)
    normed = (z - mean) / jnp.sqrt(var + epsilon)
    h = jnp.tanh(params["norm"]["scale"] * normed + params["norm"]["bias"])
    return jnp.mean((affine(params["head"], h) - y) ** 2)


def batch_norm_gradient(params, x, y, epsilon=1e-3):
    n = len(x)
    z = x @ params["hidden"]["kernel"]
    centered = z - jnp.mean(z, axis=0)
    spread = jnp.sqrt(jnp.mean(centered**2, axis=0) + epsilon)
    normed = centered / spread
    h = jnp.tanh(params["norm"]["scale"] * normed + params["norm"]["bias"])
    dout = 2 * (affine(params["head"], h) - y) / y.size
    head = {"kernel": h.T @ dout, "bias": jnp.sum(dout, axis=0)}
    da = (dout @ params["head"]["kernel"].T) * (1 - h**2)
    norm = {"scale": jnp.sum(da * normed, axis=0), "bias": jnp.sum(da, axis=0)}
    dnormed = da * params["norm"]["scale"]
    dspread = -jnp.sum(dnormed * centered, axis=0) / spread**2
    dcentered = dnormed / spread + dspread * centered / (n * spread)
    dz = dcentered - jnp.mean(dcentered, axis=0)
    return {"hidden": {"kernel": x.T @ dz}, "norm": norm, "head": head}


def batch_norm_example(seed):
    params = {
        "hidden": {"kernel": normal(seed, 4, 5)},
        "norm": {"scale": 1 + normal(seed + 1, 5, scale=0.3), "bias": normal(seed + 2, 5)},
        "head": {"kernel": normal(seed + 3, 5, 2), "bias": normal(seed + 4, 2)},
    }
    return params, (1.5 + 2 * normal(seed + 5, 7, 4), normal(seed + 6, 7, 2))


def layer_norm_loss(params, x, y, epsilon=1e-4):
    z = jnp.tanh(x @ params["hidden"]["kernel"])
    centered = z - jnp.mean(z, axis=-1, keepdims=True)
    normed = centered / jnp.sqrt(jnp.mean(centered**2, axis=-1, keepdims=True) + epsilon)
    out = params["norm"]["scale"] * normed + params["norm"]["bias"]
    return jnp.mean((out - y) ** 2)


def layer_norm_gradient(params, x, y, epsilon=1e-4):
    z = jnp.tanh(x @ params["hidden"]["kernel"])
    centered = z - jnp.mean(z, axis=-1, keepdims=True)
    spread = jnp.sqrt(jnp.mean(centered**2, axis=-1, keepdims=True) + epsilon)
    normed = centered / spread
    out = params["norm"]["scale"] * normed + params["norm"]["bias"]
    dout = 2 * (out - y) / y.size
    norm = {"scale": jnp.sum(dout * normed, axis=0), "bias": jnp.sum(dout, axis=0)}
    dnormed = dout * params["norm"]["scale"]
    along_mean = jnp.mean(dnormed, axis=-1, keepdims=True)
    along_spread = normed * jnp.mean(dnormed * normed, axis=-1, keepdims=True)
    dz = (dnormed - along_mean - along_spread) / spread
    return {"hidden": {"kernel": x.T @ (dz * (1 - z**2))}, "norm": norm}


def layer_norm_example(seed):
    params = {
        "hidden": {"kernel": normal(seed, 3, 5)},
        "norm": {"scale": 1 + normal(seed + 1, 5, scale=0.3), "bias": normal(seed + 2, 5)},
    }
    return params, (normal(seed + 3, 6, 3), normal(seed + 4, 6, 5))


DENSE_NETS = {
    "ridge": Net(ridge_loss, ridge_gradient, ridge_example),
    "logistic": Net(logistic_loss, logistic_gradient, logistic_example),
    "mlp": Net(mlp_loss, mlp_gradient, mlp_example),
    "relu": Net(relu_loss, relu_gradient, relu_example),
    "batch_norm": Net(batch_norm_loss, batch_norm_gradient, batch_norm_example),
    "layer_norm": Net(layer_norm_loss, layer_norm_gradient, layer_norm_example),
}
