"""What a rule promises whose numbers are data."""

from collections.abc import Callable

import chex
import jax
import jax.numpy as jnp
import numpy as np

from jaxopt_dl import optim, schedules
from jaxopt_dl._core.types import PyTree

from ._promise import given, hold_all, precision, traced_once
from ._transformations import Make, as_dtype

WRAPS = {
    "the rule alone": lambda rule: rule,
    "the rule in `optim.chain`": lambda rule: optim.chain(optim.clip_by_global_norm(1.0), rule),
}


def check_numbers_are_data(
    make: Callable, numbers: dict[str, float], *, params: PyTree | None = None
) -> None:
    """Check that other numbers of a rule are other data, not another program.

    A hundred values of every number trace once, and so do a hundred schedules; `vmap` over every
    number is a sweep; and every number can be read and edited in the state.

    Args:
      make: `make(**numbers)` returns the transformation.
      numbers: name -> a value inside its range whose half is inside as well.
      params: parameters to try it on; by default as in `check_transformation`.

    Raises:
      AssertionError: at the first broken promise, saying which, for which input, and what came.

    Examples:
      >>> from jaxopt_dl import optim
      >>> check_numbers_are_data(optim.momentum, {"learning_rate": 0.1, "decay": 0.9})
    """

    def parameters(dtype):
        return as_dtype(params, dtype)

    hold_all("check_numbers_are_data", PROMISES, make, numbers, parameters)


def is_one_function(make: Callable, numbers: dict, params: Make) -> None:
    """The update is one function object for every value of the numbers."""
    assert make(**numbers).update is make(**_times(0.5, numbers)).update, "got two functions"


def traces_once(make: Callable, numbers: dict, params: Make) -> None:
    """A hundred values of every number trace once, alone and in `optim.chain`."""
    for where, wrap in WRAPS.items():
        with given(where):
            step = _counted_step(params(jnp.float32))
            for factor in np.linspace(0.5, 1.0, 100):
                step(wrap(make(**_times(float(factor), numbers))))


def traces_schedules_once(make: Callable, numbers: dict, params: Make) -> None:
    """A hundred schedules of one kind trace once, alone and in `optim.chain`."""
    for where, wrap in WRAPS.items():
        with given(where):
            step = _counted_step(params(jnp.float32))
            for rate in np.linspace(0.5, 0.9, 100):
                falling = {
                    name: schedules.exponential(value, float(rate))
                    for name, value in numbers.items()
                }
                step(wrap(make(**falling)))


def sweeps(make: Callable, numbers: dict, params: Make) -> None:
    """Runs with several values of every number under vmap equal the runs alone."""
    with precision(jnp.float64):
        start = params(jnp.float64)

        def after_three(factor):
            transformation = make(**_times(factor, numbers))
            state = transformation.init(start)
            for _ in range(3):
                updates, state = transformation.update(start, state, start)
            return updates

        factors = (0.5, 1.0, 0.75)
        together = jax.jit(jax.vmap(after_three))(jnp.array(factors))
        alone = jax.tree.map(lambda *x: np.stack(x), *map(jax.jit(after_three), factors))
        chex.assert_trees_all_close(together, alone, rtol=1e-11, atol=1e-13)


def can_be_edited(make: Callable, numbers: dict, params: Make) -> None:
    """A number edited in the state is the number given at construction."""
    start = params(jnp.float32)
    state = make(**numbers).init(start)
    for name, value in numbers.items():
        with given(f"another `{name}`"):
            edited = optim.with_hyperparams(state, **{name: 0.5 * value})
            built = make(**{**numbers, name: 0.5 * value}).init(start)
            chex.assert_trees_all_equal(edited, built)
            chex.assert_trees_all_equal_shapes_and_dtypes(edited, state)


def knows_its_rate(make: Callable, numbers: dict, params: Make) -> None:
    """The applied learning rate is read from the state where there is one."""
    rate = optim.applied_learning_rate(make(**numbers).init(params(jnp.float32)))
    expected = numbers.get("learning_rate")
    known = (rate is None) == (expected is None)
    if rate is not None and expected is not None:
        known = bool(jnp.isclose(rate, expected, rtol=1e-6))
    assert known, f"got {rate} instead of {expected}"


PROMISES = (
    is_one_function,
    traces_once,
    traces_schedules_once,
    sweeps,
    can_be_edited,
    knows_its_rate,
)


def _times(factor, numbers: dict) -> dict:
    return {name: factor * value for name, value in numbers.items()}


def _counted_step(params: PyTree) -> Callable:
    """Return a compiled step that takes the transformation and may be traced once."""

    def update(function, slope, state, params):
        function(slope, state, params)  # returns nothing, so that compiling costs nothing

    compiled = traced_once(update, static_argnums=0)

    def step(transformation):
        compiled(transformation.update, params, transformation.init(params), params)

    return step
