"""Error bars, noise, coverage and further points, on functions made to fool a checker."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_dl.gradcheck import check_gradients, step_size_curve, textbook_check
from tests.gradcheck import _planted as planted
from tests.gradcheck._planted import PARAMS, X, through


def worst(report):
    return max((part for leaf in report.leaves for part in leaf.worst), key=lambda p: p.bar)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: jnp.sum(jnp.sin(1e6 * x)),
        lambda x: jnp.sum(jnp.exp(5 * x)),
        lambda x: 1e8 + jnp.sum(x**2),
        lambda x: jnp.sum((1e8 + x) - 1e8),
        lambda x: jnp.sum(jnp.tanh(100 * x)),
        lambda x: jnp.sum(jnp.abs(x - 1e-7)),
        lambda x: jnp.sum(jnp.maximum(x, 0.5) * x),
        lambda x: jnp.sum(x.astype(jnp.float32) ** 2).astype(jnp.float64),
        lambda x: jnp.zeros(()) * jnp.sum(x),
    ],
)
def test_a_right_gradient_passes(function):
    report = check_gradients(function, np.array([0.5, -1.3, 1e-3, 2.0]), points=())
    assert report.verdict == "pass"


@pytest.mark.parametrize("scale", [1e-6, 1e-3, 1.0, 1e4])
def test_differences_lie_within_their_bars(scale):
    point = scale * np.array([0.7, -1.1, 2.3])
    report = check_gradients(lambda x: jnp.sum(jnp.tanh(x / scale)), point)
    for part in report.leaves[0].worst:
        exact = (1 - np.tanh(point[part.index] / scale) ** 2) / scale
        assert abs(part.differences - exact) <= part.bar
        assert part.bar < 1e-6 * abs(exact)


def test_noise_widens_the_bar():
    report = check_gradients(lambda x: 1e9 + jnp.sum(x**2), np.array([0.5, 1.0]))
    assert worst(report).bar > 1e-7


@pytest.mark.parametrize("error", [1e-4, 3e-6])
def test_a_small_relative_error_in_one_entry_is_found(error):
    def gradient(p):
        right = jax.grad(through(jnp.sin))(p)
        return {**right, "w": right["w"].at[1, 2].multiply(1 + error)}

    report = check_gradients(through(jnp.sin), PARAMS, gradient=gradient, points=())
    assert {leaf.path: leaf.wrong for leaf in report.leaves} == {"b": (), "w": ((1, 2),)}


def test_a_leaf_hidden_by_a_large_one_fails_by_itself():
    params = {"large": np.array([1e6]), "small": np.array([1e-3])}

    def gradient(p):
        return {"large": 2 * p["large"], "small": 1.01 * 2 * p["small"]}

    report = check_gradients(
        lambda p: jnp.sum(p["large"] ** 2) + jnp.sum(p["small"] ** 2), params, gradient=gradient
    )
    assert [leaf.verdict for leaf in report.leaves] == ["pass", "fail"]
    assert report.relative_error < 1e-7


def test_gc_15_a_bug_that_is_small_near_initialization_is_found():
    params = {"w": 1e-3 * PARAMS["w"], "b": np.zeros(3)}

    def loss(p):
        return jnp.mean(jnp.tanh(X @ p["w"] + p["b"][None]) ** 2)

    def tanh_slope_as_one(p):
        back = 2 * jnp.tanh(X @ p["w"] + p["b"][None]) / 18
        return {"w": X.T @ back, "b": jnp.sum(back, axis=0)}

    assert check_gradients(loss, params, gradient=tanh_slope_as_one).verdict == "fail"


def test_a_bug_in_a_branch_not_taken_at_the_given_point_is_found():
    def gradient(p):
        return jnp.where(p > 0, 2 * p, p)

    report = check_gradients(lambda x: jnp.sum(x**2), np.ones(3), gradient=gradient)
    assert report.verdict == "fail"
    assert report.point != "given"


def test_points_of_the_user_are_tried():
    report = check_gradients(
        lambda x: jnp.sum(x**2),
        np.ones(2),
        gradient=lambda x: jnp.where(x > 100, x, 2 * x),
        points=[np.array([200.0, 1.0])],
    )
    assert (report.verdict, report.point) == ("fail", "point 1")
    assert report.leaves[0].wrong == ((0,),)


def test_a_gradient_given_as_a_tree_is_checked_at_the_given_point():
    report = check_gradients(lambda x: jnp.sum(x**2), np.ones(2), gradient=np.array([2.0, 2.0]))
    assert report.verdict == "pass"
    assert report.coverage.points == ("given",)


def test_one_wrong_entry_in_five_thousand_is_found_without_a_second_opinion():
    """Plain NumPy cannot be traced, so only masked directions and bisection can find it."""
    point = np.random.default_rng(1).normal(size=5000)

    def gradient(x):
        right = np.cos(np.asarray(x))
        right[4321] *= 1.0001
        return right

    report = check_gradients(
        lambda x: float(np.sum(np.sin(np.asarray(x)))),
        point,
        gradient=gradient,
        components=20,
        points=(),
    )
    assert report.leaves[0].wrong == ((4321,),)


def test_coverage_says_what_was_compared():
    report = check_gradients(lambda x: jnp.sum(x**2), np.ones(5000), components=50, points=())
    assert 40 <= report.coverage.components <= 60
    assert (report.coverage.directions, report.coverage.size) == (1, 5000)


def test_all_components_can_be_demanded():
    report = check_gradients(lambda x: jnp.sum(x**2), np.ones(4500), components="all", points=())
    assert report.coverage.components == 4500


def test_a_loop_until_convergence_is_judged_by_differences():
    def root(a):
        def closer(x):
            return 0.5 * (x + a / x)

        return jax.lax.while_loop(lambda x: jnp.abs(x * x - a) > 1e-13, closer, a)

    solve = jax.custom_vjp(root)
    solve.defvjp(lambda a: (root(a), root(a)), lambda x, g: (g / (2 * x),))
    report = check_gradients(lambda a: solve(a) ** 3, 1.7)
    assert report.verdict == "pass"
    assert any("no opinion without custom rules" in note for note in report.notes)


def test_a_note_says_when_only_differences_agree():
    report = check_gradients(
        lambda p: planted.safe_norm(p["a"]) + jnp.sum(p["a"] ** 2),
        {"a": np.array([0.0, 0.0])},
        points=(),
    )
    assert report.verdict == "pass"
    assert any("kink" in note for note in report.notes)


def test_float32_inside_is_told_and_passes():
    report = check_gradients(lambda x: jnp.sum(jnp.sin(x.astype(jnp.float32))), np.ones(3))
    assert report.verdict == "pass"
    assert any("narrower than float64" in note for note in report.notes)


def of_the_host(offset, factor):
    """In float32, and no program to differentiate: an offset leaves two or three digits."""

    def loss(p):
        return float(np.float32(offset) + np.float32(factor) * np.sin(p.astype(np.float32)).sum())

    return loss


@pytest.mark.parametrize(("offset", "factor"), [(100, 1e-3), (1e4, 1.0)])
def test_values_of_the_host_in_float32_are_averaged(offset, factor):
    """Steps that rise above the noise are so long that a sine aliases."""
    loss = of_the_host(offset, factor)
    right = check_gradients(loss, np.ones(2), gradient=lambda p: factor * np.cos(p))
    wrong = check_gradients(loss, np.ones(2), gradient=lambda p: 1.02 * factor * np.cos(p))
    assert (right.verdict, wrong.verdict, wrong.point) == ("pass", "fail", "given")


def test_enclosed_float32_data_is_promoted_where_lax_insists_on_it():
    x = jnp.ones((1, 8, 1), jnp.float32)

    def loss(kernel):
        y = jax.lax.conv_general_dilated(
            x, kernel, (1,), "SAME", dimension_numbers=("NWC", "WIO", "NWC")
        )
        return jnp.sum(y**2)

    assert check_gradients(loss, jnp.ones((3, 1, 2))).verdict == "pass"


def test_the_seed_repeats_the_check():
    reports = [check_gradients(through(jnp.sin), PARAMS, seed=4).to_dict() for _ in range(2)]
    assert reports[0] == reports[1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"components": "al"}, "did you mean 'all'"),
        ({"components": 0}, "`components` must be at least 1"),
        ({"points": "many"}, "`points` must be one of"),
        ({"points": [np.ones(3)]}, "must have shape"),
        ({"seed": -1}, "`seed` must be at least 0"),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(ValueError, match=f"(?i){message}"):
        check_gradients(lambda x: jnp.sum(x**2), np.ones(2), **options)


def test_textbook_check_grades_by_one_number():
    report = textbook_check(through(jnp.sin), PARAMS)
    assert (report.verdict, report.method) == ("pass", "textbook")
    assert report.relative_error < 1e-7


def test_textbook_check_overlooks_what_the_full_check_finds():
    def gradient(p):
        right = jax.grad(through(jnp.sin))(p)
        return {**right, "w": right["w"].at[0, 0].multiply(1 + 1e-5)}

    assert textbook_check(through(jnp.sin), PARAMS, gradient=gradient).verdict == "pass"
    assert check_gradients(through(jnp.sin), PARAMS, gradient=gradient).verdict == "fail"


def test_gc_13_a_forgotten_penalty_is_a_bug_to_the_textbook_check():
    def loss(x):
        return jnp.sum(jnp.sin(x)) + 0.35 * jnp.sum(x**2)

    report = textbook_check(loss, X[0], gradient=jnp.cos)
    assert report.verdict == "fail"


def test_gc_04_the_curve_is_a_v():
    curve = step_size_curve(through(jnp.sin), PARAMS, "w", (1, 2))
    best = int(np.argmin(curve.central))
    assert 1e-7 < curve.steps[best] < 1e-3
    assert curve.central[best] < 1e-9 < 1e-6 < min(curve.central[0], curve.central[-1])
    assert np.min(curve.forward) > np.min(curve.central)


def test_the_curve_can_be_drawn():
    figure = step_size_curve(jnp.exp, 1.0).figure()
    assert figure.axes[0].get_xlabel() == "step"


def test_the_curve_names_leaves_when_the_path_is_wrong():
    with pytest.raises(ValueError, match="There are: 'b', 'w'"):
        step_size_curve(through(jnp.sin), PARAMS, "kernel", (0,))
