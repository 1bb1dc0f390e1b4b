"""Four networks in four frameworks, unmodified, and each once more by hand with places to push.

All sizes of a network differ, so the axes of a site are recognized by their sizes.
"""

# pyright: reportAttributeAccessIssue=false, reportIndexIssue=false, reportOptionalMemberAccess=false

import functools
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import flax.linen as linen
import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

KEY = jax.random.key(3)
RNG = np.random.default_rng(1)
INPUTS = {
    "mlp": RNG.normal(size=(5, 3)).astype(np.float32),
    "cnn": RNG.normal(size=(5, 6, 7, 2)).astype(np.float32),
    "rnn": RNG.normal(size=(5, 6, 3)).astype(np.float32),
    "attention": RNG.normal(size=(5, 6, 8)).astype(np.float32),
}
TARGETS = {
    name: RNG.normal(size=shape).astype(np.float32)
    for name, shape in {"mlp": (5, 2), "cnn": (5, 3), "rnn": (5, 2), "attention": (5, 6, 8)}.items()
}
KEPT = 3
"""Positions that attention looks at, fewer than there are."""


class Case(NamedTuple):
    """A network of a framework: its parameters, how to run it, its weights by plain names."""

    params: Any
    apply: Callable[[Any, Any], Any]
    weights: Callable[[Any], dict]


def loss_of(apply):
    """A loss without a site of its own."""
    return lambda params, batch: jnp.mean(apply(params, batch["x"]) * batch["y"])


# By hand: `site(name, value)` records a value and may push it.


def mlp(w, x, site):
    a = site("a1", jax.nn.relu(site("z1", x @ w["k1"]) + w["b1"][None]))
    return site("z2", a @ w["k2"]) + w["b2"][None]


def cnn(w, x, site):
    padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    windows = [padded[:, i : i + 6, j : j + 7] @ w["k1"][i, j] for i in range(3) for j in range(3)]
    a = site("a1", jax.nn.relu(site("z1", sum(windows)) + w["b1"][None, None, None]))
    return site("z2", jnp.mean(a, axis=(1, 2)) @ w["k2"]) + w["b2"][None]


def rnn(w, x, site):
    h = jnp.zeros((5, 4))
    for t in range(6):
        given, kept = site("i", x[:, t] @ w["ki"], t), site("h", h @ w["kh"], t)
        h = site("a", jnp.tanh(given + kept + w["b"][None]), t)
    return site("z2", h @ w["k2"]) + w["b2"][None]


def attention(w, x, site):
    heads = lambda z: z.reshape(*z.shape[:2], 2, 4)  # noqa: E731
    q = heads(site("q", x @ w["kq"]))
    k = heads(site("k", x[:, :KEPT] @ w["kk"]))
    v = heads(site("v", x[:, :KEPT] @ w["kv"]))
    late = w.get("late", 1.0)
    scores = site("scores", jnp.einsum("nthd,nshd->nhts", q * (0.5 / late), k)) * late
    e = site("exp", jnp.exp(scores - jax.lax.stop_gradient(jnp.max(scores, -1, keepdims=True))))
    mixed = site("mixed", jnp.einsum("nhts,nshd->nthd", e / jnp.sum(e, -1, keepdims=True), v))
    return site("out", mixed.reshape(5, 6, 8) @ w["ko"])


BY_HAND = {"mlp": mlp, "cnn": cnn, "rnn": rnn, "attention": attention}


def by_hand(architecture, weights, x, pushes):
    """Run it by hand: outputs and recorded values, those of a loop stacked."""
    found: dict[str, Any] = OrderedDict()

    def site(name, value, step=None):
        if name in pushes:
            value = value + (pushes[name] if step is None else pushes[name][step])
        if step is None:
            found[name] = value
        else:
            found.setdefault(name, []).append(value)
        return value

    outputs = BY_HAND[architecture](weights, x, site)
    stacked = ((k, jnp.stack(v) if isinstance(v, list) else v) for k, v in found.items())
    return outputs, OrderedDict(stacked)


def filled(tree):
    """Put numbers into a tree of shapes, without running anybody's initializer."""
    draw = lambda spec: (RNG.normal(size=spec.shape) / 2).astype(np.float32)  # noqa: E731
    return jax.tree.map(draw, tree)


SIZES = {
    "mlp": {"k1": (3, 4), "b1": (4,), "k2": (4, 2), "b2": (2,)},
    "cnn": {"k1": (3, 3, 2, 4), "b1": (4,), "k2": (4, 3), "b2": (3,)},
    "rnn": {"ki": (3, 4), "kh": (4, 4), "b": (4,), "k2": (4, 2), "b2": (2,)},
    "attention": dict.fromkeys(("kq", "kk", "kv", "ko"), (8, 8)),
}


