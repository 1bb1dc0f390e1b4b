"""Convolutional, attention, recurrent and embedding networks, backpropagated by hand.

The gradients of `conv` and `attention` are plain NumPy, as in many a course.
"""

import jax
import jax.numpy as jnp
import numpy as np

from tests.gradcheck.suite._cases import normal
from tests.gradcheck.suite._dense_nets import (
    Net,
    affine,
    cross_entropy,
    cross_entropy_backward,
)


def conv(x, kernel):
    layout = ("NHWC", "HWIO", "NHWC")
    return jax.lax.conv_general_dilated(x, kernel, (1, 1), "VALID", dimension_numbers=layout)


def conv_loss(params, x, y):
    h1 = jnp.tanh(conv(x, params["conv1"]["kernel"]) + params["conv1"]["bias"])
    h2 = jnp.tanh(conv(h1, params["conv2"]["kernel"]) + params["conv2"]["bias"])
    out = jnp.mean(h2, axis=(1, 2)) @ params["head"]["kernel"]
    return jnp.mean((out - y) ** 2)


def correlate(x, kernel):
    """Valid cross-correlation, `(n, h, w, i)` with `(kh, kw, i, o)`."""
    kh, kw = kernel.shape[:2]
    h, w = x.shape[1] - kh + 1, x.shape[2] - kw + 1
    return sum(x[:, a : a + h, b : b + w] @ kernel[a, b] for a in range(kh) for b in range(kw))


def conv_gradient(params, x, y):
    params = jax.tree.map(np.asarray, params)
    k1, k2 = params["conv1"]["kernel"], params["conv2"]["kernel"]
    h1 = np.tanh(correlate(x, k1) + params["conv1"]["bias"])
    h2 = np.tanh(correlate(h1, k2) + params["conv2"]["bias"])
    pooled = h2.mean(axis=(1, 2))
    dout = 2 * (pooled @ params["head"]["kernel"] - y) / y.size
    area = h2.shape[1] * h2.shape[2]
    dpooled = dout @ params["head"]["kernel"].T
    dz2 = (dpooled / area)[:, None, None, :] * (1 - h2**2)
    dk1, dk2, dh1 = np.zeros_like(k1), np.zeros_like(k2), np.zeros_like(h1)
    rows, columns = dz2.shape[1:3]
    for a in range(k2.shape[0]):
        for b in range(k2.shape[1]):
            window = np.s_[:, a : a + rows, b : b + columns]
            dk2[a, b] = np.einsum("nhwi,nhwo->io", h1[window], dz2)
            dh1[window] += dz2 @ k2[a, b].T
    dz1 = dh1 * (1 - h1**2)
    for a in range(k1.shape[0]):
        for b in range(k1.shape[1]):
            patch = x[:, a : a + dz1.shape[1], b : b + dz1.shape[2]]
            dk1[a, b] = np.einsum("nhwi,nhwo->io", patch, dz1)
    return {
        "conv1": {"kernel": dk1, "bias": dz1.sum(axis=(0, 1, 2))},
        "conv2": {"kernel": dk2, "bias": dz2.sum(axis=(0, 1, 2))},
        "head": {"kernel": pooled.T @ dout},
    }


def conv_example(seed):
    params = {
        "conv1": {"kernel": normal(seed, 3, 2, 2, 3, scale=0.5), "bias": normal(seed + 1, 3)},
        "conv2": {"kernel": normal(seed + 2, 2, 2, 3, 4, scale=0.5), "bias": normal(seed + 3, 4)},
        "head": {"kernel": normal(seed + 4, 4, 2)},
    }
    return params, (normal(seed + 5, 3, 6, 5, 2), normal(seed + 6, 3, 2))


def attention_loss(params, x, y):
    q, k, v = (x @ params[name] for name in ("query", "key", "value"))
    scores = q @ jnp.swapaxes(k, 1, 2) / np.sqrt(q.shape[-1])
    causal = np.tril(np.ones(scores.shape[1:], bool))
    weights = jax.nn.softmax(jnp.where(causal, scores, -1e30), axis=-1)
    return jnp.mean((weights @ v @ params["out"] - y) ** 2)


def attention_gradient(params, x, y):
    wq, wk, wv, wo = (np.asarray(params[name]) for name in ("query", "key", "value", "out"))
    q, k, v = x @ wq, x @ wk, x @ wv
    root = np.sqrt(q.shape[-1])
    scores = q @ k.swapaxes(1, 2) / root
    scores = np.where(np.tril(np.ones(scores.shape[1:])), scores, -1e30)
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights = weights / weights.sum(axis=-1, keepdims=True)
    mixed = weights @ v
    dout = 2 * (mixed @ wo - y) / y.size
    dmixed = dout @ wo.T
    dv = weights.swapaxes(1, 2) @ dmixed
    dweights = dmixed @ v.swapaxes(1, 2)
    inner = (dweights * weights).sum(axis=-1, keepdims=True)
    dscores = weights * (dweights - inner) / root
    dq = dscores @ k
    dk = dscores.swapaxes(1, 2) @ q
    return {
        "query": np.einsum("nti,ntd->id", x, dq),
        "key": np.einsum("nti,ntd->id", x, dk),
        "value": np.einsum("nti,ntd->id", x, dv),
        "out": np.einsum("nti,ntd->id", mixed, dout),
    }


def attention_example(seed):
    shapes = {"query": (4, 3), "key": (4, 3), "value": (4, 5), "out": (5, 4)}
    params = {name: normal(seed + i, *shape) for i, (name, shape) in enumerate(shapes.items())}
    return params, (normal(seed + 5, 2, 6, 4), normal(seed + 6, 2, 6, 4))


