"""The section `augment` of the configuration: images changed in training, shown on the page."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from jaxopt_dl import data
from jaxopt_dl._core import keys
from jaxopt_dl._core.types import Batch, Key

from ._config import Augment
from ._data import Prepared
from ._limits import refuse

SHEET_ROWS, SHEET_COLUMNS = 4, 7


@dataclasses.dataclass(frozen=True, eq=False)
class Augmenting:
    """Augmentation of one run.

    Attributes:
      steps: what `fit` takes; it turns raw examples into normalized ones of changed geometry.
      rows: the training set as `fit` takes it, raw.
      images: the examples of the training set as pictures, `(n, height, width, channels)`.
      geometry: what changes pictures, before anything is normalized.
    """

    steps: data.Augmentation
    rows: dict[str, np.ndarray]
    images: np.ndarray
    geometry: data.Augmentation

    def sheet(self, key: Key) -> list[list[np.ndarray]]:
        """Return some training images, each followed by changed versions of it."""
        originals = jnp.asarray(self.images[:SHEET_ROWS])
        change = jax.jit(lambda own: self.geometry(own, {"x": originals})["x"])
        versions = [change(keys.at(key, column)) for column in range(SHEET_COLUMNS)]
        columns = np.stack([np.asarray(originals), *map(np.asarray, versions)], axis=1)
        return [list(row) for row in columns]


def build_augmenting(config: Augment, prepared: Prepared) -> Augmenting | None:
    """Return the augmentation of a run, None without one.

    Pixels outside the image are 0 in the data's own unit: examples are normalized afterwards.

    Raises:
      Refusal: if examples are not images.
    """
    steps = _steps(config)
    if not steps:
        return None
    dataset = prepared.dataset
    shape = dataset.image_shape or dataset.x.shape[1:]
    if len(shape) not in (2, 3):
        rule = "needs images, (height, width) or (height, width, channels)"
        refuse("augment", rule, list(shape), "Remove the section, or store x as images.")
    picture = (*shape, 1) if len(shape) == 2 else shape
    raw = dataset.x[prepared.rows["train"]]
    images = raw.reshape(-1, *picture)
    normalizer = prepared.normalizers.get("x")

    def as_images(key: Key, batch: Batch) -> Batch:
        return {**batch, "x": batch["x"].reshape(-1, *picture)}

    def as_inputs(key: Key, batch: Batch) -> Batch:
        x = batch["x"].reshape(-1, *raw.shape[1:])
        return {**batch, "x": x if normalizer is None else data.normalize(normalizer, x)}

    return Augmenting(
        data.augment(as_images, *steps, as_inputs),
        {**prepared.parts["train"], "x": raw},
        images,
        data.augment(*steps),
    )


def _steps(config: Augment) -> list:
    """Return the steps whose number is not 0, in the order of the configuration."""
    zoom = config.zoom
    table = {
        "hflip": lambda: data.hflip(config.hflip),
        "vflip": lambda: data.vflip(config.vflip),
        "crop": lambda: data.random_crop(padding=config.crop),
        "shift": lambda: data.random_shift(config.shift),
        "rotate": lambda: data.random_rotate(config.rotate),
        "zoom": lambda: data.random_zoom(1 - zoom, 1 + zoom),
        "elastic": lambda: data.elastic_distort(config.elastic),
        "cutout": lambda: data.cutout(config.cutout),
    }
    return [make() for name, make in table.items() if getattr(config, name)]
