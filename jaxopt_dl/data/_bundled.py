"""Small real data sets that come with scikit-learn and need no network."""

import numpy as np

from jaxopt_dl._core.errors import check_choice, require

from ._dataset import Dataset

BUNDLED = ("breast_cancer", "diabetes", "digits", "iris", "wine")
_REGRESSION = "diabetes"
_DIGITS = "digits"


def load_bundled(name: str) -> Dataset:
    """Load one of scikit-learn's bundled data sets.

    =============  ========  =====================  =======================
    name           examples  features               target
    =============  ========  =====================  =======================
    breast_cancer  569       30                     2 classes
    diabetes       442       10                     a number from 25 to 346
    digits         1797      64, pictures of 8 x 8  10 classes
    iris           150       4                      3 classes
    wine           178       13                     3 classes
    =============  ========  =====================  =======================

    Values come as they are, except that digits are divided by 16, so that pixels lie in [0, 1].

    Args:
      name: one of the names above.

    Returns:
      The data set; pictures are flat, `(n, 64)`.

    Raises:
      ModuleNotFoundError: if scikit-learn is not installed, with the command that installs it.
      ValueError: if the name is unknown, with the names there are.

    Examples:
      >>> digits = load_bundled("digits")
      >>> digits.x.shape, digits.image_shape, len(digits.class_names)
      ((1797, 64), (8, 8), 10)
    """
    check_choice("load_bundled", "name", name, BUNDLED)
    datasets = require("load_bundled", "sklearn.datasets", "app", package="scikit-learn")
    bunch = getattr(datasets, f"load_{name}")()
    classes = None if name == _REGRESSION else tuple(str(label) for label in bunch.target_names)
    largest = 16.0 if name == _DIGITS else 1.0
    return Dataset(
        name=name,
        x=(bunch.data / largest).astype(np.float32),
        y=bunch.target.astype(np.float32 if classes is None else np.int32),
        feature_names=tuple(str(feature) for feature in bunch.feature_names),
        class_names=classes,
        image_shape=(8, 8) if name == _DIGITS else None,
    )
