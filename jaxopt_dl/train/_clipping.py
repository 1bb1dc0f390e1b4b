"""What a clipping optimizer does to the gradients of a training."""

from collections.abc import Callable

from jaxopt_dl import optim
from jaxopt_dl._core.trees import global_norm
from jaxopt_dl._core.types import Array, PyTree

CLIPPING = ("gradient_norm", "clipped_fraction")
"""Columns of the history of a run whose chain begins with `optim.clip_by_global_norm`."""


def clipping(update: Callable, opt_state: PyTree, gradients: PyTree) -> dict[str, Array]:
    """Return the norm before clipping and whether it is clipped; nothing where nothing clips.

    The compiler finds that the optimizer computes the same norm, so it costs nothing.
    """
    limit = optim.gradient_limit(update, opt_state)
    if limit is None:
        return {}
    norm = global_norm(gradients)
    return dict(zip(CLIPPING, (norm, norm > limit.astype(norm.dtype)), strict=True))
