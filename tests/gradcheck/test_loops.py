"""Loops at another pace: solvers that run on, loops that end, counters that are left alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_dl.gradcheck import _loops, check_gradients
from jaxopt_dl.gradcheck._loops import Pace

ROUGH = 1e-2


def root(a):
    """The square root to a hundredth."""
    return jax.lax.while_loop(
        lambda x: jnp.abs(x * x - a) > ROUGH, lambda x: 0.5 * (x + a / x), 1.0 + 0 * a
    )


def flagged_root(a):
    def step(s):
        better = 0.5 * (s[0] + a / s[0])
        return better, jnp.abs(better - s[0]) < ROUGH

    return jax.lax.while_loop(lambda s: ~s[1], step, (1.0 + 0 * a, jnp.asarray(False)))[0]


def branched(a):
    return jax.vmap(lambda x: jax.lax.cond(x > 0, root, lambda v: v, x))(a)


with_rule = jax.custom_jvp(root)
with_rule.defjvp(lambda primals, tangents: (root(*primals), tangents[0] / (2 * root(*primals))))

FORMS = {
    "vmap": jax.vmap(root),
    "map": lambda a: jax.lax.map(root, a),
    "jit": jax.jit(jax.vmap(root)),
    "branch": branched,
    "rule": jax.vmap(with_rule),
    "flag": jax.vmap(flagged_root),
}


def run(function, x, *, limit=1000, settle=True):
    program = jax.make_jaxpr(lambda x: function(x))(x)
    settles = np.full(len(_loops.find_solvers(program)), settle)
    return np.asarray(_loops.paced(program, Pace(limit, settles))([x])[0])


@pytest.fixture(autouse=True)
def in_float64():
    with jax.enable_x64(True):
        yield


@pytest.mark.parametrize("name", FORMS)
def test_a_solver_runs_on_until_it_has_converged(name):
    x = np.array([0.3, 2.0, 40.0])
    np.testing.assert_allclose(run(FORMS[name], x), np.sqrt(x), rtol=1e-15)


@pytest.mark.parametrize("name", FORMS)
def test_without_that_a_program_returns_what_it_did(name):
    x = np.array([0.3, 2.0, 40.0])
    found = run(FORMS[name], x, settle=False)
    np.testing.assert_allclose(found, jax.jit(FORMS[name])(x), rtol=1e-14)
    assert np.max(np.abs(found / np.sqrt(x) - 1)) > 1e-6


def test_a_loop_that_does_not_end_returns_nan():
    assert np.isnan(run(root, np.float64(-2.0)))


def test_lanes_that_end_keep_their_values_beside_one_that_does_not():
    found = run(jax.vmap(root), np.array([4.0, -2.0]))
    assert found[0] == 2.0 and np.isnan(found[1])


def test_linear_solvers_are_solved_to_the_end():
    rng = np.random.default_rng(1)
    matrix = np.eye(6) * 4 + rng.normal(size=(6, 6))
    b = rng.normal(size=6)

    def loose(b):
        return jax.scipy.sparse.linalg.bicgstab(lambda v: matrix @ v, b, tol=0.1)[0]

    exact = np.linalg.solve(matrix, b)
    assert np.max(np.abs(loose(b) - exact)) > 1e-4
    np.testing.assert_allclose(run(loose, b), exact, rtol=1e-10)


def pace_of(function, x):
    program = jax.make_jaxpr(function)(x)
    value = np.asarray(jax.jit(function)(x))
    return _loops.find_pace(program, x, value, np.abs(value))


def test_the_limit_leaves_room_beyond_the_steps_taken():
    def slow(x):
        return jax.lax.while_loop(lambda s: s > 1e-3, lambda s: 0.99 * s, x)

    pace = pace_of(slow, np.float64(1.0))
    assert pace is not None and pace.limit >= 50 * 688


@pytest.mark.parametrize(
    "step",
    [
        lambda s: (s[0] * 1.5, s[1] + 1),
        lambda s: (s[0] + 0.25, s[1] + 1),
        lambda s: (s[0] / (s[1] + 2) + 9, s[1] + 1),
    ],
)
def test_a_loop_that_is_no_solver_is_left_alone(step):
    """Growth, a time, and numbers that depend on a counter that has an end."""

    def grow(x):
        return jax.lax.while_loop(lambda s: (s[0] < 10) & (s[1] < 20), step, (x, 0))[0]

    pace = pace_of(grow, np.float64(0.5))
    assert pace is not None and not np.any(pace.settles)


def loose_square_root(factor):
    solve = jax.custom_vjp(root)
    solve.defvjp(lambda a: (root(a),) * 2, lambda x, g: (factor * g / (2 * x),))
    return solve


def test_a_right_rule_of_a_loose_solver_passes_and_a_note_says_why():
    report = check_gradients(loose_square_root(1.0), np.float64(2.0))
    assert report.verdict == "pass"
    assert any("stop early" in note and "0.353553" in note for note in report.notes)


def test_a_wrong_rule_of_a_loose_solver_fails():
    report = check_gradients(loose_square_root(1.001), np.float64(2.0))
    assert (report.verdict, report.causes[0].function) == ("fail", "root")


def test_points_where_a_loop_does_not_end_are_left_out_and_named():
    report = check_gradients(loose_square_root(1.0), np.float64(2.0))
    assert {"given", "trained"} <= set(report.coverage.points)
    assert any(note.startswith("left out: mirrored") for note in report.notes)


def dead_above_eight(x):
    return jnp.log1p(jnp.exp(x))


dead = jax.custom_vjp(dead_above_eight)
dead.defvjp(
    lambda x: (dead_above_eight(x), x),
    lambda x, g: (g * jnp.where(x > 8, 0.0, jax.nn.sigmoid(x)),),
)


@pytest.mark.parametrize("size", [1e-3, 0.1, 1.0])
def test_a_rule_wrong_only_for_large_inputs_is_found_from_small_weights(size):
    weights = size * np.array([0.7, -1.2, 0.4])
    data = np.random.default_rng(2).normal(size=(6, 3))
    report = check_gradients(lambda w: jnp.sum(dead(data @ w)), weights)
    assert (report.verdict, report.causes[0].function) == ("fail", "dead_above_eight")


def test_a_loop_beside_a_rule_does_not_shield_it():
    def loss(w):
        rounds = jax.lax.while_loop(lambda s: s[0] > 1e-3, lambda s: (s[0] / 2, s[1] + 1), (1.0, 0))
        return rounds[1] * jnp.sum(dead(w))

    report = check_gradients(loss, np.array([0.3, -0.2]))
    assert report.verdict == "fail"