def conv(x, kernel):
    return jax.lax.conv_general_dilated(
        x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


@jax.jit
def written_layer(w, x):
    return jax.nn.relu(x @ w["k1"] + w["b1"][None])


def written_mlp(w, x):
    return jax.checkpoint(written_layer)(w, x) @ w["k2"] + w["b2"][None]


def written_cnn(w, x):
    with jax.named_scope("first"):
        a = jax.nn.relu(conv(x, w["k1"]) + w["b1"][None, None, None])
    with jax.named_scope("head"):
        return jnp.mean(a, axis=(1, 2)) @ w["k2"] + w["b2"][None]


def written_rnn(w, x):
    def step(h, row):
        return jnp.tanh(row @ w["ki"] + h @ w["kh"] + w["b"][None]), None

    with jax.named_scope("loop"):
        last, _ = jax.lax.scan(step, jnp.zeros((x.shape[0], 4)), jnp.swapaxes(x, 0, 1))
    return last @ w["k2"] + w["b2"][None]


def written_attention(w, x):
    def one(row):
        q, k, v = (
            z.reshape(-1, 2, 4) for z in (row @ w["kq"], row[:KEPT] @ w["kk"], row[:KEPT] @ w["kv"])
        )
        shares = jax.nn.softmax(jnp.einsum("thd,shd->hts", q / 2, k))
        return jnp.einsum("hts,shd->thd", shares, v).reshape(-1, 8) @ w["ko"]

    return jax.vmap(one)(x)


WRITTEN = {
    "mlp": written_mlp,
    "cnn": written_cnn,
    "rnn": written_rnn,
    "attention": written_attention,
}


def written(architecture):
    shapes = {
        name: jax.ShapeDtypeStruct(shape, float) for name, shape in SIZES[architecture].items()
    }
    return Case(filled(shapes), WRITTEN[architecture], lambda w: w)


# Flax linen


class LinenMlp(linen.Module):
    @linen.compact
    def __call__(self, x):
        return linen.Dense(2, name="head")(linen.relu(linen.Dense(4, name="first")(x)))


class LinenCnn(linen.Module):
    @linen.compact
    def __call__(self, x):
        a = linen.relu(linen.Conv(4, (3, 3), name="first")(x))
        return linen.Dense(3, name="head")(jnp.mean(a, axis=(1, 2)))


class LinenRnn(linen.Module):
    @linen.compact
    def __call__(self, x):
        outputs = linen.RNN(linen.SimpleCell(4), name="loop")(x)
        return linen.Dense(2, name="head")(outputs[:, -1])


class LinenAttention(linen.Module):
    @linen.compact
    def __call__(self, x):
        layer = linen.MultiHeadDotProductAttention(2, qkv_features=8, use_bias=False, name="look")
        return layer(x, x[:, :KEPT])


LINEN = {"mlp": LinenMlp, "cnn": LinenCnn, "rnn": LinenRnn, "attention": LinenAttention}


def flax_weights(architecture, p):
    """Plain names of the parameters of both kinds of Flax modules."""
    if architecture == "attention":
        names = {"kq": "query", "kk": "key", "kv": "value", "ko": "out"}
        return {mine: p["look"][its]["kernel"].reshape(8, 8) for mine, its in names.items()}
    head = {"k2": p["head"]["kernel"], "b2": p["head"]["bias"]}
    if architecture == "rnn":
        cell = p["SimpleCell_0"] if "SimpleCell_0" in p else p["loop"]["cell"]
        kept, given = (cell[name] for name in sorted(cell))  # h and i, or dense_h and dense_i
        return {"ki": given["kernel"], "b": given["bias"], "kh": kept["kernel"], **head}
    return {"k1": p["first"]["kernel"], "b1": p["first"]["bias"], **head}


def of_linen(architecture):
    network = LINEN[architecture]()
    params = filled(jax.eval_shape(network.init, KEY, INPUTS[architecture])["params"])

    def apply(p, x):
        return network.apply({"params": p}, x)

    return Case(params, apply, functools.partial(flax_weights, architecture))


# Flax nnx


class NnxMlp(nnx.Module):
    def __init__(self, rngs):
        self.first = nnx.Linear(3, 4, rngs=rngs)
        self.head = nnx.Linear(4, 2, rngs=rngs)

    def __call__(self, x):
        return self.head(nnx.relu(self.first(x)))


class NnxCnn(nnx.Module):
    def __init__(self, rngs):
        self.first = nnx.Conv(2, 4, (3, 3), rngs=rngs)
        self.head = nnx.Linear(4, 3, rngs=rngs)

    def __call__(self, x):
        return self.head(jnp.mean(nnx.relu(self.first(x)), axis=(1, 2)))


class NnxRnn(nnx.Module):
    def __init__(self, rngs):
        self.loop = nnx.RNN(nnx.SimpleCell(3, 4, rngs=rngs))
        self.head = nnx.Linear(4, 2, rngs=rngs)

    def __call__(self, x):
        return self.head(self.loop(x, initial_carry=jnp.zeros((x.shape[0], 4)))[:, -1])


class NnxAttention(nnx.Module):
    def __init__(self, rngs):
        self.look = nnx.MultiHeadAttention(
            2, in_features=8, qkv_features=8, use_bias=False, decode=False, rngs=rngs
        )

    def __call__(self, x):
        return self.look(x, x[:, :KEPT])


NNX = {"mlp": NnxMlp, "cnn": NnxCnn, "rnn": NnxRnn, "attention": NnxAttention}


def of_nnx(architecture):
    network = nnx.eval_shape(lambda: NNX[architecture](nnx.Rngs(0)))
    graph, shapes, rest = nnx.split(network, nnx.Param, ...)

    def apply(p, x):
        return nnx.merge(graph, p, rest)(x)

    def weights(p):
        # Its attention scales the products, the others scale the queries.
        return {**flax_weights(architecture, nnx.to_pure_dict(p)), "late": 0.5}

    return Case(filled(shapes), apply, weights)


# Equinox: modules for one example, channels first


class EqxCnn(eqx.Module):
    first: eqx.nn.Conv2d
    head: eqx.nn.Linear

    def __call__(self, x):
        return self.head(jnp.mean(jax.nn.relu(self.first(jnp.moveaxis(x, -1, 0))), axis=(1, 2)))


class EqxRnn(eqx.Module):
    given: eqx.nn.Linear
    kept: eqx.nn.Linear
    head: eqx.nn.Linear

    def __call__(self, x):
        def step(h, row):
            h = jnp.tanh(self.given(row) + self.kept(h))
            return h, h

        return self.head(jax.lax.scan(step, jnp.zeros(4), x)[0])


class EqxAttention(eqx.Module):
    look: eqx.nn.MultiheadAttention

    def __call__(self, x):
        return self.look(x, x[:KEPT], x[:KEPT])


EQUINOX = {
    "mlp": lambda k: eqx.nn.MLP(3, 2, width_size=4, depth=1, key=k[0]),
    "cnn": lambda k: EqxCnn(
        eqx.nn.Conv2d(2, 4, 3, padding="SAME", key=k[0]), eqx.nn.Linear(4, 3, key=k[1])
    ),
    "rnn": lambda k: EqxRnn(
        eqx.nn.Linear(3, 4, key=k[0]),
        eqx.nn.Linear(4, 4, use_bias=False, key=k[1]),
        eqx.nn.Linear(4, 2, key=k[2]),
    ),
    "attention": lambda k: EqxAttention(eqx.nn.MultiheadAttention(2, 8, key=k[0])),
}


def equinox_weights(architecture, p):
    if architecture == "attention":
        names = {"kq": "query", "kk": "key", "kv": "value", "ko": "output"}
        return {mine: getattr(p.look, f"{its}_proj").weight.T for mine, its in names.items()}
    if architecture == "mlp":
        first, head = p.layers
    else:
        first, head = getattr(p, "first", None), p.head
    last = {"k2": head.weight.T, "b2": head.bias}
    if architecture == "rnn":
        return {"ki": p.given.weight.T, "b": p.given.bias, "kh": p.kept.weight.T, **last}
    kernel = first.weight.transpose(2, 3, 1, 0) if architecture == "cnn" else first.weight.T
    return {"k1": kernel, "b1": first.bias.ravel(), **last}


def of_equinox(architecture):
    network = eqx.filter_eval_shape(lambda: EQUINOX[architecture](jax.random.split(KEY, 3)))
    shapes, static = eqx.partition(network, lambda leaf: isinstance(leaf, jax.ShapeDtypeStruct))

    def apply(p, x):
        return jax.vmap(eqx.combine(p, static))(x)

    return Case(filled(shapes), apply, functools.partial(equinox_weights, architecture))


FRAMEWORKS = {"written": written, "linen": of_linen, "nnx": of_nnx, "equinox": of_equinox}
NAMES = [f"{framework}-{architecture}" for framework in FRAMEWORKS for architecture in BY_HAND]


@functools.cache
def case(name):
    framework, architecture = name.split("-")
    return FRAMEWORKS[framework](architecture)


def batch(name):
    architecture = name.split("-")[1]
    return {"x": INPUTS[architecture], "y": TARGETS[architecture]}


class ByHand(NamedTuple):
    """What a network looks like inside: sites in their order, and the gradients of its loss."""

    sites: OrderedDict[str, Any]
    gradients: OrderedDict[str, Any]
    by_weights: dict[str, Any]


@functools.partial(jax.jit, static_argnums=0)
def pushed(architecture, weights, x, y):
    """The gradients are those with respect to pushes of zero."""

    def loss(pushes, weights):
        outputs, sites = by_hand(architecture, weights, x, pushes)
        return jnp.mean(outputs * y), sites

    shapes = jax.eval_shape(lambda: loss({}, weights)[1])
    pushes = jax.tree.map(lambda spec: jnp.zeros(spec.shape, spec.dtype), shapes)
    (gradients, by_weights), sites = jax.grad(loss, (0, 1), has_aux=True)(pushes, weights)
    return ByHand(sites, gradients, by_weights)


def seen_by_hand(name):
    own, architecture = case(name), name.split("-")[1]
    given = batch(name)
    return pushed(architecture, own.weights(own.params), given["x"], given["y"])
