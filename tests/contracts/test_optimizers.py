"""What every optimizer and block must satisfy, whatever it computes."""

# optax types every state and every update as an opaque tree; these tests look inside.
# pyright: reportAttributeAccessIssue=false, reportIndexIssue=false, reportGeneralTypeIssues=false
# pyright: reportOperatorIssue=false

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.flatten_util import ravel_pytree

from jaxopt_dl import optim
from jaxopt_dl.testing import _numbers, _transformations
from jaxopt_dl.testing._promise import hold, traced_once
from tests.contracts.optimizer_cases import BAD_NUMBERS, CASES, NO_NUMBERS, Case

PROMISES = _transformations.PROMISES + _transformations.STRICT_PROMISES

every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)

START = np.array([0.9, -0.4, 0.3, 1.1, -0.8, 0.2, -1.3, 0.5, 0.7, -0.6])
"""Ten asymmetric numbers: `head/bias` (3,), `head/kernel` (2, 3), `scale` ()."""


def params_of(dtype=None) -> dict:
    dtype = dtype or jnp.result_type(float)
    vector = jnp.asarray(START, dtype)
    return {
        "head": {"kernel": vector[3:9].reshape(2, 3), "bias": vector[:3]},
        "scale": vector[9],
    }


def hessian() -> np.ndarray:
    """A positive definite matrix without symmetries: different in every direction."""
    mixing = np.random.default_rng(3).normal(size=(10, 10))
    return mixing @ mixing.T / 10 + np.diag(np.linspace(0.1, 2.0, 10))


def gradient_of(w: np.ndarray) -> np.ndarray:
    return hessian() @ w - np.linspace(-1.0, 2.0, 10) + 0.3 * w**3


def gradients(params: dict) -> dict:
    flat, unravel = ravel_pytree(params)
    dtype = flat.dtype
    slope = jnp.asarray(hessian(), dtype) @ flat - jnp.asarray(np.linspace(-1.0, 2.0, 10), dtype)
    return unravel(slope + 0.3 * flat**3)


def pace(case: Case) -> float:
    """How far one update moves: blocks hand out ascent directions of their own size."""
    return -0.005 if case.is_block else 1.0


def run(transformation, steps: int, *, scale: float = 1.0, params=None) -> tuple:
    """Return parameters and state after some steps, as one scan."""
    params = params_of() if params is None else params

    def body(carry, _):
        params, state = carry
        updates, state = transformation.update(gradients(params), state, params)
        return (jax.tree.map(lambda w, u: w + scale * u, params, updates), state), None

    return jax.lax.scan(body, (params, transformation.init(params)), length=steps)[0]


def reference_run(case: Case, steps: int, slope=gradient_of, **numbers) -> np.ndarray:
    w, memory = START.copy(), {}
    for t in range(1, steps + 1):
        w = w + pace(case) * case.reference(slope(w), w, t, memory, **numbers)
    return memory.get("seen", w)


FACTORS = (1.0, 0.7, 0.4)


@functools.cache
def fifty_steps_at_all_factors(case_index: int) -> tuple[np.ndarray, np.ndarray]:
    """Three runs as one vmapped program, every number multiplied by a factor, and their slopes.

    Both are `(3, 10)`; the slope is the derivative by the factor, so by all numbers at once.
    """
    case = CASES[case_index]

    def final(factor):
        numbers = times(factor, case.numbers)
        return ravel_pytree(case.read(*run(case.make(**numbers), 50, scale=pace(case))))[0]

    def both(factor):
        return jax.jvp(final, (factor,), (jnp.ones_like(factor),))

    with jax.enable_x64(True):
        ends, slopes = jax.jit(jax.vmap(both))(jnp.array(FACTORS))
        return np.asarray(ends), np.asarray(slopes)


def times(factor, numbers: dict) -> dict:
    return {name: factor * value for name, value in numbers.items()}


