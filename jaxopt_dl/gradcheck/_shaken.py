"""How far rounding moves the outputs of a program: measured by shaking every operation.

Each result that an operation rounds is moved by a random amount of that size, larger by a known
factor, and the program is run again (Monte Carlo arithmetic). Cancellation shows at once, while
moving the inputs does not reveal it: where results are long stairs, all of a neighborhood stands
on one of them.

References:
  Parker, Monte Carlo Arithmetic: exploiting randomness in floating-point arithmetic (1997).
"""

import functools
import itertools
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from jaxopt_dl._core import jaxpr
from jaxopt_dl._core.jaxpr import Equation
from jaxopt_dl._core.types import Array

EXACT = frozenset(
    "abs argmax argmin broadcast_in_dim clamp concatenate copy cummax cummin dynamic_slice "
    "dynamic_update_slice expand_dims gather imag max min neg pad real reduce_max reduce_min "
    "reduce_precision reshape rev round floor ceil select_n sign slice sort split squeeze "
    "stop_gradient transpose while scatter select_and_gather_add top_k".split()
)
"""Operations that return one of their operands, or nothing that rounding could touch."""
SUMS = frozenset("dot_general reduce_sum cumsum conv_general_dilated scatter-add".split())
"""Operations whose rounding is that of their terms, which may cancel."""
LONG = 150
"""Operations."""
NESTED = frozenset(("scan", "cond"))
"""Operations whose programs are shaken as well."""
SAMPLES = 6
LARGER = 64.0
"""Factor on rounding errors, so that shaking is finer than what it moves."""
ROUGHEST = 2.0**-10
"""No shake is larger, relative to the number: errors should stay proportional to it."""


class Shaken:
    """A function of a flat vector, evaluated with shaken operations; traced at first use."""

    def __init__(self, function: Callable[[Array], Array], roundoff: float):
        """Wrap the function.

        Args:
          function: of a `(size,)` float64 vector; returns one float64 array.
          roundoff: unit roundoff of the narrowest type the function computes in.
        """
        self._function = function
        self._factor = float(np.clip(ROUGHEST / roundoff, 1.0, LARGER))
        self._run: Callable | None = None

    def spread(self, flat: np.ndarray) -> np.ndarray:
        """Return the root mean square of the rounding errors of the output at `flat`."""
        self._run = self._run or _shaken(self._function, self._factor, flat)
        salts = np.uint64(1_000_003) * np.arange(1, SAMPLES + 1, dtype=np.uint64)
        found = np.stack([np.asarray(self._run(flat, salt)) for salt in salts])
        with np.errstate(all="ignore"):
            return np.std(found, axis=0, ddof=1) / self._factor


def _shaken(function: Callable[[Array], Array], factor: float, flat: np.ndarray) -> Callable:
    """Return a function of the vector and a salt.

    A long program runs one operation at a time, because all of them together take long to
    compile; unless one would have to be compiled again in every run.
    """
    program = jax.make_jaxpr(lambda flat: function(flat))(flat)

    def run(flat: Array, salt: Array) -> Array:
        numbers = itertools.count()

        def step(equation: Equation, values: list) -> Sequence[Array]:
            return _rounded(equation, values, salt + next(numbers), factor)

        return jaxpr.evaluate_each(program, [flat], step)[0]

    names = [site.equation.primitive.name for site in jaxpr.walk(program)]
    return jax.jit(run) if len(names) <= LONG or NESTED.intersection(names) else run


def _rounded(equation: Equation, values: list, salt: Array, factor: float) -> Sequence[Array]:
    """Run one equation and shake what it rounds."""
    name = equation.primitive.name
    if name in SUMS:
        values = [_shake(value, salt, factor) for value in values]
    outputs = jaxpr.bind(equation, values)
    if name in EXACT or (name == "convert_element_type" and not _narrows(equation)):
        return outputs
    return [_shake(output, salt, factor) for output in outputs]


@functools.partial(jax.jit, static_argnums=2)
def _shake(value: Array, salt: Array, factor: float) -> Array:
    """Move every number by a random share of its rounding error, fixed by its bits and salt."""
    if not jnp.issubdtype(value.dtype, np.floating):
        return value
    bits = jax.lax.bitcast_convert_type(value.astype(np.float64), np.uint64)
    bits = (bits ^ (salt * np.uint64(0x9E3779B97F4A7C15))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(29))) * np.uint64(0x94D049BB133111EB)
    share = (bits >> np.uint64(11)).astype(np.float64) * 2.0**-52 - 1
    size = factor * float(jnp.finfo(value.dtype).eps) / 2
    return value * (1 + size * share).astype(value.dtype)


def _narrows(equation: Equation) -> bool:
    before, after = jaxpr.input_types(equation)[0].dtype, equation.params["new_dtype"]
    both = jnp.issubdtype(before, np.floating) and jnp.issubdtype(after, np.floating)
    return both and bool(jnp.finfo(after).eps > jnp.finfo(before).eps)
