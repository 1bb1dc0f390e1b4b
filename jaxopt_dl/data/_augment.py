"""Augmentations: `(key, batch) -> batch`, one after another, geometry in one pass."""

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxopt_dl._core.errors import check_choice, check_key, check_number, fail
from jaxopt_dl._core.types import Array, Batch, Key, Number

from ._geometry import Geometry
from ._steps import Step, as_step, example_keys, images_of
from ._warp import BORDERS, Border, Points, check_exact, check_fill, grid, pick, resample


class Outside(NamedTuple):
    """What is read beyond the border of an image.

    Attributes:
      border: the rule.
      maps: the entries of a batch that label pixels.
    """

    border: Border
    maps: tuple[str, ...]


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Warp(Step):
    """Changes of geometry in one pass over the pixels."""

    steps: tuple[Geometry, ...]
    fill: Number
    fills: tuple[Number, ...]
    outside: Outside = dataclasses.field(metadata={"static": True})

    def __call__(self, key: Key, batch: Batch) -> Batch:
        """Change the images of a batch, and its maps alike."""
        images = images_of("augment", batch)
        check_exact("augment", images.dtype)
        check_fill("augment", "fill", self.fill, images.dtype)
        maps = [_map_of(name, batch, images) for name in self.outside.maps]
        for name, labels, fill in zip(self.outside.maps, maps, self.fills, strict=True):
            check_fill("augment", f"maps[{name!r}]", fill, labels.dtype)

        def one(key: Key, image: Array, *labels: Array) -> list[Array]:
            points = self._sources(key, image)
            border = self.outside.border
            fills = zip(labels, self.fills, strict=True)
            return [
                resample(image, points, border, self.fill),
                *(pick(label, points, border, fill) for label, fill in fills),
            ]

        changed = jax.vmap(one)(example_keys(key, len(images)), images, *maps)
        return {**batch, **dict(zip(("x", *self.outside.maps), changed, strict=True))}

    def _sources(self, key: Key, image: Array) -> Points:
        """Follow the pixels back, from the last change to the first."""
        height, width = image.shape[:2]
        dtype = np.dtype(np.float64 if image.dtype == np.float64 else np.float32)
        shapes = [step.random_shape(height, width) for step in self.steps]
        points = grid(height, width, dtype)
        for step, own in reversed(list(zip(self.steps, _draws(key, shapes, dtype), strict=True))):
            points = step.sources(own, points)
        return points


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Augmentation(Step):
    """Steps one after another, made by `augment`; its leaves are their numbers.

    Examples:
      >>> from jaxopt_dl.data import augment, random_crop, random_rotate
      >>> jax.tree.leaves(augment(random_crop(padding=2), random_rotate(15)))
      [2, -15.0, 15.0, 0.0]
    """

    steps: tuple[Step, ...]

    def __call__(self, key: Key, batch: Batch) -> Batch:
        """Return the changed batch, shapes and dtypes kept.

        Args:
          key: a PRNG key; example `i` uses a key of its own, made from it and `i`.
          batch: a dict with images `x`, `(batch, height, width, channels)`.
        """
        check_key("augment", key)
        keys = jax.random.split(key, len(self.steps))
        for own, step in zip(keys, self.steps, strict=True):
            batch = step(own, batch)
        return batch


def augment(
    *steps: Geometry | Callable[[Key, Batch], Batch],
    border: Border = "constant",
    fill: Number = 0.0,
    maps: Mapping[str, Number] | None = None,
) -> Augmentation:
    """Chain augmentations, for `fit(augment=)` or any jitted step of one's own.

    Changes of geometry that follow each other (flips, crops, shifts, turns, zooms, elastic
    distortions) are fused: each output pixel is followed back through all of them and read from
    the image once, by bilinear interpolation. That is one pass over the pixels and one blur
    instead of several, and nothing that a first step moves out of sight is lost to a second.
    A NaN or infinite pixel makes the pixels beside it NaN even where nothing moves.

    Args:
      *steps: `hflip(...)`, `random_crop(...)`, ..., `cutout(...)`, `mixup(...)`, or functions
        `(key, batch) -> batch`; in the order in which they change the image.
      border: what geometry reads beyond the image: "constant" (the number `fill`), "edge" (the
        nearest pixel) or "reflect" (mirrored at the border pixel).
      fill: the number of a constant border, in the images' unit.
      maps: entries of the batch that label pixels, `(batch, height, width)` or with more axes,
        and the label outside: `{"segmentation": 255}`. They move with `x`, read from the nearest
        pixel.

    Returns:
      `(key, batch) -> batch`, pure, for `jit`, `vmap` and `scan`. Its numbers are leaves of a
      pytree: a program that takes it as an argument is not compiled again for others.

    Raises:
      TypeError: if a step is neither, or a number is not a number.
      ValueError: if there is no step, or a number is out of range. When called: if `x` is not
        `(batch, height, width, channels)`, if geometry would change whole numbers of more than
        16 bits, which float32 does not hold, or if images or labels cannot hold their border.

    Examples:
      >>> from jaxopt_dl.data import augment, hflip
      >>> batch = {"x": jnp.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]).reshape(1, 2, 3, 1)}
      >>> mirror = augment(hflip(p=1.0))
      >>> mirror(jax.random.key(0), batch)["x"].reshape(2, 3).tolist()
      [[3.0, 2.0, 1.0], [6.0, 5.0, 4.0]]
    """
    if not steps:
        advice = "Pass at least one, such as `hflip()`."
        fail("augment", "there must be steps", "got none", advice)
    check_choice("augment", "border", border, BORDERS)
    check_number("augment", "fill", fill)
    maps = dict(maps or {})
    for name, label in maps.items():
        check_number("augment", f"maps[{name!r}]", label)
    outside = Outside(border, tuple(maps))
    fused: list[Step] = []
    for step in steps:
        if not isinstance(step, Geometry):
            fused.append(as_step(step))
        elif fused and isinstance(fused[-1], Warp):
            fused[-1] = dataclasses.replace(fused[-1], steps=(*fused[-1].steps, step))
        else:
            fused.append(Warp((step,), fill, tuple(maps.values()), outside))
    return Augmentation(tuple(fused))


def _draws(key: Key, shapes: list[tuple[int, ...]], dtype: np.dtype) -> list[Array]:
    """Draw uniform numbers of several shapes at once.

    In float32 for every dtype, so that float64 images are changed alike.
    """
    sizes = [math.prod(shape) for shape in shapes]
    draws = jax.random.uniform(key, (sum(sizes),), jnp.float32).astype(dtype)
    parts = jnp.split(draws, np.cumsum(sizes)[:-1])
    return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]


def _map_of(name: str, batch: Batch, images: Array) -> Array:
    if name not in batch or jnp.shape(batch[name])[:3] != images.shape[:3]:
        came = f"got shape {jnp.shape(batch[name])}" if name in batch else "got no such entry"
        rule = f"`batch[{name!r}]` must label every pixel, {images.shape[:3]}"
        fail("augment", rule, came, "Pass it in the batch, or leave it out of `maps`.")
    return jnp.asarray(batch[name])
