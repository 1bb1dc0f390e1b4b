"""Augmentations that change what pixels hold: a square cut out, two examples mixed."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from jaxopt_dl._core.errors import check_integer, check_number, fail, is_traced
from jaxopt_dl._core.numerics import along_first
from jaxopt_dl._core.types import Array, Batch, Key, Number

from ._steps import Step, example_keys, images_of
from ._warp import check_fill


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Cutout(Step):
    """A square of one value at a random place, made by `cutout`."""

    size: Number
    fill: Number
    p: Number

    def __call__(self, key: Key, batch: Batch) -> Batch:
        """Overwrite a square of each image."""
        images = images_of("cutout", batch)
        check_fill("cutout", "fill", self.fill, images.dtype)
        fill = jnp.asarray(self.fill).astype(images.dtype)
        keys = example_keys(key, len(images))
        hidden = jax.vmap(lambda own: self._square(own, *images.shape[1:3]))(keys)
        return {**batch, "x": jnp.where(hidden[..., None], fill, images)}

    def _square(self, key: Key, height: int, width: int) -> Array:
        """Return where one image is hidden; the square may reach over the border."""
        draws = jax.random.uniform(key, (3,), jnp.float32)
        rows, columns = self._side(draws[0], height), self._side(draws[1], width)
        return rows[:, None] & columns[None, :] & (draws[2] < jnp.asarray(self.p, jnp.float32))

    def _side(self, draw: Array, length: int) -> Array:
        size = jnp.asarray(self.size, jnp.int32)
        start = jnp.floor(draw * length).astype(jnp.int32) - size // 2
        place = jnp.arange(length)
        return (place >= start) & (place < start + size)


def cutout(size: Number, *, fill: Number = 0.0, p: Number = 1.0) -> Cutout:
    """Hide a square of each image, centered on any of its pixels.

    Args:
      size: side of the square in pixels, an integer of at least 0.
      fill: the value of hidden pixels, in the images' unit; after normalization 0 is the mean.
      p: probability of hiding anything, in [0, 1].

    Returns:
      A step for `augment`.

    Raises:
      TypeError: if `size` is not an integer, or a number is not a number.
      ValueError: if a number is out of range.

    Examples:
      >>> from jaxopt_dl.data import augment
      >>> batch = {"x": jnp.ones((1, 9, 9, 1))}
      >>> int((augment(cutout(20))(jax.random.key(0), batch)["x"] == 0).sum())
      81

    References:
      DeVries and Taylor, Improved regularization of convolutional neural networks with Cutout,
      2017.
    """
    if not is_traced(size):
        check_integer("cutout", "size", size, low=0)
    check_number("cutout", "fill", fill)
    check_number("cutout", "p", p, low=0, high=1)
    return Cutout(size, fill, p)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Mixup(Step):
    """Pairs of examples mixed, made by `mixup`."""

    alpha: Number

    def __call__(self, key: Key, batch: Batch) -> Batch:
        """Mix `x` and `y` of each example with those of another."""
        if "x" not in batch or "y" not in batch:
            came, advice = f"got {sorted(batch)}", 'Pass `{"x": inputs, "y": targets}`.'
            fail("mixup", "`batch` must hold `x` and `y`", came, advice)
        x, y = _mixable(batch, "x"), _mixable(batch, "y")
        partner, share = self._draw(key, len(x))
        partner = jnp.where(_counts(batch, len(x))[partner], partner, jnp.arange(len(x)))
        return {**batch, "x": _mix(x, partner, share), "y": _mix(y, partner, share)}

    def _draw(self, key: Key, examples: int) -> tuple[Array, Array]:
        """Return the other example of each pair and the share of the own one, at least half."""
        pairs, shares = jax.random.split(key)
        alpha = jnp.asarray(self.alpha, jnp.float32)
        positive = jnp.where(alpha > 0, alpha, 1)
        keys = example_keys(shares, examples)
        share = jax.vmap(lambda own: jax.random.beta(own, positive, positive))(keys)
        share = jnp.where(alpha > 0, jnp.maximum(share, 1 - share), 1)
        return jax.random.permutation(pairs, examples), share


def mixup(alpha: Number) -> Mixup:
    """Replace each example by a mixture with another one of its batch, targets included.

        x = share * x_i + (1 - share) * x_j,  y likewise,  share ~ Beta(alpha, alpha)

    The example with the larger share counts as the own one, whose weight stays. Rows of weight 0
    or outside the mask are never mixed into others.

    Args:
      alpha: at least 0. The larger, the more even the mixtures; 0 mixes nothing.

    Returns:
      A step for `augment`. It needs floating-point `y`: turn classes into distributions once,
      `jax.nn.one_hot(labels, classes)`, and train with `losses.soft_target_cross_entropy`.

    Raises:
      TypeError: if `alpha` is not a number. When called: if `x` or `y` are not floating point.
      ValueError: if `alpha` is negative. When called: if `x` or `y` is missing.

    Examples:
      >>> from jaxopt_dl.data import augment
      >>> batch = {"x": jnp.arange(4.0)[:, None], "y": jax.nn.one_hot(jnp.array([0, 1, 1, 0]), 2)}
      >>> mixed = augment(mixup(0.4))(jax.random.key(0), batch)
      >>> mixed["y"].sum(axis=1).tolist()
      [1.0, 1.0, 1.0, 1.0]

    References:
      Zhang, Cisse, Dauphin and Lopez-Paz, mixup: beyond empirical risk minimization, 2018. There
      one share serves a whole batch; here each pair has its own.
    """
    check_number("mixup", "alpha", alpha, low=0)
    return Mixup(alpha)


def _mixable(batch: Batch, name: str) -> Array:
    array = jnp.asarray(batch[name])
    if not jnp.issubdtype(array.dtype, np.floating):
        advice = "Turn classes into distributions first: `jax.nn.one_hot(labels, classes)`."
        if name == "x":
            advice = "Convert it first, for example with `.astype(jnp.float32)`."
        rule = f"`{name}` must hold floating-point numbers to be mixed"
        fail("mixup", rule, f"got dtype {array.dtype}", advice, kind=TypeError)
    return array


def _counts(batch: Batch, examples: int) -> Array:
    """Return which rows count: of positive weight, and inside the mask."""
    counts = jnp.ones(examples, bool)
    if "weight" in batch:
        counts &= jnp.asarray(batch["weight"]) > 0
    if "mask" in batch:
        counts &= jnp.asarray(batch["mask"])
    return counts


def _mix(values: Array, partner: Array, share: Array) -> Array:
    own = along_first(share, values.ndim).astype(values.dtype)
    return own * values + (1 - own) * values[partner]
