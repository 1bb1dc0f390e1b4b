"""What an optimizer costs in memory."""

import jax
import jax.numpy as jnp

from jaxopt_dl._core.errors import fail
from jaxopt_dl._core.trees import size
from jaxopt_dl._core.types import PyTree

from ._inspect import without_hyperparams
from ._plateau import PlateauState


def state_size(opt_state: PyTree, params: PyTree) -> float:
    """Return how many numbers an optimizer keeps for each parameter.

    Gradient descent keeps none, momentum, Nesterov, AdaGrad and RMSprop one, centered RMSprop
    and Adam two. Counters and hyper-parameters are not counted.

    Args:
      opt_state: the state of any optax transformation.
      params: the parameters it belongs to.

    Returns:
      Floating-point numbers in the state over those in the parameters; a broken number where
      rules differ between parameters.

    Raises:
      ValueError: if there are no parameters.

    Examples:
      >>> import jax.numpy as jnp
      >>> from jaxopt_dl.optim import adam, sgd
      >>> params = {"kernel": jnp.ones((64, 10)), "bias": jnp.ones(10)}
      >>> [state_size(rule.init(params), params) for rule in (sgd(0.1), adam())]
      [0.0, 2.0]
    """
    if not size(params):
        advice = "Pass the parameters the state belongs to."
        fail("state_size", "`params` must hold at least one number", "got none", advice)
    slots = jax.tree.map(
        lambda node: () if isinstance(node, PlateauState) else node,
        without_hyperparams(opt_state),
        is_leaf=lambda node: isinstance(node, PlateauState),
    )
    leaves = jax.tree.leaves(slots)
    floating = [x for x in leaves if jnp.issubdtype(jnp.result_type(x), jnp.floating)]
    return size(floating) / size(params)
