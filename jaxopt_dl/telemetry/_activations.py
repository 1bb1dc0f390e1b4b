"""What flows through a network, layer by layer."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxopt_dl._core import jaxpr
from jaxopt_dl._core.errors import check_callable, fail
from jaxopt_dl._core.jaxpr import Equation
from jaxopt_dl._core.trees import widen
from jaxopt_dl._core.types import Array


class ActivationStats(NamedTuple):
    """One layer's output in numbers, each a scalar over all of its entries.

    Attributes:
      mean: near 0 for layers that center (tanh, normalization); not so for ReLU.
      std: standard deviation.
      mean_square: what variance-scaling initializers keep from layer to layer; `mean^2 + std^2`.
      zeros: share of exact zeros; 1 means that no unit is alive.
      dead: share of units (places on the last axis) that are zero in every row.

    Examples:
      >>> stats = activation_stats(jax.named_scope("relu")(jax.nn.relu), jnp.array([-1.0, 2.0]))
      >>> float(stats["relu"].mean), float(stats["relu"].zeros)
      (1.0, 0.5)
    """

    mean: Array
    std: Array
    mean_square: Array
    zeros: Array
    dead: Array


def activation_stats(function: Callable[..., Any], *args: Any) -> dict[str, ActivationStats]:
    """Measure the output of every layer in one evaluation of a network.

    A layer is a `jax.named_scope`: those of `nn.sequential` and of Flax modules are seen, and any
    written by hand. Its output is the last value computed under that name, so a layer that
    computes nothing, such as dropout in evaluation, does not appear. Works inside compiled
    programs.

    Args:
      function: any function of arrays, such as `lambda x: layer.apply(params, state, x,
        training=False)[0]`.
      *args: its arguments, pytrees of arrays.

    Returns:
      Layer -> `ActivationStats`, in the order of the program; each at least float32.

    Raises:
      TypeError: if `function` cannot be called.
      ValueError: if nothing in the function runs under a named scope.

    Examples:
      >>> from jaxopt_dl import nn
      >>> model = nn.mlp((64, 3))
      >>> params, state = model.init(jax.random.key(0), (10,))
      >>> x = jax.random.normal(jax.random.key(1), (100, 10))
      >>> list(activation_stats(lambda x: model.apply(params, state, x, training=False)[0], x))
      ['00_dense', '01_relu', '02_dense']
    """
    check_callable("activation_stats", "function", function)
    program = jax.make_jaxpr(function)(*args)
    last = {scope: equation for scope, equation in jaxpr.scoped_equations(program) if scope}
    last = {scope: equation for scope, equation in last.items() if _is_floating(equation)}
    if not last:
        rule = "the function must run layers under named scopes"
        advice = "Use `nn.sequential`, Flax modules, or `jax.named_scope`."
        fail("activation_stats", rule, "got none", advice)
    found: dict[str, ActivationStats] = {}

    def recording(scope: str) -> jaxpr.Replacement:
        def record(equation: Equation, values: list) -> list:
            outputs = jaxpr.bind(equation, values)
            found[scope] = _measure(widen(outputs[0]))
            return outputs

        return record

    replace = {id(equation): recording(scope) for scope, equation in last.items()}
    jaxpr.evaluate(program, jax.tree.leaves(args), replace)
    return {scope: found[scope] for scope in last}


def _measure(x: Array) -> ActivationStats:
    mean = jnp.mean(x)
    std = jnp.std(x)
    zero = (x == 0).astype(x.dtype)
    dead = jnp.mean(jnp.min(jnp.atleast_1d(zero), axis=tuple(range(x.ndim - 1))))
    return ActivationStats(mean, std, jnp.mean(jnp.square(x)), jnp.mean(zero), dead)


def _is_floating(equation: Equation) -> bool:
    return jnp.issubdtype(jaxpr.output_types(equation)[0].dtype, jnp.floating)
