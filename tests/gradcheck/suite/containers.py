"""Correct functions over every kind of pytree, with arguments, keywords and auxiliary output."""

# ruff: noqa: E731  a loss of one line reads best beside its parameters

import collections
import dataclasses
import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from tests.gradcheck.suite._cases import bug, correct, hand_written, normal

X, Y = normal(1, 6, 3), normal(2, 6)


def squared(tree):
    leaves = jax.tree.leaves(tree)
    real = [leaf for leaf in leaves if jnp.issubdtype(jnp.result_type(leaf), jnp.floating)]
    return sum(jnp.sum(jnp.sin(leaf) + leaf**2) for leaf in real)


def case(params, **more):
    return {"function": squared, "params": params, **more}


@correct()
def deeply_nested_dictionaries():
    return case({"a": {"b": {"c": {"d": normal(3, 2), "e": normal(4, 1, 2)}}}, "f": normal(5, 3)})


@correct()
def lists_and_tuples():
    return case([normal(6, 2), (normal(7, 3), [normal(8, 1)])])


class Layer(NamedTuple):
    kernel: Any
    bias: Any


@correct()
def named_tuples():
    return case([Layer(normal(9, 2, 3), normal(10, 3)), Layer(normal(11, 3, 1), normal(12, 1))])


@correct()
def none_leaves():
    return case({"a": normal(13, 3), "bias": None, "c": [None, normal(14, 2)]})


@correct()
def scalar_leaves():
    return case({"a": 1.5, "b": np.float64(-0.3), "c": jnp.float32(0.7), "d": normal(15, 2)})


@correct()
def one_array():
    return case(normal(16, 7))


@correct()
def one_python_float():
    return case(0.8)


@correct()
def integer_and_boolean_leaves():
    """Only the floating-point leaves have a gradient."""

    def loss(p, x):
        z = x[:, p["columns"]] @ p["kernel"]
        return jnp.mean(jnp.where(p["use"], z, 0.0) ** 2) * p["steps"]

    params = {
        "columns": np.array([2, 0]),
        "use": np.array([True, False, True, True, True, False]),
        "steps": 3,
        "kernel": normal(17, 2),
    }
    return {"function": loss, "params": params, "args": (X,)}


@correct()
def empty_leaves():
    return case({"a": np.zeros((0, 3)), "b": normal(18, 2)})


@correct(noise=2e-2)
def mixed_precision_leaves():
    params = {"half": normal(19, 3).astype(np.float16), "single": normal(20, 2).astype(np.float32)}
    return case({**params, "double": normal(21, 2)})


@correct(noise=2e-2)
def bfloat16_leaves():
    return case({"a": jnp.asarray(normal(22, 3), jnp.bfloat16), "b": normal(23, 2)})


@correct()
def ordered_and_default_dictionaries():
    ordered = collections.OrderedDict(z=normal(24, 2), a=normal(25, 3))
    return case({"first": ordered, "second": collections.defaultdict(list, k=normal(26, 2))})


@jax.tree_util.register_dataclass
@dataclasses.dataclass
class Block:
    weight: Any
    shift: Any
    name: str = dataclasses.field(default="block", metadata={"static": True})


@correct()
def registered_dataclass():
    return case({"block": Block(normal(27, 2, 2), normal(28, 2)), "other": normal(29, 1)})


@correct()
def integer_keys_and_slashes_in_names():
    return case({0: normal(30, 2), 1: {"a/b": normal(31, 2)}})


@correct()
def unused_leaves():
    loss = lambda p: jnp.sum(jnp.tanh(p["used"]) ** 2)
    params = {"used": normal(32, 3), "unused": normal(33, 4), "deep": {"unused": normal(34, 1)}}
    return {"function": loss, "params": params}


@correct()
def unused_leaf_by_hand():
    loss = lambda p: jnp.sum(p["used"] ** 2)
    gradient = lambda p: {"used": 2 * p["used"], "unused": np.zeros(4)}
    params = {"used": normal(35, 3), "unused": normal(36, 4)}
    return {"function": loss, "gradient": gradient, "params": params}


@correct()
def row_of_a_table_never_looked_up():
    loss = lambda p, tokens: jnp.sum(jnp.tanh(p["table"][tokens]))
    tokens = np.array([0, 2, 2, 4])
    return {"function": loss, "params": {"table": normal(37, 6, 3)}, "args": (tokens,)}


@correct()
def auxiliary_output():
    def loss(p, x, y):
        z = x @ p["kernel"]
        return jnp.mean((z - y) ** 2), {"predictions": z, "count": 6, "name": None}

    return {"function": loss, "params": {"kernel": normal(38, 3)}, "args": (X, Y), "has_aux": True}


