"""What a rule promises whose numbers are data."""

from collections.abc import Callable
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxopt_dl import optim, schedules
from jaxopt_dl._core import jaxpr
from jaxopt_dl._core.errors import check_callable, fail
from jaxopt_dl._core.trees import leaves_with_paths
from jaxopt_dl._core.types import PyTree

from . import _schedule_numbers
from ._agree import assert_close, assert_equal
from ._promise import given, hold_all, precision, traced_once
from ._transformation_subject import Extra, as_dtype, check_has_leaves, extra_for

WRAPS = {
    "the rule alone": lambda rule: rule,
    "the rule in `optim.chain`": lambda rule: optim.chain(optim.clip_by_global_norm(1.0), rule),
}


class Subject(NamedTuple):
    """A rule under test.

    Attributes:
      make: `make(**numbers)` returns it.
      numbers: name -> value.
      params: parameters to try it on, None for the usual ones.
      extra: extra arguments its update needs, or a function of the parameters that returns them.
    """

    make: Callable
    numbers: dict[str, Any]
    params: PyTree | None = None
    extra: Extra = None

    def times(self, factor: Any) -> Any:
        """Return the rule with every number multiplied."""
        return self.make(**{name: factor * value for name, value in self.numbers.items()})

    def start(self, dtype: Any = jnp.float32) -> PyTree:
        """Return parameters in a dtype."""
        return as_dtype(self.params, dtype)


def check_numbers_are_data(
    make: Callable,
    numbers: dict[str, Any],
    *,
    params: PyTree | None = None,
    extra: Extra = None,
) -> None:
    """Check that other numbers of a rule or a schedule are other data, not another program.

    Of a rule: every number has an effect; a hundred values of every number trace once, and so do
    a hundred schedules; `vmap` over every number is a sweep; and every number can be read and
    edited in the state. Of a schedule: its numbers are the leaves of a pytree, and other numbers
    trace once. Neither is needed for a rule or a schedule to be right; one whose numbers are
    fixed compiles anew.

    Args:
      make: `make(**numbers)` returns the transformation or the schedule.
      numbers: name -> a value inside its range whose half is inside as well. Of a schedule,
        integers are lengths, and grow instead.
      params: parameters to try a rule on; by default as in `check_transformation`.
      extra: extra arguments that every update of a rule needs, as in `check_transformation`.

    Raises:
      AssertionError: at the first broken promise, saying which, for which input, what came, and
        what to do.
      TypeError: if `make` cannot be called or makes neither a rule nor a schedule.
      ValueError: if `params` holds no array.

    Examples:
      >>> from jaxopt_dl import optim, schedules
      >>> check_numbers_are_data(optim.momentum, {"learning_rate": 0.1, "decay": 0.9})
      >>> check_numbers_are_data(schedules.cosine, {"initial": 0.1, "steps": 100})
    """
    who = "check_numbers_are_data"
    check_callable(who, "make", make)
    check_has_leaves(who, params)
    made = make(**numbers)
    if isinstance(made, optax.GradientTransformation):
        hold_all(who, PROMISES, Subject(make, numbers, params, extra))
    elif callable(made):
        hold_all(who, _schedule_numbers.PROMISES, make, numbers)
    else:
        came = f"got {type(made).__name__}"
        advice = "Pass the function that makes it, such as `optim.adam`."
        fail(who, "`make` must return a rule or a schedule", came, advice, kind=TypeError)


def uses_its_numbers(it: Subject) -> None:
    """Every number changes what the rule computes.

    Compute the updates or what is remembered with it, or leave it out of the arguments.
    """
    idle = it.numbers.keys() - _effective(it)
    assert not idle, f"without effect: {', '.join(f'`{name}`' for name in sorted(idle))}"


def is_one_function(it: Subject) -> None:
    """The update is one function object for every value of the numbers.

    Define `update` outside of the function that makes the rule, and read numbers in the state.
    """
    assert it.times(1.0).update is it.times(0.5).update, "got two functions"


def traces_once(it: Subject) -> None:
    """A hundred values of every number trace once, alone and in `optim.chain`.

    Let `init` put the numbers into the state as strongly typed arrays of one dtype.
    """
    for where, wrap in WRAPS.items():
        with given(where):
            step = _counted_step(it)
            for factor in np.linspace(0.5, 1.0, 100):
                step(wrap(it.times(float(factor))))


