"""Changes of geometry by name, numbers checked: flip, crop, shift, turn, zoom, distort."""

from jaxopt_dl._core.errors import check_integer, check_number, fail, is_traced
from jaxopt_dl._core.types import Number

from ._geometry import Crop, Elastic, HFlip, Rotate, Shift, VFlip, Zoom


def hflip(p: Number = 0.5) -> HFlip:
    """Mirror left and right, with probability `p`.

    Only where the mirror image has the same label: a flipped cat is a cat, a flipped 2 is
    nothing.

    Args:
      p: probability, in [0, 1].

    Returns:
      A step for `augment`.

    Raises:
      TypeError: if `p` is not a number.
      ValueError: if `p` is outside [0, 1].

    Examples:
      >>> hflip(0.5)
      HFlip(p=0.5)
    """
    check_number("hflip", "p", p, low=0, high=1)
    return HFlip(p)


def vflip(p: Number = 0.5) -> VFlip:
    """Mirror top and bottom, with probability `p`: for images without an up, as from above.

    Args:
      p: probability, in [0, 1].

    Returns:
      A step for `augment`.

    Raises:
      TypeError: if `p` is not a number.
      ValueError: if `p` is outside [0, 1].

    Examples:
      >>> vflip(1.0)
      VFlip(p=1.0)
    """
    check_number("vflip", "p", p, low=0, high=1)
    return VFlip(p)


def random_crop(*, padding: Number) -> Crop:
    """Cut a window of the image's own size out of the padded image, anywhere.

    The same as a move by up to `padding` whole pixels along each axis: no blur.

    Args:
      padding: pixels added on each side, an integer of at least 0; 4 is usual at 32 x 32.

    Returns:
      A step for `augment`, whose `border` says what the padding holds.

    Raises:
      TypeError: if `padding` is not an integer.
      ValueError: if it is negative.

    Examples:
      >>> random_crop(padding=4)
      Crop(padding=4)
    """
    if not is_traced(padding):
        check_integer("random_crop", "padding", padding, low=0)
    return Crop(padding)


def random_shift(pixels: Number) -> Shift:
    """Move the image by up to `pixels` along each axis, parts of pixels included.

    Args:
      pixels: the most, at least 0. On small images even one is much: an eighth of 8 pixels.

    Returns:
      A step for `augment`.

    Raises:
      TypeError: if `pixels` is not a number.
      ValueError: if it is negative.

    Examples:
      >>> random_shift(0.5)
      Shift(pixels=0.5)
    """
    check_number("random_shift", "pixels", pixels, low=0)
    return Shift(pixels)


def random_rotate(degrees: Number | tuple[Number, Number]) -> Rotate:
    """Turn the image about its center; positive angles turn it counterclockwise.

    Args:
      degrees: the largest angle either way, at least 0; or the range `(low, high)`. Multiples of
        90 are exact: `(90, 90)` gives `jnp.rot90` of a square image.

    Returns:
      A step for `augment`.

    Raises:
      TypeError: if an angle is not a number.
      ValueError: if `degrees` is negative, or `low` above `high`.

    Examples:
      >>> random_rotate(15)
      Rotate(low=-15.0, high=15.0)
    """
    who = "random_rotate"
    if isinstance(degrees, tuple):
        return Rotate(*_check_range(who, "degrees", degrees))
    check_number(who, "degrees", degrees, low=0)
    high = degrees if is_traced(degrees) else float(degrees)
    return Rotate(-high, high)


def random_zoom(low: Number, high: Number) -> Zoom:
    """Magnify the image about its center by a factor from a range.

    Args:
      low: smallest factor, positive; below 1 the image shrinks and shows its border.
      high: largest factor, at least `low`.

    Returns:
      A step for `augment`.

    Raises:
      TypeError: if a factor is not a number.
      ValueError: if a factor is not positive, or `low` above `high`.

    Examples:
      >>> random_zoom(0.9, 1.1)
      Zoom(low=0.9, high=1.1)
    """
    for name, factor in (("low", low), ("high", high)):
        check_number("random_zoom", name, factor, low=0, low_open=True)
    return Zoom(*_check_range("random_zoom", "low, high", (low, high)))


def elastic_distort(alpha: Number, *, sigma: Number = 4.0) -> Elastic:
    """Displace each pixel a little, neighbors alike: subtle distortions, as for handwriting.

    Each axis gets a field of its own, white noise smoothed by a Gaussian and scaled so that the
    root mean square of the displacement is `alpha` everywhere.

        field = alpha * G_height N G_width^T,  each row of G a Gaussian of norm 1

    Args:
      alpha: displacement along each axis in pixels (root mean square), at least 0; 0 changes
        nothing.
      sigma: width of the Gaussian in pixels, positive: how far pixels move alike.

    Returns:
      A step for `augment`.

    Raises:
      TypeError: if a number is not a number.
      ValueError: if `alpha` is negative or `sigma` not positive.

    Examples:
      >>> elastic_distort(0.5)
      Elastic(alpha=0.5, sigma=4.0)

    References:
      Simard, Steinkraus and Platt, Best practices for convolutional neural networks applied to
      visual document analysis, 2003. There `alpha` multiplies a field scaled in another way, and
      is larger.
    """
    check_number("elastic_distort", "alpha", alpha, low=0)
    check_number("elastic_distort", "sigma", sigma, low=0, low_open=True)
    return Elastic(alpha, sigma)


def _check_range(who: str, name: str, ends: tuple[Number, ...]) -> tuple[Number, Number]:
    if len(ends) != 2:
        fail(who, f"`{name}` must be (low, high)", f"got {ends}", "Pass two numbers.")
    low, high = ends
    check_number(who, name, low)
    check_number(who, name, high)
    if not (is_traced(low) or is_traced(high)) and low > high:
        rule = f"the low end of `{name}` must not be above the high end"
        fail(who, rule, f"got {low} and {high}", "Exchange them.")
    return low, high