@every_case
@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
def test_it_keeps_the_promises_of_a_transformation(case, promise):
    hold("check_transformation", promise, _transformations.subject_of(case.make(**case.numbers)))


@every_case
@pytest.mark.parametrize("promise", _numbers.PROMISES, ids=lambda promise: promise.__name__)
def test_its_numbers_are_data(case, promise):
    hold("check_numbers_are_data", promise, _numbers.Subject(case.make, case.numbers))


@every_case
def test_it_takes_extra_arguments(case):
    transformation = case.make(**case.numbers)
    assert isinstance(transformation, optax.GradientTransformationExtraArgs)


@every_case
@pytest.mark.parametrize("row", range(len(FACTORS)))
def test_fifty_steps_under_vmap_over_every_number_equal_the_published_formula(case, row):
    ours = fifty_steps_at_all_factors(CASES.index(case))[0][row]
    expected = reference_run(case, 50, **times(FACTORS[row], case.numbers))
    np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-12)
    assert np.abs(ours - START).max() > 0.05


@pytest.mark.parametrize("case", [c for c in CASES if not c.is_block], ids=lambda case: case.name)
def test_the_slope_of_a_run_by_its_numbers_is_that_of_the_formula(case):
    for factor, slope in zip(
        FACTORS, fifty_steps_at_all_factors(CASES.index(case))[1], strict=True
    ):
        above, below = (
            reference_run(case, 50, **times(factor + h, case.numbers)) for h in (1e-6, -1e-6)
        )
        np.testing.assert_allclose(slope, (above - below) / 2e-6, rtol=1e-6, atol=1e-7)


@every_case
def test_a_scan_in_single_and_in_half_precision_follows_the_formula(case):
    """Each parameter in a bowl of its own, since these programs cost little to compile."""
    rule, scale = case.make(**case.numbers), pace(case)

    def step(carry, _):
        after = []
        for params, state in carry:
            updates, state = rule.update(jax.tree.map(bowl, params), state, params)
            after.append((jax.tree.map(lambda w, u: w + scale * u, params, updates), state))
        return after, None

    points = [params_of(dtype) for dtype in (jnp.float32, jnp.bfloat16)]
    starts = [(params, rule.init(params)) for params in points]
    runs = jax.jit(lambda starts: jax.lax.scan(step, starts, length=5)[0])(starts)
    single, half = (ravel_pytree(case.read(*end))[0].astype(jnp.float32) for end in runs)
    expected = reference_run(case, 5, bowl, **case.numbers)
    np.testing.assert_allclose(single, expected, rtol=0, atol=1e-5)
    np.testing.assert_allclose(half, expected, rtol=0, atol=0.05)


def bowl(w):
    return 0.7 * w + 0.3 * w**3 + 0.4


@every_case
def test_numbers_are_edited_inside_an_accumulation_that_was_built_once(case, standard_promotion):
    """`optax.MultiSteps` updates with the mean of two gradients and the numbers of its state."""
    accumulated = optax.MultiSteps(case.make(**case.numbers), 2).gradient_transformation()
    update, params = traced_once(accumulated.update), params_of()
    other, mean = flipped(params), jax.tree.map(lambda leaf: -leaf, params)
    for factor in (0.5, 0.8):
        numbers = times(factor, case.numbers)
        state = optim.with_hyperparams(accumulated.init(params), **numbers)
        _, state = update(params, state, params)
        got, _ = update(other, state, params)
        alone = case.make(**numbers)
        expected, _ = alone.update(mean, alone.init(params), params)
        chex.assert_trees_all_close(got, expected, rtol=1e-5)