def traces_schedules_once(it: Subject) -> None:
    """A hundred schedules of one kind trace once, alone and in `optim.chain`.

    Keep a schedule in the state as the pytree it is, and evaluate it there at the count.
    """
    for where, wrap in WRAPS.items():
        with given(where):
            step = _counted_step(it)
            for rate in np.linspace(0.5, 0.9, 100):
                falling = {
                    name: schedules.exponential(value, float(rate))
                    for name, value in it.numbers.items()
                }
                step(wrap(it.make(**falling)))


def sweeps(it: Subject) -> None:
    """Runs with several values of every number under vmap equal the runs alone.

    Check numbers on the host only, and let tracers through.
    """
    with precision(jnp.float64):
        start = it.start(jnp.float64)
        extra = extra_for(it.extra, start)

        def after_three(factor):
            transformation = it.times(factor)
            state = transformation.init(start)
            for _ in range(3):
                updates, state = transformation.update(start, state, start, **extra)
            return updates

        factors = (0.5, 1.0, 0.75)
        together = jax.jit(jax.vmap(after_three))(jnp.array(factors))
        alone = jax.tree.map(lambda *x: np.stack(x), *map(jax.jit(after_three), factors))
        assert_close(together, alone)


def can_be_edited(it: Subject) -> None:
    """A number edited in the state is the number given at construction.

    Keep the numbers in a field `hyperparams` of the state, a dict with their names.
    """
    start = it.start()
    state = it.make(**it.numbers).init(start)
    for name, value in it.numbers.items():
        with given(f"another `{name}`"):
            edited = optim.with_hyperparams(state, **{name: 0.5 * value})
            built = it.make(**{**it.numbers, name: 0.5 * value}).init(start)
            assert_equal(edited, built)
            chex.assert_trees_all_equal_shapes_and_dtypes(edited, state)


def knows_its_rate(it: Subject) -> None:
    """The applied learning rate is read from the state where there is one.

    Keep it in the dict `hyperparams` of the state, under `learning_rate`.
    """
    rate = optim.applied_learning_rate(it.make(**it.numbers).init(it.start()))
    expected = it.numbers.get("learning_rate")
    known = (rate is None) == (expected is None)
    if rate is not None and expected is not None:
        known = bool(jnp.isclose(rate, expected, rtol=1e-6))
    assert known, f"got {rate} instead of {expected}"


PROMISES = (
    uses_its_numbers,
    is_one_function,
    traces_once,
    traces_schedules_once,
    sweeps,
    can_be_edited,
    knows_its_rate,
)


def _effective(it: Subject) -> set[str]:
    """Return the numbers that reach an update or the memory in the program of the rule."""
    start = it.start()
    extra = extra_for(it.extra, start)

    def two_updates(numbers):
        transformation = it.make(**numbers)
        state = transformation.init(start)
        for _ in range(2):
            updates, state = transformation.update(start, state, start, **extra)
        computed = leaves_with_paths({"updates": updates, "state": state})
        return [leaf for path, leaf in computed if "hyperparams/" not in path]

    numbers = {name: jnp.asarray(it.numbers[name], float) for name in sorted(it.numbers)}
    try:
        program = jax.make_jaxpr(two_updates)(numbers)
    except jax.errors.ConcretizationTypeError:  # what looks at a number is seen by another promise
        return set(numbers)
    facts = jaxpr.propagate(
        program,
        [frozenset({name}) for name in numbers],
        lambda equation, place, facts: [frozenset().union(*facts)] * len(equation.outvars),
        join=frozenset.union,
        nothing=frozenset(),
    )
    return set().union(*facts)


def _counted_step(it: Subject) -> Callable:
    """Return a compiled step that takes the transformation and may be traced once."""

    def update(function, slope, state, params):
        # It returns nothing, so that compiling costs nothing.
        function(slope, state, params, **extra_for(it.extra, params))

    params = it.start()
    compiled = traced_once(update, static_argnums=0)

    def step(transformation):
        compiled(transformation.update, params, transformation.init(params), params)

    return step
