"""The multilayer perceptron: dense layers with one activation between them."""

from collections.abc import Callable, Sequence
from typing import Any

from jaxopt_dl._core.errors import check_callable, check_integer, fail
from jaxopt_dl._core.types import Array, Layer, Number

from ._activations import relu
from ._checks import label
from ._dense import dense
from ._dropout import dropout
from ._initializers import Initializer, he_normal
from ._lift import lift
from ._sequential import sequential


def mlp(
    sizes: Sequence[int],
    *,
    activation: Callable[[Array], Array] = relu,
    kernel_init: Initializer | None = None,
    keep_probs: Sequence[Number] | None = None,
    dtype: Any = None,
    name: str | None = None,
) -> Layer:
    """Compose dense layers, `h3(h2(h1(x)))`, with an activation after each but the last.

    Args:
      sizes: features of each dense layer, at least one; the input's own size is found in `init`.
      activation: element-wise function on arrays.
      kernel_init: initializer of every kernel, each by its own fan; None means `he_normal()`.
      keep_probs: probability to keep a value, in (0, 1], for the input, after each activation,
        and for the output, so one more than `sizes`; see `default_keep_probs`. None: no dropout.
      dtype: dtype of the parameters; None follows the input given to `init`.
      name: name of the whole in paths and messages.

    Returns:
      A `sequential` layer from `(batch, ..., inputs)` to `(batch, ..., sizes[-1])`, without an
      activation at the end: losses take logits.

    Raises:
      TypeError: if a size is not an integer or a function not callable.
      ValueError: if there are no sizes, a number is out of range, or the length of `keep_probs`
        is another.

    Examples:
      >>> import jax
      >>> params, state = mlp((100, 10)).init(jax.random.key(0), (4,))
      >>> [params[name]["kernel"].shape for name in sorted(params)]
      [(4, 100), (100, 10)]
    """
    who = label("mlp", name)
    sizes = _check_sizes(who, sizes)
    check_callable(who, "activation", activation)
    kernel_init = he_normal() if kernel_init is None else kernel_init
    keep = (1.0,) * (len(sizes) + 1) if keep_probs is None else tuple(keep_probs)
    if len(keep) != len(sizes) + 1:
        rule = f"`keep_probs` must have {len(sizes) + 1} entries: input, hidden layers, output"
        fail(who, rule, f"got {len(keep)}", "Pass 1.0 where nothing is dropped.")
    layers = _drop(keep[0])
    for index, features in enumerate(sizes, 1):
        layers.append(dense(features, kernel_init=kernel_init, dtype=dtype))
        if index < len(sizes):
            layers.append(lift(activation))
        layers += _drop(keep[index])
    return sequential(*layers, name=name)


def default_keep_probs(layers: int, *, early: Number = 0.8, deep: Number = 0.5) -> tuple:
    """Return usual keep probabilities: mild in front, strong in the middle, none at the output.

    The notes behind this give a table (input 0.9 to 1, early hidden layers 0.8 to 0.9, middle and
    deep ones 0.5 to 0.7, output 1), and in their text 0.5 for all hidden layers; the defaults lie
    in the ranges of the table. For the text, pass `early=0.5`.

    Args:
      layers: number of dense layers, the output layer included, at least 1.
      early: for the first hidden layer, in (0, 1].
      deep: for the hidden layers after it, in (0, 1].

    Returns:
      `layers + 1` numbers for `mlp(keep_probs=)`: input (1), hidden layers, output (1).

    Raises:
      TypeError: if `layers` is not an integer.
      ValueError: if `layers` is below 1.

    Examples:
      >>> default_keep_probs(4)
      (1.0, 0.8, 0.5, 0.5, 1.0)
    """
    check_integer("default_keep_probs", "layers", layers, low=1)
    hidden = (early, *[deep] * (layers - 2))[: layers - 1]
    return (1.0, *hidden, 1.0)


def _check_sizes(who: str, sizes: Any) -> tuple[int, ...]:
    if not isinstance(sizes, list | tuple) or not sizes:
        rule = "`sizes` must be a tuple of at least one size"
        fail(who, rule, f"got {sizes!r}", "Pass (64, 10), for example.")
    for size in sizes:
        check_integer(who, "sizes", size, low=1)
    return tuple(sizes)


def _drop(keep_prob: Number) -> list[Layer]:
    layer = dropout(keep_prob=keep_prob)
    return [] if isinstance(keep_prob, float | int) and keep_prob == 1 else [layer]
