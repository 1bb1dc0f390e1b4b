"""What flows through every site, in numbers: of activations and of gradients alike."""

import re
from collections import OrderedDict
from collections.abc import Mapping
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxopt_dl._core.errors import check_floating, fail
from jaxopt_dl._core.trees import widen
from jaxopt_dl._core.types import Array

from ._layers import check_concrete
from ._parameters import UnitSymmetry, symmetry

BOUNDS = {
    "tanh": (-1.0, 1.0),
    "hard_tanh": (-1.0, 1.0),
    "soft_sign": (-1.0, 1.0),
    "erf": (-1.0, 1.0),
    "logistic": (0.0, 1.0),
    "sigmoid": (0.0, 1.0),
    "hard_sigmoid": (0.0, 1.0),
}
"""Functions that level off at both ends, where their derivative is almost zero."""
NEAR = 0.01
"""Within this share of its range an entry counts as saturated."""


class SiteStats(NamedTuple):
    """One site in numbers. A unit is one entry of the site for one example.

    Attributes:
      mean: over all entries, a scalar.
      std: standard deviation over all entries, a scalar.
      mean_square: what variance-scaling initializers keep from layer to layer, a scalar.
      zeros: share of exact zeros, in [0, 1].
      dead: share of units that are zero for every example, in [0, 1].
      saturated: share of entries within 1 % of an end of the range, in [0, 1]; None where the
        function is not one of `tanh`, `sigmoid` and the like.
      dimension: in how many directions the examples differ, `tr(C)^2 / tr(C^2)` with the
        covariance C of the units: 1 if all of them follow one another, at most the number of
        units and one less than the examples; 0 if no unit varies.
      unit_mean: over the examples, the shape of the site without the batch axis.
      unit_std: over the examples, likewise.

    Examples:
      >>> site_stats({"relu": jnp.array([[0.0, 1.0], [0.0, 3.0]])}, {"relu": 0})["relu"].dead
      Array(0.5, dtype=float32)
    """

    mean: Array
    std: Array
    mean_square: Array
    zeros: Array
    dead: Array
    saturated: Array | None
    dimension: Array
    unit_mean: Array
    unit_std: Array


def site_stats(sites: Mapping[str, Array], axes: Mapping[str, int | None]) -> dict[str, SiteStats]:
    """Measure every site: of the activations, or of the gradients that reach them.

    Dead units, saturated ones, units that all do the same: in the activations they are the causes
    and in the gradients the effects. Works inside compiled programs.

    Args:
      sites: site -> floating-point array, as `tap` and `tap_gradients` return them.
      axes: site -> batch axis, as `batch_axes` returns them; where it is None all entries count
        as one example.

    Returns:
      Site -> `SiteStats`, each at least float32.

    Raises:
      TypeError: if a site does not hold floating-point numbers.
      ValueError: if a site has no entry in `axes`, or not that axis.

    Examples:
      >>> stats = site_stats({"tanh": jnp.array([[0.999, 0.1], [-0.999, 0.1]])}, {"tanh": 0})
      >>> float(stats["tanh"].saturated), float(stats["tanh"].dimension)
      (0.5, 1.0)
    """
    rows = _by_example("site_stats", sites, axes)
    return OrderedDict((site, _measure(site, widen(x))) for site, x in rows.items())


def site_symmetry(
    sites: Mapping[str, Array], axes: Mapping[str, int | None]
) -> dict[str, UnitSymmetry]:
    """Count the units of every site that are not copies of another one.

    `unit_symmetry` compares the weights and needs to know which they are; this one compares what
    units compute, or the gradients that reach them, in any function. Two units that agree in both
    on all examples stay copies for ever. All dead units count as one.

    Args:
      sites: as for `site_stats`, outside of compiled programs.
      axes: likewise. With few examples more units agree than are the same.

    Returns:
      Site -> `UnitSymmetry`, for sites with a batch axis.

    Raises:
      TypeError: if a site does not hold floating-point numbers, or is traced.
      ValueError: if a site has no entry in `axes`, or not that axis.

    Examples:
      >>> site_symmetry({"relu": jnp.array([[1.0, 1.0, 2.0], [3.0, 3.0, 5.0]])}, {"relu": 0})
      {'relu': UnitSymmetry(units=3, distinct=2, rank=2)}
    """
    who = "site_symmetry"
    check_concrete(who, "sites", dict(sites), "Return the sites from the compiled program.")
    rows = _by_example(who, sites, axes)
    batched = {site: x for site, x in rows.items() if axes[site] is not None}
    return {
        site: symmetry(np.asarray(widen(x)).reshape(len(x), -1), None)
        for site, x in batched.items()
    }


def _by_example(
    who: str, sites: Mapping[str, Array], axes: Mapping[str, int | None]
) -> dict[str, Array]:
    """Return every site with the examples first."""
    found = {}
    for site, values in sites.items():
        check_floating(who, site, values)
        if site not in axes:
            advice = "Pass what `batch_axes` returns for the same function."
            fail(who, f"`axes` must hold every site, also {site}", "got none for it", advice)
        axis = axes[site]
        if axis is not None and not 0 <= axis < jnp.ndim(values):
            came = f"got axis {axis} of shape {jnp.shape(values)}"
            fail(who, f"{site} must have its batch axis", came, "Call `batch_axes` again.")
        found[site] = jnp.asarray(values)[None] if axis is None else jnp.moveaxis(values, axis, 0)
    return found


def _measure(site: str, x: Array) -> SiteStats:
    zero = x == 0
    return SiteStats(
        mean=jnp.mean(x),
        std=jnp.std(x),
        mean_square=jnp.mean(jnp.square(x)),
        zeros=jnp.mean(zero, dtype=x.dtype),
        dead=jnp.mean(jnp.all(zero, axis=0), dtype=x.dtype),
        saturated=_saturated(site, x),
        dimension=_dimension(x.reshape(x.shape[0], -1)),
        unit_mean=jnp.mean(x, axis=0),
        unit_std=jnp.std(x, axis=0),
    )


def _saturated(site: str, x: Array) -> Array | None:
    bounds = BOUNDS.get(re.sub(r"_\d+$", "", site.rpartition("/")[2]))
    if bounds is None:
        return None
    low, high = bounds
    margin = NEAR * (high - low)
    return jnp.mean((x <= low + margin) | (x >= high - margin), dtype=x.dtype)


def _dimension(x: Array) -> Array:
    """Participation ratio of the covariance, in units of the largest deviation."""
    deviations = x - jnp.mean(x, axis=0, keepdims=True)
    peak = jnp.max(jnp.abs(deviations))
    scaled = deviations / jnp.where(peak == 0, jnp.ones_like(peak), peak)
    products = scaled @ scaled.T if x.shape[0] <= x.shape[1] else scaled.T @ scaled
    squares = jnp.sum(jnp.square(products))
    ratio = jnp.square(jnp.trace(products)) / jnp.where(peak == 0, jnp.ones_like(peak), squares)
    return jnp.where(peak == 0, jnp.zeros_like(ratio), ratio)
