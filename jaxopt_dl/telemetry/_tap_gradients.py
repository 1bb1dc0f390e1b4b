"""The gradient of a loss with respect to what is computed inside it."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxopt_dl._core import jaxpr
from jaxopt_dl._core.errors import check_callable, check_floating, fail, is_traced
from jaxopt_dl._core.trees import leaves_with_paths, widen
from jaxopt_dl._core.types import Array, PyTree

from ._rounding import rounding_of
from ._taps import Traced, trace, traced_anew

WHO = "tap_gradients"


class Tapped(NamedTuple):
    """A loss seen from inside.

    Attributes:
      value: the loss, a scalar.
      aux: what the function returned beside it; None without `has_aux`.
      activations: site -> what was computed there.
      gradients: site -> gradient of the loss with respect to it, of the same shape.
      param_gradients: gradient with respect to the parameters, a pytree like them.

    Examples:
      >>> seen = tap_gradients(lambda w, x: jnp.tanh(w * x).sum())(jnp.array(0.0), jnp.ones(2))
      >>> seen.gradients["tanh"].tolist(), float(seen.param_gradients)
      ([1.0, 1.0], 2.0)
    """

    value: Array
    aux: Any
    activations: dict[str, Array]
    gradients: dict[str, Array]
    param_gradients: PyTree


def tap_gradients(function: Callable[..., Any], *, has_aux: bool = False) -> Callable[..., Tapped]:
    """Make of a loss a function that also returns activations and the gradients that reach them.

    A zero is added to every site, and the loss is differentiated with respect to it. Sites are
    those of `tap`. The gradient with respect to a matrix product is what back-propagation calls
    the error of a layer.

    It does not trust itself: the function is traced a second time, and the two programs must be
    the same; and outside of compiled programs the gradient of the parameters is compared with
    that of `jax.grad`.

    Args:
      function: `function(params, *args)` returns the loss, a scalar, or `(loss, aux)`.
      has_aux: whether it returns `aux`, any pytree of arrays.

    Returns:
      `tapped(params, *args) -> Tapped`. It works under `jit`, `vmap` and `grad`.

    Raises:
      TypeError: if `function` cannot be called; when called, if `params` holds other leaves than
        floating-point arrays.
      ValueError: when called, if the loss is no real scalar, if there is no site, or if the
        function computes something else each time: then what is seen is not what is trained.

    Examples:
      >>> loss = lambda w, x: jnp.mean(jax.nn.relu(x @ w) ** 2)
      >>> seen = tap_gradients(loss)(jnp.array([2.0]), jnp.array([[1.0], [-1.0]]))
      >>> seen.activations["dot_general"].tolist(), seen.gradients["dot_general"].tolist()
      ([2.0, -2.0], [2.0, 0.0])
    """
    check_callable(WHO, "function", function)

    def tapped(params: PyTree, *args: Any) -> Tapped:
        for path, leaf in leaves_with_paths(params):
            check_floating(WHO, path or "params", leaf)
        traced = trace(WHO, function, (params, *args))
        _check_loss(traced.outputs, has_aux)
        _check_same_again(traced, function, (params, *args))
        seen = _differentiate(traced, params, args, has_aux)
        plain = jax.grad(function, has_aux=has_aux)(params, *args)
        _check_gradients(seen.param_gradients, plain[0] if has_aux else plain)
        return seen

    return tapped


def _differentiate(traced: Traced, params: PyTree, args: tuple, has_aux: bool) -> Tapped:
    rest = jax.tree.leaves(args)

    def loss(own: PyTree, shifts: dict[str, Array]) -> tuple[Array, tuple[list, dict]]:
        values = [*jax.tree.leaves(own), *rest]
        outputs, found = jaxpr.evaluate_with_taps(traced.program, values, traced.taps, shifts)
        return outputs[0], (outputs, found)

    specs = traced.specs().items()
    shifts = OrderedDict((site, jnp.zeros(spec.shape, spec.dtype)) for site, spec in specs)
    params = jax.tree.map(jnp.asarray, params)
    slopes = jax.value_and_grad(loss, argnums=(0, 1), has_aux=True)
    (value, (outputs, found)), (by_params, by_site) = slopes(params, shifts)
    returned = jax.tree.unflatten(jax.tree.structure(traced.outputs), outputs)
    return Tapped(
        value=value,
        aux=returned[1] if has_aux else None,
        activations=OrderedDict((site, found[site]) for site in shifts),
        gradients=by_site,
        param_gradients=by_params,
    )


def _check_loss(outputs: Any, has_aux: bool) -> None:
    if has_aux and not (isinstance(outputs, tuple) and len(outputs) == 2):
        advice = "Return both, or leave out `has_aux`."
        fail(WHO, "`function` must return `(loss, aux)`", f"got {outputs}", advice)
    loss: Any = outputs[0] if has_aux else outputs
    if getattr(loss, "shape", None) != () or not jnp.issubdtype(loss.dtype, jnp.floating):
        advice = "Take the mean over the batch; pass `has_aux=True` if it returns more."
        fail(WHO, "the loss must be a real scalar", f"got {loss}", advice)


def _check_same_again(traced: Traced, function: Callable, args: tuple) -> None:
    again, _ = traced_anew(function, args)
    site = jaxpr.first_difference(traced.program, again)
    if site is not None:
        rule = "`function` must compute the same each time it is called"
        where = f"{site.place.function} ({site.place.file}:{site.place.line})"
        came = f"got another `{site.equation.primitive.name}` the second time, in {where}"
        fail(WHO, rule, came, "Pass random numbers and whatever changes as arguments.")


def _check_gradients(tapped: PyTree, plain: PyTree) -> None:
    """Compare two gradients where both are numbers."""
    pairs = list(zip(leaves_with_paths(tapped), jax.tree.leaves(plain), strict=True))
    if any(is_traced(leaf) for (_, mine), other in pairs for leaf in (mine, other)):
        return
    peak = max((_largest(_finite(other)) for _, other in pairs), default=0.0)
    for (path, mine), other in pairs:
        off = _largest(jnp.where(_agree(mine, other), jnp.zeros_like(mine), mine - other))
        if not off <= rounding_of(mine) * peak:
            rule = f"the gradient of {path or 'params'} must be that of `jax.grad`"
            came = f"got a difference of {off:.2g} where the largest entry is {peak:.2g}"
            advice = "The function must compute the same each time; look for callbacks to the host."
            fail(WHO, rule, came, advice)


def _agree(mine: Array, other: Array) -> Array:
    return (mine == other) | (jnp.isnan(mine) & jnp.isnan(other))


def _finite(leaf: Array) -> Array:
    return jnp.where(jnp.isfinite(leaf), leaf, jnp.zeros_like(leaf))


def _largest(leaf: Array) -> float:
    return float(jnp.max(jnp.abs(widen(leaf)), initial=0.0))
