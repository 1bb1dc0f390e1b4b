"""Changes of an image's geometry, each told as where its pixels come from.

A change does not touch pixels: it moves points. Changes one after another are functions one
after another, and the image is read once, at the end (`_warp.resample`). Randomness comes as
uniform numbers in [0, 1): all changes of an image share one draw, which is one small program
instead of one for each.
"""

import abc
import dataclasses
import math

import jax
import jax.numpy as jnp

from jaxopt_dl._core.types import Array, Number

from ._warp import Points


class Geometry(abc.ABC):
    """A random change of geometry; its fields are its numbers, and leaves of a pytree."""

    def random_shape(self, height: int, width: int) -> tuple[int, ...]:
        """Return the shape of the random numbers it needs for an image: one, as a rule."""
        return ()

    @abc.abstractmethod
    def sources(self, draws: Array, points: Points) -> Points:
        """Return where the points of the changed image lie in the image before.

        Args:
          draws: uniform in [0, 1), of the shape asked for.
          points: places in the changed image.
        """


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class HFlip(Geometry):
    """Left becomes right, with probability `p`."""

    p: Number

    def sources(self, draws: Array, points: Points) -> Points:
        """Mirror the columns."""
        mirrored = points.x.shape[1] - 1 - points.x
        return points._replace(x=jnp.where(_happens(draws, self.p), mirrored, points.x))


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class VFlip(Geometry):
    """Top becomes bottom, with probability `p`."""

    p: Number

    def sources(self, draws: Array, points: Points) -> Points:
        """Mirror the rows."""
        height = points.y.shape[0]
        return points._replace(
            y=jnp.where(_happens(draws, self.p), height - 1 - points.y, points.y)
        )


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Crop(Geometry):
    """A window of the image's size out of the image padded by `padding` pixels."""

    padding: Number

    def random_shape(self, height: int, width: int) -> tuple[int, ...]:
        """Return one number for each axis."""
        return (2,)

    def sources(self, draws: Array, points: Points) -> Points:
        """Move by whole pixels."""
        most = _like(self.padding, points.y)
        moves = jnp.floor(draws * (2 * most + 1)) - most
        return Points(points.y + moves[0], points.x + moves[1])


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Shift(Geometry):
    """A move by up to `pixels` along each axis, parts of pixels included."""

    pixels: Number

    def random_shape(self, height: int, width: int) -> tuple[int, ...]:
        """Return one number for each axis."""
        return (2,)

    def sources(self, draws: Array, points: Points) -> Points:
        """Move by parts of pixels."""
        moves = _between(draws, -self.pixels, self.pixels)
        return Points(points.y - moves[0], points.x - moves[1])


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Rotate(Geometry):
    """A turn about the center by an angle in degrees, counterclockwise, in [low, high]."""

    low: Number
    high: Number

    def sources(self, draws: Array, points: Points) -> Points:
        """Turn the points the other way."""
        cos, sin = _cos_sin(_between(draws, self.low, self.high))
        y, x = _from_center(points)
        return _to_corner(Points(cos * y + sin * x, cos * x - sin * y))


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Zoom(Geometry):
    """Magnification about the center by a factor in [low, high]."""

    low: Number
    high: Number

    def sources(self, draws: Array, points: Points) -> Points:
        """Draw the points together."""
        factor = _between(draws, self.low, self.high)
        y, x = _from_center(points)
        return _to_corner(Points(y / factor, x / factor))


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Elastic(Geometry):
    """A smooth random displacement of `alpha` pixels (root mean square) per axis."""

    alpha: Number
    sigma: Number

    def random_shape(self, height: int, width: int) -> tuple[int, ...]:
        """Return a number for each axis of each pixel."""
        return (2, height, width)

    def sources(self, draws: Array, points: Points) -> Points:
        """Add a field of its own to each axis."""
        white = math.sqrt(12) * (draws - 0.5)
        rows, columns = (_smoothing(size, self.sigma, white) for size in points.y.shape)
        fields = _like(self.alpha, white) * (rows @ white @ columns.T)
        return Points(points.y + fields[0], points.x + fields[1])


def _smoothing(size: int, sigma: Number, like: Array) -> Array:
    """Return a Gaussian `(size, size)` whose rows have norm 1, so that variances stay 1."""
    place = jnp.arange(size, dtype=like.dtype)
    distance = (place[:, None] - place[None, :]) / _like(sigma, like)
    bell = jnp.exp(-(distance**2) / 2)
    return bell / jnp.sqrt(jnp.sum(bell**2, axis=1, keepdims=True))


def _cos_sin(degrees: Array) -> tuple[Array, Array]:
    """Return cosine and sine, exact at multiples of 90 degrees."""
    quarters = jnp.round(degrees / 90)
    rest = jnp.deg2rad(degrees - 90 * quarters)
    cos, sin = jnp.cos(rest), jnp.sin(rest)
    turn = quarters.astype(jnp.int32) % 4
    odd, sign = turn % 2 == 1, _like(jnp.where(turn >= 2, -1, 1), rest)
    return sign * jnp.where(odd, -sin, cos), sign * jnp.where(odd, cos, sin)


def _from_center(points: Points) -> Points:
    height, width = points.y.shape
    return Points(points.y - (height - 1) / 2, points.x - (width - 1) / 2)


def _to_corner(points: Points) -> Points:
    height, width = points.y.shape
    return Points(points.y + (height - 1) / 2, points.x + (width - 1) / 2)


def _happens(draw: Array, p: Number) -> Array:
    return draw < _like(p, draw)


def _between(draw: Array, low: Number, high: Number) -> Array:
    low, high = _like(low, draw), _like(high, draw)
    return low + draw * (high - low)


def _like(number: Number, array: Array) -> Array:
    return jnp.asarray(number).astype(array.dtype)