@pytest.mark.parametrize("case", [c for c in CASES if c.peer], ids=lambda case: case.name)
def test_fifty_steps_equal_optax_in_float64(case, x64, standard_promotion):
    assert case.peer is not None
    ours = fifty_steps_at_all_factors(CASES.index(case))[0][0]
    theirs, _ = jax.jit(lambda: run(case.peer(**case.numbers), 50, scale=pace(case)))()
    np.testing.assert_allclose(ours, ravel_pytree(theirs)[0], rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "case", [c for c in CASES if c.name in ("nesterov", "adamw")], ids=lambda case: case.name
)
def test_the_gradient_of_a_run_by_every_number_equals_differences_of_the_formula(case, x64):
    """Backward through a run; the slopes forward are those of all rules."""
    weights = np.arange(1.0, 11.0)

    def final(numbers):
        params, _ = run(case.make(**numbers), 6, scale=pace(case))
        return jnp.sum(ravel_pytree(params)[0] * weights)

    slopes = jax.jit(jax.grad(final))({n: jnp.array(value) for n, value in case.numbers.items()})
    for name, value in case.numbers.items():
        step = 1e-4 * value
        above, below = (
            np.sum(weights * reference_run(case, 6, **{**case.numbers, name: value + h}))
            for h in (step, -step)
        )
        np.testing.assert_allclose(slopes[name], (above - below) / (2 * step), rtol=1e-4, atol=1e-6)


@every_case
def test_every_number_may_be_a_schedule_whose_first_count_is_zero(case, x64):
    scheduled = case.make(**{name: falling(value) for name, value in case.numbers.items()})
    plain, params = case.make(**case.numbers), params_of()
    first, state = scheduled.update(params, scheduled.init(params), params)
    expected, plain_state = plain.update(params, plain.init(params), params)
    chex.assert_trees_all_close(first, expected, rtol=0, atol=1e-14)
    second, plain_second = (
        ravel_pytree(case.read(*rule.update(flipped(params), before, params)))[0]
        for rule, before in ((scheduled, state), (plain, plain_state))
    )
    assert not np.allclose(second, plain_second, atol=1e-6)


def flipped(params):
    """Gradients unlike the first ones, so that a mean of the two differs from both."""
    return jax.tree.map(lambda leaf: -3.0 * leaf, params)


def falling(value):
    """A plain function as a schedule: the value, and a tenth of it at the second update."""
    return lambda count: jnp.where(count == 0, value, 0.1 * value)


@every_case
def test_state_size_is_its_slots(case):
    """OPT-02 and OPT-03: SGD 0, momentum, Nesterov and RMSprop 1, Adam 2 per parameter."""
    state = case.make(**case.numbers).init(params_of())
    per_parameter = [leaf for leaf in jax.tree.leaves(state) if leaf.shape == (2, 3)]
    assert len(per_parameter) == case.slots
    if case.moved == 3:
        assert optim.state_size(state, params_of()) == case.slots


@every_case
def test_masking_leaves_the_other_leaves_alone(case):
    params = params_of()
    mask = {"head": {"kernel": True, "bias": True}, "scale": False}
    transformation = optax.masked(case.make(**case.numbers), mask)
    updates, _ = transformation.update(params, transformation.init(params), params)
    chex.assert_trees_all_equal(updates["scale"], params["scale"])


@every_case
def test_optax_finds_the_leaves_of_the_state_that_belong_to_parameters(case):
    transformation, params = case.make(**case.numbers), params_of()
    state = transformation.init(params)
    marked = optax.tree.map_params(transformation, lambda leaf: leaf + 1, state)
    changed = jax.tree.map(lambda a, b: bool(jnp.any(a != b)), state, marked)
    assert sum(jax.tree.leaves(changed)) == case.slots * case.moved


NUMBERS = [(case, name) for case in CASES for name in case.numbers]


@pytest.mark.parametrize(("case", "name"), NUMBERS, ids=lambda v: getattr(v, "name", v))
def test_a_bad_number_raises_and_names_the_number_and_its_range(case, name):
    message = rf"`{name}` must .*Pass a (number|scalar) in [\[(]0, (1|inf)[\])]"
    for bad in (*BAD_NUMBERS[name], *NO_NUMBERS):
        with pytest.raises((TypeError, ValueError), match=message):
            case.make(**{**case.numbers, name: bad})
            pytest.fail(f"{bad!r} was accepted")