def rnn_loss(params, xs, ys):
    h, total = jnp.tile(params["start"], (xs.shape[1], 1)), 0.0
    for x, y in zip(xs, ys, strict=True):
        h = jnp.tanh(x @ params["input"] + h @ params["recurrent"] + params["bias"])
        total = total + jnp.mean((h @ params["out"] - y) ** 2)
    return total / len(xs)


def rnn_gradient(params, xs, ys):
    hs = [jnp.tile(params["start"], (xs.shape[1], 1))]
    for x in xs:
        z = x @ params["input"] + hs[-1] @ params["recurrent"] + params["bias"]
        hs.append(jnp.tanh(z))
    total = jax.tree.map(jnp.zeros_like, params)
    dnext = jnp.zeros_like(hs[0])
    for t in reversed(range(len(xs))):
        dout = 2 * (hs[t + 1] @ params["out"] - ys[t]) / (ys[t].size * len(xs))
        dh = dout @ params["out"].T + dnext
        dz = dh * (1 - hs[t + 1] ** 2)
        dnext = dz @ params["recurrent"].T
        step = {
            "start": jnp.zeros_like(params["start"]),
            "input": xs[t].T @ dz,
            "recurrent": hs[t].T @ dz,
            "bias": jnp.sum(dz, axis=0),
            "out": hs[t + 1].T @ dout,
        }
        total = jax.tree.map(jnp.add, total, step)
    return {**total, "start": jnp.sum(dnext, axis=0)}


def rnn_example(seed):
    shapes = {"start": (4,), "input": (3, 4), "recurrent": (4, 4), "bias": (4,), "out": (4, 2)}
    params = {
        name: normal(seed + i, *shape, scale=0.7) for i, (name, shape) in enumerate(shapes.items())
    }
    return params, (normal(seed + 6, 5, 3, 3), normal(seed + 7, 5, 3, 2))


def lstm_gates(params, x, h):
    z = x @ params["input"] + h @ params["recurrent"] + params["bias"]
    i, f, o, g = jnp.split(z, 4, axis=-1)
    return jax.nn.sigmoid(i), jax.nn.sigmoid(f), jax.nn.sigmoid(o), jnp.tanh(g)


def lstm_loss(params, xs, y):
    h = c = jnp.zeros((xs.shape[1], params["recurrent"].shape[0]))
    for x in xs:
        i, f, o, g = lstm_gates(params, x, h)
        c = f * c + i * g
        h = o * jnp.tanh(c)
    return jnp.mean((h - y) ** 2)


def lstm_gradient(params, xs, y):
    hs = [jnp.zeros((xs.shape[1], params["recurrent"].shape[0]))]
    cs, gates = [hs[0]], []
    for x in xs:
        i, f, o, g = lstm_gates(params, x, hs[-1])
        gates.append((i, f, o, g))
        cs.append(f * cs[-1] + i * g)
        hs.append(o * jnp.tanh(cs[-1]))
    total = jax.tree.map(jnp.zeros_like, params)
    dh, dc = 2 * (hs[-1] - y) / y.size, jnp.zeros_like(cs[0])
    for t in reversed(range(len(xs))):
        i, f, o, g = gates[t]
        squashed = jnp.tanh(cs[t + 1])
        do = dh * squashed
        dc = dc + dh * o * (1 - squashed**2)
        di, df, dg = dc * g, dc * cs[t], dc * i
        slopes = [di * i * (1 - i), df * f * (1 - f), do * o * (1 - o), dg * (1 - g**2)]
        dz = jnp.concatenate(slopes, axis=-1)
        step = {
            "input": xs[t].T @ dz,
            "recurrent": hs[t].T @ dz,
            "bias": jnp.sum(dz, axis=0),
        }
        total = jax.tree.map(jnp.add, total, step)
        dh, dc = dz @ params["recurrent"].T, dc * f
    return total


def lstm_example(seed):
    params = {
        "input": normal(seed, 3, 12),
        "recurrent": normal(seed + 1, 3, 12),
        "bias": normal(seed + 2, 12),
    }
    return params, (normal(seed + 3, 4, 5, 3), normal(seed + 4, 5, 3))


def embedding_loss(params, tokens, labels):
    words = params["table"][tokens]
    return cross_entropy(affine(params["head"], jnp.mean(words, axis=1)), labels)


def embedding_gradient(params, tokens, labels):
    mean = jnp.mean(params["table"][tokens], axis=1)
    dlogits = cross_entropy_backward(affine(params["head"], mean), labels)
    dmean = dlogits @ params["head"]["kernel"].T
    dwords = jnp.repeat(dmean, tokens.shape[1], axis=0) / tokens.shape[1]
    table = jnp.zeros_like(params["table"]).at[tokens.ravel()].add(dwords)
    head = {"kernel": mean.T @ dlogits, "bias": jnp.sum(dlogits, axis=0)}
    return {"table": table, "head": head}


def embedding_example(seed):
    generator = np.random.default_rng(seed)
    head = {"kernel": normal(seed + 1, 4, 3), "bias": normal(seed + 2, 3)}
    tokens = generator.integers(0, 5, size=(6, 5))
    labels = generator.integers(0, 3, size=6)
    return {"table": normal(seed, 7, 4), "head": head}, (tokens, labels)


STRUCTURED_NETS = {
    "conv": Net(conv_loss, conv_gradient, conv_example),
    "attention": Net(attention_loss, attention_gradient, attention_example),
    "rnn": Net(rnn_loss, rnn_gradient, rnn_example),
    "lstm": Net(lstm_loss, lstm_gradient, lstm_example),
    "embedding": Net(embedding_loss, embedding_gradient, embedding_example),
}
