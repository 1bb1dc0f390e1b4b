"""Wrong gradients of models so large that only a sample of entries is differenced."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_dl.gradcheck import GradientReport, check_gradients
from tests.gradcheck._planted import right_square, wrong_square

RANDOM = np.random.default_rng(11)
PARAMS = {"a": RANDOM.uniform(0.2, 0.9, (100, 60)), "b": RANDOM.uniform(0.2, 0.9, 40)}
SIZE = PARAMS["a"].size


def loss(p, square=jnp.square):
    return jnp.mean(jnp.sin(square(p["a"]))) + jnp.mean(p["b"] ** 3)


def in_numpy(p):
    """The same out of the sight of JAX: there is no second opinion."""
    return float(np.mean(np.sin(np.square(p["a"]))) + np.mean(np.asarray(p["b"]) ** 3))


def slope(p):
    a, b = (np.asarray(p[name], float) for name in "ab")
    return {"a": 2 * a * np.cos(a**2) / a.size, "b": 3 * b**2 / b.size}


def changed(change):
    """A hand-written gradient whose leaf `a` is spoiled in place."""

    def gradient(p):
        right = slope(p)
        change(right["a"])
        return right

    return gradient


def nothing(a):
    """Leave it right."""


def multiplied(a):
    a *= 1.001


def transposed(a):
    a[...] = a.T.reshape(a.shape)


def one_entry(a):
    a[17, 3] *= 1 + 1e-4


def not_a_number(a):
    a[:, 3] = np.nan


def zeros(a):
    a[...] = 0


WRONG = {
    multiplied: SIZE,
    transposed: SIZE - 2,  # the two corners stay where they are
    one_entry: 1,
    not_a_number: 100,
    zeros: SIZE,
}


def check(function, **options) -> GradientReport:
    return check_gradients(function, PARAMS, components=60, points=(), **options)


def wrong_entries(report: GradientReport) -> list[int]:
    return [len(leaf.wrong) for leaf in report.leaves]


@functools.cache
def check_by_hand(change) -> GradientReport:
    return check(loss, gradient=changed(change))


@pytest.mark.parametrize("change", WRONG)
def test_every_wrong_entry_is_listed_and_no_other(change):
    assert wrong_entries(check_by_hand(change)) == [WRONG[change], 0]


@pytest.mark.parametrize("change", WRONG)
def test_a_wrong_gradient_costs_little_more_than_a_right_one(change):
    right = check_by_hand(nothing).coverage.evaluations
    assert check_by_hand(change).coverage.evaluations < 4 * right


def test_a_wrong_rule_costs_little_more_than_a_right_one():
    right, wrong = (check(lambda p, f=f: loss(p, f)) for f in (right_square, wrong_square))
    assert (right.verdict, wrong.verdict) == ("pass", "fail")
    assert wrong.coverage.evaluations < 4 * right.coverage.evaluations
    assert wrong_entries(wrong) == [SIZE, 0]


def test_a_right_gradient_passes_without_a_second_opinion():
    report = check(in_numpy, gradient=slope)
    assert report.verdict == "pass"
    assert report.coverage.stripped == 0


@pytest.mark.parametrize("change", [multiplied, transposed, zeros])
def test_a_wholly_wrong_leaf_is_told_from_a_sample_without_a_second_opinion(change):
    report = check(in_numpy, gradient=changed(change))
    assert [leaf.verdict for leaf in report.leaves] == ["fail", "pass"]
    assert report.coverage.evaluations < 5_000
    assert any("more entries of a are wrong" in note for note in report.notes)


def test_few_wrong_entries_are_all_found_without_a_second_opinion():
    def three(a):
        a[[5, 50, 99], [7, 0, 59]] *= 1.001

    report = check(in_numpy, gradient=changed(three))
    assert report.leaves[0].wrong == ((5, 7), (50, 0), (99, 59))
    assert not any("more entries" in note for note in report.notes)


def test_errors_that_cancel_in_a_sum_are_found_without_a_second_opinion():
    """Two entries of one size, one too large by as much as the other is too small."""

    def opposite(a):
        a[20, 20] += 1e-6
        a[70, 50] -= 1e-6

    params = {**PARAMS, "a": np.full((100, 60), 0.7)}
    reports = [
        check_gradients(
            in_numpy, params, gradient=changed(opposite), components=60, points=(), seed=seed
        )
        for seed in range(4)
    ]
    assert [wrong_entries(report) for report in reports] == [[2, 0]] * 4


def test_a_fault_beside_entries_that_are_not_finite_is_found():
    def both(a):
        a[1] = np.nan
        a[60, 30] *= 1.01

    report = check(in_numpy, gradient=changed(both))
    assert wrong_entries(report) == [61, 0]


def test_a_fault_that_the_second_opinion_shares_is_found():
    """The rules of libraries are trusted, so taking out the user's leaves a wrong one in."""
    library = {}
    exec(compile("def sine(x): return jnp.sin(x)", jax.__file__, "exec"), {"jnp": jnp}, library)
    sine = jax.custom_vjp(library["sine"])
    sine.defvjp(
        lambda x: (jnp.sin(x), x),
        lambda x, g: ((g * jnp.cos(x)).at[17, 3].multiply(1.01),),
    )
    report = check(lambda p: jnp.mean(sine(p["a"])) + jnp.mean(p["b"] ** 3))
    assert wrong_entries(report) == [1, 0]