@pytest.mark.parametrize(("case", "name"), NUMBERS, ids=lambda v: getattr(v, "name", v))
def test_a_schedule_that_starts_out_of_range_raises_and_names_the_number(case, name):
    message = rf"`{name} \(schedule value at count 0\)` must .*Pass a (number|scalar) in [\[(]0, "
    for bad in (*BAD_NUMBERS[name], float("nan"), None, np.array([0.1, 0.2])):
        with pytest.raises((TypeError, ValueError), match=message):
            case.make(**{**case.numbers, name: lambda count, bad=bad: bad})
            pytest.fail(f"{bad!r} was accepted")


@pytest.mark.parametrize(
    ("case", "name"),
    [(case, name) for case, name in NUMBERS if case.name != "skip_nonfinite"],  # it skips NaN
    ids=lambda v: getattr(v, "name", v),
)
def test_a_schedule_that_leaves_its_range_later_gives_nan_and_no_other_update(case, name, x64):
    params = params_of()
    for bad in BAD_NUMBERS[name]:
        late = {name: lambda count, bad=bad: jnp.where(count == 0, case.numbers[name], bad)}
        rule = case.make(**{**case.numbers, **late})
        updates, state = rule.update(params, rule.init(params), params)
        assert np.all(np.isfinite(ravel_pytree(case.read(updates, state))[0]))
        updates, state = rule.update(params, state, params)
        assert np.any(np.isnan(ravel_pytree(case.read(updates, state))[0])), bad


@every_case
@pytest.mark.parametrize("leaf", [jnp.arange(3), jnp.array([True, False, True])])
def test_parameters_that_are_not_floating_raise_and_are_named(case, leaf):
    params = params_of()
    params["head"]["bias"] = leaf
    with pytest.raises(TypeError, match="`head/bias` must hold floating-point numbers"):
        case.make(**case.numbers).init(params)


COMPARED = [(c, given) for c in CASES for given in (True, False) if given or c.slots]
"""Without parameters, only rules with memory can tell the shape of their gradients."""


@pytest.mark.parametrize(("case", "given"), COMPARED, ids=lambda v: getattr(v, "name", repr(v)))
def test_gradients_of_another_shape_raise_instead_of_broadcasting(case, given):
    transformation, params = case.make(**case.numbers), params_of()
    wrong = params_of()
    wrong["head"]["kernel"] = jnp.ones(3)
    with pytest.raises(ValueError, match=r"got \(3,\) at `head/kernel` instead of \(2, 3\)"):
        transformation.update(wrong, transformation.init(params), params if given else None)


@every_case
def test_a_missing_gradient_raises_and_is_named(case):
    transformation, params = case.make(**case.numbers), params_of()
    with pytest.raises(ValueError, match=r"got nothing at `scale` instead of \(\)"):
        transformation.update({"head": params["head"]}, transformation.init(params), params)


@every_case
def test_parameters_without_leaves_are_fine_where_nothing_must_be_chosen(case):
    transformation = case.make(**case.numbers)
    updates, _ = transformation.update({}, transformation.init({}), {})
    assert updates == {}


@pytest.mark.parametrize("case", [c for c in CASES if not c.shrinks], ids=lambda case: case.name)
def test_a_zero_gradient_means_no_update(case):
    transformation, params = case.make(**case.numbers), params_of()
    zero = jax.tree.map(jnp.zeros_like, params)
    state = transformation.init(params)
    for _ in range(2):
        updates, state = transformation.update(zero, state, params)
        assert not np.any(ravel_pytree(updates)[0])


@every_case
def test_the_state_does_not_share_memory_with_the_numbers_it_was_given(case):
    shared = jnp.float32(0.5)
    leaves = [shared, *jax.tree.leaves(case.make(**dict.fromkeys(case.numbers, shared)).init({}))]
    assert len({leaf.unsafe_buffer_pointer() for leaf in leaves}) == len(leaves)
