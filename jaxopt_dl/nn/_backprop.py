"""Back-propagation by hand, for a network of sigmoid units: to read, and to check against.

`jax.grad` does this for every network; here the chain rule stands written out once.
"""

from typing import Any

import jax.numpy as jnp

from jaxopt_dl._core.errors import check_floating, check_shape, fail
from jaxopt_dl._core.trees import leaves_with_paths
from jaxopt_dl._core.types import Array, PyTree

from ._activations import sigmoid
from ._smooth_activations import softplus


def mlp_backprop(params: PyTree, x: Array, labels: Array) -> tuple[Array, PyTree]:
    """Return the mean binary cross-entropy of a sigmoid network and its gradient, by hand.

    The examples are rows, so what textbooks write as `W` is the transpose of a kernel here. With
    `a[0] = x` and m examples:

        forward:   z[l] = a[l-1] @ kernel[l] + bias[l],  a[l] = sigmoid(z[l])
        cost:      J = mean of -(y * log(a[L]) + (1 - y) * log(1 - a[L]))
        backward:  dz[L] = (a[L] - y) / m
                   dkernel[l] = a[l-1].T @ dz[l],  dbias[l] = sum of the rows of dz[l]
                   dz[l-1] = (dz[l] @ kernel[l].T) * a[l-1] * (1 - a[l-1])

    The last line is where each layer reuses what the layer behind it has found; its products with
    `a * (1 - a)` go entry by entry. The update of the parameters is not part of it.

    Args:
      params: name -> `{"kernel": (in, out), "bias": (out,)}`, layers in the order of their
        names, as `mlp(sizes, activation=nn.sigmoid)` makes them; the last layer has one unit.
      x: inputs `(batch, in)`, floating point.
      labels: `(batch,)`, 0 or 1, or probabilities.

    Returns:
      `(cost, gradient)`: a scalar in nats, and a tree like `params`.

    Raises:
      TypeError: if `x` holds integers or `params` is not a dict of layers.
      ValueError: if shapes do not fit.

    Examples:
      >>> params = {"0": {"kernel": jnp.zeros((2, 1)), "bias": jnp.zeros(1)}}
      >>> cost, gradient = mlp_backprop(params, jnp.array([[1.0, 3.0]]), jnp.array([1.0]))
      >>> round(float(cost), 4), gradient["0"]["kernel"].tolist()
      (0.6931, [[-0.5], [-1.5]])
    """
    names = _check(params, x, labels)
    y = jnp.asarray(labels).astype(x.dtype)[:, None]
    activations = [x]
    z = x
    for name in names:
        z = activations[-1] @ params[name]["kernel"] + params[name]["bias"][None]
        activations.append(sigmoid(z))
    # In terms of z: the logarithm of a saturated sigmoid would be infinite.
    cost = jnp.mean(y * softplus(-z) + (1 - y) * softplus(z))
    gradient = {}
    dz = (activations[-1] - y) / len(x)
    for name, a in zip(reversed(names), reversed(activations[:-1]), strict=True):
        gradient[name] = {"kernel": a.T @ dz, "bias": jnp.sum(dz, axis=0)}
        dz = (dz @ params[name]["kernel"].T) * a * (1 - a)
    return cost, gradient


def _check(params: Any, x: Array, labels: Array) -> list[str]:
    """Return the names of the layers in order, once everything fits."""
    who = "mlp_backprop"
    check_floating(who, "x", x)
    check_shape(who, "x", x, (None, None))
    check_shape(who, "labels", labels, (x.shape[0],))
    names = sorted(params) if isinstance(params, dict) else []
    wanted = [f"{name}/{leaf}" for name in names for leaf in ("bias", "kernel")]
    came = [path for path, _ in leaves_with_paths(params)]
    if not names or came != wanted:
        rule = "`params` must be a dict of dense layers, each with kernel and bias"
        fail(who, rule, f"got {', '.join(came[:6]) or 'no leaves'}", "Pass those of `nn.mlp`.")
    if params[names[-1]]["bias"].shape != (1,):
        rule = "the last layer must have one unit"
        came_text = f"got {params[names[-1]]['bias'].shape[0]}"
        fail(who, rule, came_text, "Only yes-or-no labels are handled.")
    return names
