"""Inputs of the model as small PNG pictures inside `data:` addresses."""

import base64
import io

import numpy as np

from jaxopt_dl._core.errors import require

_LARGEST = 64


def is_image(inputs: np.ndarray) -> bool:
    """Whether the shape is `(h, w)`, `(h, w, 1)` or `(h, w, 3)`."""
    return inputs.ndim == 2 or (inputs.ndim == 3 and inputs.shape[-1] in (1, 3))


def picture(inputs: np.ndarray) -> str:
    """Return an image as the `data:` address of a PNG, at most 64 pixels on a side.

    uint8 and color in [0, 1] are shown as they are; everything else is stretched from its own
    smallest to its own largest value.
    """
    images = require("render_page", "matplotlib.image", "app")
    image = _small(inputs)
    levels = np.broadcast_to(_levels(image), (*image.shape[:2], 3))
    buffer = io.BytesIO()
    images.imsave(buffer, levels, format="png", metadata={"Software": None})
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def _small(inputs: np.ndarray) -> np.ndarray:
    image = inputs[..., None] if inputs.ndim == 2 else inputs
    stride = -(-max(image.shape[:2]) // _LARGEST)
    return image[::stride, ::stride]


def _levels(image: np.ndarray) -> np.ndarray:
    """Map values to integers from 0 to 255; what is not finite becomes black."""
    if image.dtype == np.uint8:
        return image
    values = image.astype(np.float64)
    finite = values[np.isfinite(values)]
    low, high = (finite.min(), finite.max()) if finite.size else (0.0, 0.0)
    if image.shape[-1] == 3 and low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    shade = (values - low) / (high - low) if high > low else np.full(values.shape, 0.5)
    return np.rint(255 * np.where(np.isfinite(values), shade, 0)).astype(np.uint8)
