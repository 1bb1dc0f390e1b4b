"""Probes: what is worth looking at in a training step, for `fit(probes=...)`."""

import jax
import jax.numpy as jnp

from jaxopt_dl._core.trees import widen
from jaxopt_dl._core.types import Array, ProbeInput, PyTree

from ._activations import activation_stats
from ._layers import by_layer


def probe_gradient(seen: ProbeInput) -> dict[str, Array]:
    """Measure the Euclidean norm of the whole gradient, before the optimizer sees it.

    Args:
      seen: what a probe sees of a step; made by `train.fit`.

    Returns:
      `gradient_norm`, a scalar of at least float32; above 1e19 in float32 it reads infinite.

    Examples:
      >>> import jax.numpy as jnp
      >>> gradients = {"kernel": jnp.array([[3.0]]), "bias": jnp.array([4.0])}
      >>> seen = ProbeInput(None, None, {}, {}, None, None, gradients, None)
      >>> float(probe_gradient(seen)["gradient_norm"])
      5.0
    """
    return {"gradient_norm": _norm(jax.tree.leaves(seen.gradients))}


def probe_layers(seen: ProbeInput) -> dict[str, Array]:
    """Measure how large the weights, the gradient and the update of every layer are.

    A gradient that shrinks or grows from layer to layer vanishes or explodes. An update of about
    a thousandth of the weights is usual; much more is rash, much less is idle.

    Args:
      seen: what a probe sees of a step; made by `train.fit`.

    Returns:
      `weight_norm/<layer>`, `gradient_norm/<layer>` and `update_norm/<layer>`, scalars of at
      least float32; layers as in `gradient_norms`, leaves at the top being `params`. In float32
      a norm above 1e19 reads infinite and one below 1e-22 zero.

    Raises:
      TypeError: if a leaf does not hold floating-point numbers.

    Examples:
      >>> import jax.numpy as jnp
      >>> params = {"head": {"kernel": jnp.array([[3.0, 4.0]])}}
      >>> tree = lambda scale: jax.tree.map(lambda leaf: scale * leaf, params)
      >>> seen = ProbeInput(None, params, {}, {}, None, None, tree(2.0), tree(-0.1))
      >>> {name: round(float(norm), 3) for name, norm in probe_layers(seen).items()}
      {'weight_norm/head': 5.0, 'gradient_norm/head': 10.0, 'update_norm/head': 0.5}

    References:
      On the size of updates: Karpathy, notes of the course CS231n, "Neural Networks Part 3".
    """
    trees: dict[str, PyTree] = {
        "weight_norm": seen.params,
        "gradient_norm": seen.gradients,
        "update_norm": seen.updates,
    }
    return {
        f"{name}/{layer or 'params'}": _norm(list(leaves.values()))
        for name, tree in trees.items()
        for layer, leaves in by_layer("probe_layers", name, tree).items()
    }


def probe_activations(seen: ProbeInput) -> dict[str, Array]:
    """Measure mean, standard deviation and dead units of every layer, as the batch meets it.

    The objective is evaluated once more in training mode, with the key of the step. Rows of
    padding and of weight 0 are among those measured.

    Args:
      seen: what a probe sees of a step; made by `train.fit`.

    Returns:
      `activation_mean/<layer>`, `activation_std/<layer>` and `dead/<layer>`, scalars of at least
      float32; layers and numbers as in `activation_stats`.

    Raises:
      ValueError: if nothing in the objective runs under a named scope.

    Examples:
      >>> import jax.numpy as jnp
      >>> def objective(params, state, batch, *, key, training):
      ...     return jnp.sum(jax.named_scope("relu")(jax.nn.relu)(params * batch["x"])), None
      >>> batch = {"x": jnp.array([[1.0, 2.0], [-3.0, 4.0]])}
      >>> seen = ProbeInput(objective, jnp.array([[-1.0, -1.0]]), {}, batch, None, None, 0.0, 0.0)
      >>> {name: round(float(value), 3) for name, value in probe_activations(seen).items()}
      {'activation_mean/relu': 0.75, 'activation_std/relu': 1.299, 'dead/relu': 0.5}
    """

    def loss(params: PyTree) -> Array:
        return seen.objective(params, seen.model_state, seen.batch, key=seen.key, training=True)[0]

    stats = activation_stats(loss, seen.params)
    return {
        f"{name}/{layer}": value
        for layer, found in stats.items()
        for name, value in (
            ("activation_mean", found.mean),
            ("activation_std", found.std),
            ("dead", found.dead),
        )
    }


def _norm(leaves: list[Array]) -> Array:
    """Return the norm by one pass over each leaf: probes have to be cheap."""
    return jnp.sqrt(sum(jnp.sum(jnp.square(widen(leaf))) for leaf in leaves))
