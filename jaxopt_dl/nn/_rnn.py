"""Recurrent layers: the simple one, and two whose gates let a signal pass unchanged."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from jaxopt_dl._core.errors import check_callable
from jaxopt_dl._core.types import Array, Key, Layer

from ._activations import sigmoid, tanh
from ._checks import label
from ._initializers import Initializer, zeros
from ._recurrent import Cell, recurrent


def rnn(
    features: int,
    *,
    activation: Callable[[Array], Array] = tanh,
    sequences: bool = True,
    kernel_init: Initializer | None = None,
    recurrent_init: Initializer | None = None,
    bias_init: Initializer = zeros,
    dtype: Any = None,
    name: str | None = None,
) -> Layer:
    """Carry one vector through time, updated by the same weights at every step.

    Signals and gradients pass `recurrent_kernel` once per step, so they explode or vanish over
    long times unless its singular values are near 1, as those of the default are.

        h[t] = activation(x[t] @ kernel + h[t-1] @ recurrent_kernel + bias), h[-1] = 0

    Args:
      features: length of the vector, at least 1.
      activation: element-wise function on arrays.
      sequences: whether to return the vector of every time, or of the last time only.
      kernel_init: initializer of the input weights of a gate; None means `lecun_normal()`.
      recurrent_init: initializer of the recurrent weights of a gate; None means `orthogonal()`.
      bias_init: initializer of the bias.
      dtype: dtype of the parameters; None follows the input given to `init`.
      name: name of the layer in paths and messages.

    Returns:
      A layer from `(batch, time, inputs)` to `(batch, time, features)`, or `(batch, features)`
      without `sequences`. Params: `kernel` `(inputs, features)`, `recurrent_kernel`
      `(features, features)`, `bias` `(features,)`.

    Raises:
      TypeError: if `features` is not an integer, a function not callable or `dtype` not
        floating; from `init` and `apply`, if the input holds integers.
      ValueError: if `features` is below 1; from `init` and `apply`, if the shape of the input or
        the names in `params` do not fit.

    Examples:
      >>> import jax
      >>> layer = rnn(3, sequences=False)
      >>> params, state = layer.init(jax.random.key(0), (7, 2))
      >>> y, _ = layer.apply(params, state, jnp.ones((5, 7, 2)), training=False)
      >>> y.shape
      (5, 3)

    References:
      Elman, "Finding Structure in Time", 1990.
    """
    check_callable(label("rnn", name), "activation", activation)

    def step(inputs: list, past: list, memories: tuple) -> tuple[Array]:
        del memories
        return (activation(inputs[0] + past[0]),)

    return recurrent(
        Cell("rnn", 1, 1, step),
        features,
        sequences=sequences,
        kernel_init=kernel_init,
        recurrent_init=recurrent_init,
        bias_init=bias_init,
        dtype=dtype,
        name=name,
    )


def gru(
    features: int,
    *,
    sequences: bool = True,
    kernel_init: Initializer | None = None,
    recurrent_init: Initializer | None = None,
    bias_init: Initializer = zeros,
    dtype: Any = None,
    name: str | None = None,
) -> Layer:
    """Carry one vector through time that a gate may leave as it is.

        r, z = sigmoid of their gates
        n = tanh(x @ kernel_n + bias_n + r * (h @ recurrent_kernel_n))
        h = (1 - z) * n + z * h

    Args:
      features: length of the vector, at least 1.
      sequences: see `rnn`.
      kernel_init: see `rnn`.
      recurrent_init: see `rnn`.
      bias_init: initializer of the bias.
      dtype: dtype of the parameters; None follows the input given to `init`.
      name: name of the layer in paths and messages.

    Returns:
      A layer as of `rnn`. The columns of `kernel` `(inputs, 3 * features)`, `recurrent_kernel`
      and `bias` belong to r, z, n, in this order.

    Raises:
      TypeError: see `rnn`.
      ValueError: see `rnn`.

    Examples:
      >>> import jax
      >>> params, _ = gru(3).init(jax.random.key(0), (7, 2))
      >>> params["kernel"].shape
      (2, 9)

    References:
      Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder for Statistical
      Machine Translation", 2014. https://arxiv.org/abs/1406.1078
      Differs from the paper: the reset gate acts after the product, as in cuDNN, PyTorch and
      Keras, so one product serves all gates; there is one bias, not two as in PyTorch.
    """
    return recurrent(
        Cell("gru", 3, 1, _gru_step),
        features,
        sequences=sequences,
        kernel_init=kernel_init,
        recurrent_init=recurrent_init,
        bias_init=bias_init,
        dtype=dtype,
        name=name,
    )


def lstm(
    features: int,
    *,
    sequences: bool = True,
    kernel_init: Initializer | None = None,
    recurrent_init: Initializer | None = None,
    bias_init: Initializer | None = None,
    dtype: Any = None,
    name: str | None = None,
) -> Layer:
    """Carry an output h and a memory c through time; gates write to the memory and forget it.

        i, f, o = sigmoid of their gates, g = tanh of its
        c = f * c + i * g
        h = o * tanh(c)

    Args:
      features: length of h and of c, at least 1.
      sequences: see `rnn`.
      kernel_init: see `rnn`.
      recurrent_init: see `rnn`.
      bias_init: initializer of the bias; None means 1 for f and 0 for the others, so that
        a new network remembers.
      dtype: dtype of the parameters; None follows the input given to `init`.
      name: name of the layer in paths and messages.

    Returns:
      A layer as of `rnn`. The columns of `kernel` `(inputs, 4 * features)`, `recurrent_kernel`
      and `bias` belong to i, f, g, o, in this order.

    Raises:
      TypeError: see `rnn`.
      ValueError: see `rnn`.

    Examples:
      >>> import jax
      >>> params, _ = lstm(3).init(jax.random.key(0), (7, 2))
      >>> params["bias"].reshape(4, 3)[:, 0].tolist()
      [0.0, 1.0, 0.0, 0.0]

    References:
      Hochreiter and Schmidhuber, "Long Short-Term Memory", 1997; the forget gate: Gers et al.,
      "Learning to Forget", 2000.
    """
    return recurrent(
        Cell("lstm", 4, 2, _lstm_step),
        features,
        sequences=sequences,
        kernel_init=kernel_init,
        recurrent_init=recurrent_init,
        bias_init=_remember if bias_init is None else bias_init,
        dtype=dtype,
        name=name,
    )


def _gru_step(inputs: list, past: list, memories: tuple) -> tuple[Array]:
    reset, update = (sigmoid(inputs[i] + past[i]) for i in (0, 1))
    new = tanh(inputs[2] + reset * past[2])
    return ((1 - update) * new + update * memories[0],)


def _lstm_step(inputs: list, past: list, memories: tuple) -> tuple[Array, Array]:
    write, forget, new, out = (a + b for a, b in zip(inputs, past, strict=True))
    memory = sigmoid(forget) * memories[1] + sigmoid(write) * tanh(new)
    return sigmoid(out) * tanh(memory), memory


def _remember(key: Key, shape: tuple[int, ...], dtype: Any = jnp.float32) -> Array:
    del key
    return jnp.zeros((4, shape[0] // 4), dtype).at[1].set(1).reshape(shape)
