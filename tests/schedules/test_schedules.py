import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxopt_dl import schedules

EPOCH_17 = [
    functools.partial(schedules.inverse_time, rate=1.0),
    functools.partial(schedules.exponential, rate=0.95),
    schedules.inverse_sqrt,
]


def values(schedule, counts) -> list[float]:
    return [float(schedule(count)) for count in counts]


def test_sched_02_inverse_time(x64):
    expected = [0.2, 0.1, 0.066667, 0.05, 0.04]
    np.testing.assert_allclose(values(schedules.inverse_time(0.2, 1.0), range(5)), expected, 1e-5)


def test_sched_03_exponential(x64):
    schedule = schedules.exponential(0.2, 0.95)
    expected = [0.2, 0.19, 0.1805, 0.171475]
    np.testing.assert_allclose(values(schedule, range(4)), expected, rtol=1e-12)
    assert float(schedule(10)) / 0.2 == pytest.approx(0.598737, abs=1e-6)
    assert float(schedules.exponential(1.0, 0.95, decay_steps=100)(1351)) == pytest.approx(
        0.5, abs=1e-3
    )


def test_sched_04_inverse_square_root_counts_from_one(x64):
    expected = [0.2, 0.141421, 0.115470, 0.1]
    np.testing.assert_allclose(values(schedules.inverse_sqrt(0.2), range(4)), expected, rtol=1e-5)


def test_sched_05_linear_stays_at_its_end(x64):
    schedule = schedules.linear(0.1, 0.001, steps=100)
    expected = [0.07525, 0.0505, 0.001, 0.001]
    np.testing.assert_allclose(values(schedule, [25, 50, 100, 150]), expected, rtol=1e-12)


@pytest.mark.parametrize("make", EPOCH_17)
def test_sched_08_sixteen_steps_are_epoch_0_and_seventeen_epoch_1(make):
    stairs = make(0.2, decay_steps=17, staircase=True)
    per_epoch = make(0.2)
    assert values(stairs, [16, 17, 33, 34]) == values(per_epoch, [0, 1, 1, 2])


def test_sched_08_no_stair_is_moved_by_rounding():
    """Counts beyond 2**24 are not exact in float32; a rounded quotient takes the stair early."""
    length = 5_592_407
    stairs = schedules.exponential(1.0, 0.5, decay_steps=length, staircase=True)
    assert values(stairs, [3 * length - 1, 3 * length]) == [0.25, 0.125]


def test_the_ends_of_a_ramp_are_exact():
    for schedule in (
        schedules.linear(0.1, 0.7, steps=3),
        schedules.cosine(0.1, final=0.7, steps=3),
    ):
        assert values(schedule, [0, 3, 4]) == [np.float32(0.1), np.float32(0.7), np.float32(0.7)]


def test_a_warmup_starts_above_zero_and_reaches_the_first_value():
    schedule = schedules.warmup(schedules.cosine(0.4, steps=10), steps=3)
    assert values(schedule, [0, 3]) == [np.float32(0.1), np.float32(0.4)]


def test_join_starts_each_schedule_at_its_own_zero():
    parts = [schedules.linear(a, b, steps=2) for a, b in ((0, 1), (5, 3), (9, 9))]
    schedule = schedules.join(*parts, boundaries=(2, 4))
    assert values(schedule, range(6)) == [0.0, 0.5, 5.0, 4.0, 9.0, 9.0]


def test_foreign_schedules_can_be_joined(standard_promotion):
    schedule = schedules.join(
        optax.constant_schedule(0.5), schedules.linear(0.5, 0.0, steps=2), boundaries=(1,)
    )
    assert values(schedule, range(4)) == [0.5, 0.5, 0.25, 0.0]
    assert jax.tree.leaves(schedule) == [0.5, 0.0, 2, 1]


@pytest.mark.parametrize("boundaries", [(2, 2), (3, 1)])
def test_boundaries_that_do_not_rise_raise(boundaries):
    parts = [schedules.constant(0.1)] * 3
    with pytest.raises(ValueError, match="`boundaries` must rise"):
        schedules.join(*parts, boundaries=boundaries)


def test_a_missing_boundary_raises():
    with pytest.raises(ValueError, match="got 2 schedules and 0 boundaries"):
        schedules.join(schedules.constant(0.1), schedules.constant(0.2), boundaries=())


def test_a_schedule_that_is_a_number_raises():
    with pytest.raises(TypeError, match="warmup: `schedule` must be a function, got 0.1"):
        schedules.warmup(0.1, steps=3)  # type: ignore[arg-type]


@pytest.mark.parametrize("make", EPOCH_17)
def test_staircase_must_be_a_bool(make):
    with pytest.raises(ValueError, match="`staircase` must be one of True, False"):
        make(0.1, staircase=2)


@pytest.mark.parametrize(
    ("schedule", "good", "bad"),
    [
        (lambda rate: schedules.exponential(0.1, rate)(3), 0.5, -0.5),
        (lambda initial: schedules.cosine(initial, steps=10)(3), 0.5, -0.5),
        (lambda steps: schedules.linear(1.0, 0.0, steps=steps)(3), 5, -5),
        (lambda steps: schedules.inverse_time(1.0, 1.0, decay_steps=steps)(3), 5, 0),
    ],
    ids=["rate", "initial", "steps", "decay_steps"],
)
def test_a_traced_number_out_of_range_gives_nan(schedule, good, bad):
    assert np.isnan(jax.jit(schedule)(bad))
    np.testing.assert_allclose(jax.jit(schedule)(good), schedule(good), rtol=1e-6)


def test_a_rate_of_zero_would_end_an_exponential_at_once_and_raises():
    with pytest.raises(ValueError, match=r"`rate` must lie in \(0, inf\)"):
        schedules.exponential(0.1, 0.0)


def test_a_schedule_reads_as_its_numbers():
    text = "InverseTime(initial=0.2, rate=1.0, decay_steps=17, staircase=True)"
    assert repr(schedules.inverse_time(0.2, 1, decay_steps=17, staircase=True)) == text


def test_schedules_of_one_kind_have_one_structure():
    first, second = schedules.linear(0.1, 0.2, steps=3), schedules.linear(1, 2, steps=jnp.int32(5))
    assert jax.tree.structure(first) == jax.tree.structure(second)