@correct()
def keyword_arguments():
    def loss(p, x, *, y, power=2):
        return jnp.mean(jnp.abs(x @ p["kernel"] - y) ** power)

    params = {"kernel": normal(39, 3)}
    return {"function": loss, "params": params, "args": (X,), "kwargs": {"y": Y, "power": 3}}


class Batch(NamedTuple):
    inputs: Any
    targets: Any


@correct()
def objective_with_state_batch_and_key():
    """The signature of a training objective: state in, auxiliary state out."""

    def objective(p, state, batch, *, key, training):
        noise = 0.1 * jax.random.normal(key, batch.inputs.shape, jnp.float32)
        z = (batch.inputs + (noise.astype(batch.inputs.dtype) if training else 0)) @ p["kernel"]
        return jnp.mean((z - batch.targets) ** 2), {"mean": 0.9 * state["mean"] + jnp.mean(z)}

    return {
        "function": objective,
        "params": {"kernel": normal(40, 3)},
        "args": ({"mean": np.float64(0.0)}, Batch(X, Y)),
        "kwargs": {"key": jax.random.key(7), "training": True},
        "has_aux": True,
    }


@correct()
def partial_method_and_callable_object():
    class Model:
        power = 2

        def __call__(self, p, x, scale):
            return jnp.mean(scale * jnp.abs(x @ p["kernel"]) ** self.power)

    loss = functools.partial(Model(), scale=0.5)
    return {"function": loss, "params": {"kernel": normal(41, 3)}, "args": (X,)}


@correct()
def jitted_function():
    loss = jax.jit(lambda p, x: jnp.mean(jnp.tanh(x @ p["kernel"])))
    return {"function": loss, "params": {"kernel": normal(42, 3)}, "args": (X,)}


@correct()
def jitted_gradient_by_value_and_grad():
    loss = lambda p, x: jnp.mean(jnp.tanh(x @ p["kernel"]) ** 2)
    gradient = lambda p, x: jax.jit(jax.value_and_grad(loss))(p, x)[1]
    params = {"kernel": normal(43, 3)}
    return {"function": loss, "params": params, "args": (X,), "gradient": gradient}


@correct()
def loss_of_shape_one_squeezed():
    loss = lambda p, x: jnp.squeeze(x[:1] @ p["kernel"][:, None])
    return {"function": loss, "params": {"kernel": normal(44, 3)}, "args": (X,)}


@correct(truth=lambda p: jnp.sum(jnp.abs(p["re"] + 1j * p["im"]) ** 2 * jnp.arange(3.0)))
def complex_arithmetic_inside():
    def loss(p):
        spectrum = jnp.fft.fft(p["re"] + 1j * p["im"])
        back = jnp.fft.ifft(spectrum)
        return jnp.sum(jnp.real(back * jnp.conj(back)) * jnp.arange(3.0))

    return {"function": loss, "params": {"re": normal(45, 3), "im": normal(46, 3)}}


@correct()
def spectrum_loss():
    loss = lambda p: jnp.sum(jnp.abs(jnp.fft.rfft(p["signal"])) ** 2 * jnp.arange(5.0))
    return {"function": loss, "params": {"signal": normal(47, 8)}}


@bug({"1/kernel"}, hand_written)
def wrong_leaf_of_a_named_tuple():
    params = [Layer(normal(48, 2), normal(49, 2)), Layer(normal(50, 2), normal(51, 2))]

    def gradient(p):
        right = jax.tree.map(lambda w: np.cos(w) + 2 * w, p)
        return [right[0], right[1]._replace(kernel=1.5 * right[1].kernel)]

    return case(params, gradient=gradient)


@bug({"0", "1/0"}, hand_written)
def leaves_exchanged_in_a_list():
    params = [normal(52, 3), (normal(53, 3), normal(54, 3))]

    def gradient(p):
        a, (b, c) = jax.tree.map(lambda w: np.cos(w) + 2 * w, p)
        return [b, (a, c)]

    return case(params, gradient=gradient)


@bug({"scale"}, hand_written)
def scalar_leaf_of_wrong_sign():
    gradient = lambda p: {"w": np.cos(p["w"]) + 2 * p["w"], "scale": -np.cos(p["scale"])}
    return case({"w": normal(55, 4), "scale": np.float64(1.0)}, gradient=gradient)


@bug({"used"}, hand_written)
def wrong_beside_unused_and_none_leaves():
    loss = lambda p: jnp.sum(p["used"] ** 2)
    gradient = lambda p: {"used": p["used"], "unused": np.zeros(3), "nothing": None}
    params = {"used": normal(56, 3), "unused": normal(57, 3), "nothing": None}
    return {"function": loss, "gradient": gradient, "params": params}
