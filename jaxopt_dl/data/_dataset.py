"""What a loaded data set is, wherever it came from."""

import dataclasses

import numpy as np

from ._targets import as_float32


@dataclasses.dataclass(frozen=True, eq=False)
class Dataset:
    """Examples with their targets and the names a person reads; arrays live on the host.

    Attributes:
      name: what to call it in tables and on pages.
      x: `(n, *features)` float32; memory-mapped, it has the dtype of its file.
      y: `(n,)` int32 class labels in `[0, len(class_names))`, or `(n, ...)` float32 targets.
      feature_names: one for each number of an example, in row-major order.
      class_names: one for each class, or None for regression.
      image_shape: shape in which one example is a picture, or None.

    Examples:
      >>> data = Dataset("toy", np.zeros((3, 1), np.float32), np.zeros(3, np.float32), ("a",))
      >>> data.x.shape, data.class_names
      ((3, 1), None)
    """

    name: str
    x: np.ndarray
    y: np.ndarray
    feature_names: tuple[str, ...]
    class_names: tuple[str, ...] | None = None
    image_shape: tuple[int, ...] | None = None

    def in_memory(self) -> "Dataset":
        """Return the same with `x` as finite float32 in memory, where it was mapped from a file.

        Raises:
          ValueError: naming rows and columns with NaN, infinity or numbers too large for float32.
        """
        if not isinstance(self.x, np.memmap):
            return self
        x = np.array(as_float32(self.name, "x", self.x, self.feature_names))
        return dataclasses.replace(self, x=x)
