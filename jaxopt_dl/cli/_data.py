"""From a source to three sets of arrays: loaded, split, normalized by the training set alone."""

import dataclasses

import jax
import numpy as np

from jaxopt_dl import data
from jaxopt_dl._core.types import Key

from ._config import Data
from ._errors import blame
from ._limits import refuse

PARTS: tuple[str, ...] = ("train", "dev", "test")


@dataclasses.dataclass(frozen=True, eq=False)
class Prepared:
    """Everything a training needs to know about its data.

    Attributes:
      dataset: examples as they were loaded.
      parts: train, dev and, if wanted, test -> `x` and `y` as the network sees them.
      rows: the same names -> rows of `dataset` in that part.
      normalizers: what was done to `x` and, in a regression, to `y`; empty if nothing was.
    """

    dataset: data.Dataset
    parts: dict[str, dict[str, np.ndarray]]
    rows: dict[str, np.ndarray]
    normalizers: dict[str, data.Normalizer]

    @property
    def classes(self) -> tuple[str, ...] | None:
        """Names of the classes, None for a regression."""
        return self.dataset.class_names

    @property
    def outputs(self) -> int:
        """How many numbers the network gives for one example."""
        return self.parts["train"]["y"].shape[-1] if self.classes is None else len(self.classes)


def prepare(config: Data, key: Key) -> Prepared:
    """Load, split and normalize.

    Raises:
      Refusal: naming the key of the configuration that is to blame.
    """
    if len(config.fractions) not in (2, 3):
        rule = "must hold shares of train, dev and perhaps test"
        refuse("data.fractions", rule, list(config.fractions), "Write for example [0.6, 0.2, 0.2].")
    size = _size_of_pictures(config.size)
    with blame("data.source"):
        dataset = data.load(
            config.source,
            target=config.target or None,
            mode=None if config.mode == "none" else config.mode,
            size=size,
        ).in_memory()
    if dataset.class_names is not None and len(dataset.class_names) < 2:
        rule = "must hold at least two classes"
        refuse("data.source", rule, config.source, "Choose another target, or floats to regress.")
    x, y = dataset.x, dataset.y
    classes = dataset.class_names is not None
    if not classes:
        y = y.reshape(len(y), -1)
    with blame("data.fractions"):
        parts = data.split(key, len(x), config.fractions, labels=y if classes else None)
    rows = dict(zip(PARTS, parts, strict=False))
    normalizers = {}
    if config.normalize:
        wanted = {"x": x} if classes else {"x": x, "y": y}
        for name, values in wanted.items():
            with blame(f"data.normalize ({name})"):
                normalizers[name] = data.fit_normalizer(values[rows["train"]])
    arrays = {
        name: data.normalize(normalizers[name], values) if name in normalizers else values
        for name, values in {"x": x, "y": y}.items()
    }
    batches = {
        part: {name: np.asarray(values)[index] for name, values in arrays.items()}
        for part, index in rows.items()
    }
    return Prepared(dataset, batches, rows, normalizers)


def _size_of_pictures(size: tuple[int, ...]) -> tuple[int, int] | None:
    if not size:
        return None
    if len(size) == 2:
        return size
    refuse("data.size", "must be height and width", list(size), "Write for example [28, 28].")


def streams(seed: int) -> tuple[Key, Key, Key]:
    """Return independent keys for the split, the initial parameters and the training."""
    split, init, fit = jax.random.split(jax.random.key(seed), 3)
    return split, init, fit
