"""What every schedule must satisfy, whatever its curve."""

# optax types every state and every update as an opaque tree; these tests look inside.
# pyright: reportAttributeAccessIssue=false, reportIndexIssue=false, reportGeneralTypeIssues=false
# pyright: reportOperatorIssue=false

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_dl import optim
from jaxopt_dl.testing import _schedule_numbers, _schedules
from jaxopt_dl.testing._promise import hold
from tests.contracts.schedule_cases import CASES

every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
COUNTS = range(15)


@every_case
@pytest.mark.parametrize("promise", _schedules.PROMISES, ids=lambda promise: promise.__name__)
def test_it_keeps_the_promises_of_a_schedule(case, promise):
    hold("check_schedule", promise, case.make(**case.numbers))


@every_case
@pytest.mark.parametrize(
    "promise", _schedule_numbers.PROMISES, ids=lambda promise: promise.__name__
)
def test_its_numbers_are_data(case, promise):
    hold("check_numbers_are_data", promise, case.make, case.numbers)


@every_case
def test_values_equal_the_formula_in_float64(case, x64):
    values = jax.vmap(case.make(**case.numbers))(jnp.arange(15, dtype=jnp.int32))
    expected = [case.reference(count, **case.numbers) for count in COUNTS]
    np.testing.assert_allclose(values, expected, rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("case", [c for c in CASES if c.peer], ids=lambda case: case.name)
def test_values_equal_optax_in_float64(case, x64, standard_promotion):
    assert case.peer is not None
    ours, theirs = case.make(**case.numbers), case.peer(**case.numbers)
    for count in COUNTS:
        np.testing.assert_allclose(ours(count), theirs(count), rtol=1e-12)


@every_case
def test_its_numbers_are_its_leaves(case):
    schedule = case.make(**case.numbers)
    assert set(case.numbers.values()) <= set(jax.tree.leaves(schedule))


@every_case
def test_vmap_over_every_number_equals_the_formula(case, x64):
    factors, added = jnp.array([0.4, 1.0, 0.8]), jnp.array([0, 3, 1])

    def values(factor, more):
        numbers = {name: factor * case.numbers[name] for name in case.real_numbers}
        lengths = {name: case.numbers[name] + more for name in case.lengths}
        return jax.vmap(case.make(**numbers, **lengths))(jnp.arange(15, dtype=jnp.int32))

    together = jax.jit(jax.vmap(values))(factors, added)
    for row, factor, more in zip(together, [0.4, 1.0, 0.8], [0, 3, 1], strict=True):
        numbers = {name: factor * case.numbers[name] for name in case.real_numbers}
        lengths = {name: case.numbers[name] + more for name in case.lengths}
        expected = [case.reference(count, **numbers, **lengths) for count in COUNTS]
        np.testing.assert_allclose(row, expected, rtol=1e-13, atol=1e-15)


@every_case
@pytest.mark.parametrize("bad", [-0.1, float("nan"), float("inf"), "0.1", True, None], ids=repr)
def test_a_bad_number_raises_and_is_named(case, bad):
    for name in case.real_numbers:
        with pytest.raises((TypeError, ValueError), match=rf"`{name}` must .*Pass a number in"):
            case.make(**{**case.numbers, name: bad})


@every_case
@pytest.mark.parametrize("bad", [0, -3, 2.5, 3.0, "3", True, jnp.float32(3.0)], ids=repr)
def test_a_bad_length_raises(case, bad):
    for name in case.lengths:
        with pytest.raises((TypeError, ValueError), match=r"must (be|lie)"):
            case.make(**{**case.numbers, name: bad})


@every_case
def test_an_optimizer_uses_its_value_at_the_count(case):
    params = jnp.array([1.0, -2.0])
    rule = optim.sgd(case.make(**case.numbers))
    state = rule.init(params)
    for count in range(8):
        updates, state = rule.update(params, state, params)
        expected = -case.reference(count, **case.numbers) * np.asarray(params)
        np.testing.assert_allclose(updates, expected, rtol=2e-6)


@every_case
def test_it_can_be_replaced_in_a_running_state_by_one_of_its_kind(case):
    params = jnp.ones(2)
    state = optim.sgd(case.make(**case.numbers)).init(params)
    numbers = {name: 0.5 * case.numbers[name] for name in case.real_numbers}
    lengths = {name: case.numbers[name] + 1 for name in case.lengths}
    other = case.make(**numbers, **lengths)
    edited = optim.with_hyperparams(state, learning_rate=other)
    chex.assert_trees_all_equal(edited, optim.sgd(other).init(params))
    chex.assert_trees_all_equal_shapes_and_dtypes(edited, state)
