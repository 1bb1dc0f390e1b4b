"""What every augmentation is: a change of a batch of images, with a key of its own per example."""

import abc
import dataclasses
from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import numpy as np

from jaxopt_dl._core.errors import check_callable, fail
from jaxopt_dl._core.types import Array, Batch, Key


class Step(abc.ABC):
    """A change of a batch, `(key, batch) -> batch`, whose numbers are leaves of a pytree."""

    @abc.abstractmethod
    def __call__(self, key: Key, batch: Batch) -> Batch:
        """Return the changed batch, shapes and dtypes kept."""


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Foreign(Step):
    """A user's function `(key, batch) -> batch`."""

    function: Callable[[Key, Batch], Batch] = dataclasses.field(metadata={"static": True})

    def __call__(self, key: Key, batch: Batch) -> Batch:
        """Call it."""
        changed = self.function(key, batch)
        if not isinstance(changed, dict):
            came, advice = f"got {type(changed).__name__}", "Return `{**batch, 'x': changed}`."
            fail("augment", "a step must return a batch", came, advice, kind=TypeError)
        return changed


def as_step(step: Callable[[Key, Batch], Batch]) -> Step:
    """Return a step; a function becomes one."""
    check_callable("augment", "steps", step)
    return step if isinstance(step, Step) else Foreign(step)


def images_of(who: str, batch: Batch) -> Array:
    """Return the images of a batch once they are images of numbers."""
    if not isinstance(batch, Mapping) or "x" not in batch:
        came = f"got {sorted(batch) if isinstance(batch, Mapping) else type(batch).__name__}"
        fail(who, "`batch` must be a dict that holds images `x`", came, 'Pass `{"x": images}`.')
    images = jnp.asarray(batch["x"])
    if images.ndim != 4:
        advice = "Reshape them, and give gray images one channel: `x.reshape(-1, 28, 28, 1)`."
        came = f"got shape {images.shape}"
        fail(who, "images `x` must be (batch, height, width, channels)", came, advice)
    if not any(jnp.issubdtype(images.dtype, kind) for kind in (np.floating, np.integer)):
        came, advice = f"got dtype {images.dtype}", "Convert them, for example to float32."
        fail(who, "images `x` must hold real numbers", came, advice, kind=TypeError)
    return images


def example_keys(key: Key, examples: int) -> Key:
    """Return a key for each example; an example's key does not depend on their number."""
    return jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(examples))
