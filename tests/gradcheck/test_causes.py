"""What is at fault is named, with file and line, and nothing else is."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_dl.gradcheck import check_gradients
from tests.gradcheck import _planted as planted
from tests.gradcheck._planted import PARAMS, X, line_of, through


def looped(operation):
    return lambda x: jax.lax.scan(lambda c, _: (operation(c), None), x, None, length=3)[0]


def branched(operation):
    return lambda x: jax.lax.cond(jnp.sum(x) > -1e9, operation, lambda y: y, x)


POINT = np.array([0.5, -1.25, 2.0])

WRAPPERS = {
    "plain": lambda f: f,
    "jit": jax.jit,
    "vmap": jax.vmap,
    "remat": jax.checkpoint,
    "scan": looped,
    "cond": branched,
}


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("rule", [planted.wrong_square, planted.wrong_sine])
def test_a_wrong_rule_is_named_wherever_it_is_called(rule, wrapper):
    report = check_gradients(through(WRAPPERS[wrapper](rule)), PARAMS, points=())
    assert report.verdict == "fail"
    (cause,) = report.causes
    assert (cause.kind, cause.function, cause.line) == ("rule", rule.__name__, line_of(rule))
    assert cause.file == planted.__file__
    assert cause.leaves == ("b", "w")


def test_a_right_rule_beside_a_wrong_one_is_not_accused():
    report = check_gradients(
        through(lambda x: planted.right_square(planted.wrong_sine(x))), PARAMS, points=()
    )
    assert [cause.function for cause in report.causes] == ["wrong_sine"]


def test_a_right_rule_passes():
    assert check_gradients(through(planted.right_square), PARAMS).verdict == "pass"


def test_a_rule_with_a_wrong_forward_pass_is_named():
    report = check_gradients(through(planted.shifted_forward), PARAMS, points=())
    assert report.verdict == "fail"
    assert "forward" in report.causes[0].detail
    assert report.causes[0].function == "shifted_forward"


@pytest.mark.parametrize("rule", [planted.straight_through, planted.reversed_gradient])
def test_a_surrogate_fails_and_says_how_to_allow_it(rule):
    report = check_gradients(through(rule), PARAMS, points=())
    assert report.verdict == "fail"
    assert [cause.kind for cause in report.causes] == ["surrogate"]
    assert f"allow=('{rule.__name__}',)" in report.causes[0].detail


@pytest.mark.parametrize("rule", [planted.straight_through, planted.reversed_gradient])
def test_an_allowed_surrogate_passes_and_is_shown(rule):
    report = check_gradients(through(rule), PARAMS, allow=(rule.__name__,))
    assert report.verdict == "pass"
    assert [(c.function, c.allowed) for c in report.causes] == [(rule.__name__, True)]


def test_allowing_one_surrogate_does_not_excuse_another_bug():
    report = check_gradients(
        through(lambda x: planted.wrong_sine(planted.reversed_gradient(x))),
        PARAMS,
        allow=("reversed_gradient",),
        points=(),
    )
    assert report.verdict == "fail"
    assert [c.function for c in report.causes if not c.allowed] == ["wrong_sine"]


def test_stop_gradient_is_named_at_the_line_that_calls_it():
    def loss(p):
        return jnp.sum((X @ p["w"] + jax.lax.stop_gradient(p["b"])[None]) ** 2)

    report = check_gradients(loss, PARAMS, points=())
    (cause,) = report.causes
    assert (cause.kind, cause.function, cause.leaves) == ("surrogate", "stop_gradient", ("b",))
    assert cause.file == __file__
    assert cause.line == loss.__code__.co_firstlineno + 1


def test_the_stop_gradient_inside_logsumexp_is_no_surrogate():
    def loss(p):
        return jnp.sum(jax.nn.logsumexp(X @ p["w"] + p["b"][None], axis=-1))

    assert check_gradients(loss, PARAMS).verdict == "pass"


def test_a_rule_whose_body_has_no_gradient_at_the_point_is_judged_by_differences():
    report = check_gradients(
        lambda p: planted.safe_norm(p["a"]) + jnp.sum(p["a"] ** 2), {"a": np.zeros(3)}
    )
    assert report.verdict == "pass"


@pytest.mark.parametrize("operation", [jnp.round, jnp.floor, jnp.sign])
def test_a_blocked_leaf_fails_with_the_operation_that_blocks_it(operation):
    def loss(p):
        return jnp.mean((X @ operation(p["w"]) + p["b"][None]) ** 2)

    report = check_gradients(loss, PARAMS, points=())
    (cause,) = report.causes
    assert (cause.kind, cause.leaves) == ("blocked", ("w",))
    assert cause.function == operation.__name__
    assert cause.line == loss.__code__.co_firstlineno + 1


def test_a_cast_to_integers_blocks():
    report = check_gradients(lambda x: jnp.sum(x.astype(int) * 2.0), jnp.array([1.2, 2.7]))
    assert report.causes[0].kind == "blocked"


def test_a_leaf_with_one_open_path_is_not_blocked():
    report = check_gradients(lambda x: jnp.sum((x - jnp.round(x)) ** 2), jnp.array([1.2, 2.7]))
    assert report.verdict == "pass"


def test_blocking_can_be_allowed():
    report = check_gradients(
        lambda p: jnp.sum(jnp.round(p["t"]) + p["w"] ** 2),
        {"t": jnp.array([1.2]), "w": jnp.ones(1)},
        allow=("round",),
    )
    assert report.verdict == "pass"


def test_the_operation_that_makes_a_nan_is_named():
    def loss(p):
        return jnp.sum(jnp.where(p["b"] > 0.5, jnp.sqrt(p["b"]), 0.0)) + jnp.sum(p["w"] ** 2)

    report = check_gradients(loss, {"b": jnp.zeros(3), "w": jnp.ones(2)}, points=())
    (cause,) = report.causes
    assert (cause.kind, cause.function, cause.leaves) == ("non_finite", "sqrt", ("b",))
    assert cause.line == loss.__code__.co_firstlineno + 1


def test_a_nan_is_blamed_on_the_operation_whose_own_derivative_is_infinite():
    """Not on the product that an infinite logarithm makes NaN afterwards."""

    def entropy(p):
        return -jnp.sum(jnp.where(p > 0, p * jnp.log(p), 0.0))

    report = check_gradients(entropy, np.array([0.25, 0.0]), points=())
    assert [(cause.kind, cause.function) for cause in report.causes] == [("non_finite", "log")]


def test_a_loss_that_is_not_finite_is_said_first():
    report = check_gradients(lambda x: jnp.sum(jnp.log(x)), jnp.array([-1.0, 1.0]))
    assert report.verdict == "fail"
    assert (report.causes[0].kind, report.causes[0].function) == ("non_finite", "log")


def test_a_hand_written_gradient_is_named_at_its_definition():
    def loss(p):
        return jnp.sum(p["w"] ** 2) + jnp.sum(p["b"] ** 2)

    def by_hand(p):
        return {"w": 2 * p["w"], "b": p["b"]}

    report = check_gradients(loss, PARAMS, gradient=by_hand)
    (cause,) = report.causes
    assert (cause.kind, cause.function, cause.leaves) == ("gradient", "by_hand", ("b",))
    assert (cause.file, cause.line) == (__file__, by_hand.__code__.co_firstlineno)


@pytest.mark.parametrize("given", [POINT, np.cos])
def test_a_gradient_without_a_definition_is_named_where_it_is_handed_over(given):
    def hand_over():
        return check_gradients(lambda x: jnp.sum(x**2), POINT, gradient=given)

    (cause,) = hand_over().causes
    line = hand_over.__code__.co_firstlineno + 1
    assert (cause.kind, cause.file, cause.line) == ("gradient", __file__, line)


def test_random_numbers_in_the_function_are_reported_before_anything_else():
    random = np.random.default_rng(0)

    def loss(p):
        return jnp.sum(p["w"] * random.uniform(size=(4, 3)))

    report = check_gradients(loss, PARAMS)
    assert report.verdict == "fail"
    assert [(c.kind, c.function) for c in report.causes] == [("nondeterministic", "loss")]


def test_random_numbers_in_the_gradient_are_reported():
    random = np.random.default_rng(0)
    report = check_gradients(
        lambda x: jnp.sum(x**2), np.ones(2), gradient=lambda x: 2 * x * random.uniform()
    )
    assert report.causes[0].kind == "nondeterministic"


def test_gc_14_dropout_with_a_fixed_key_passes():
    key = jax.random.key(3)

    def loss(p):
        keep = jax.random.uniform(key, (6, 3), jnp.float32) < 0.8
        return jnp.mean(jnp.where(keep, X @ p["w"] + p["b"][None], 0.0) ** 2)

    assert check_gradients(loss, PARAMS).verdict == "pass"
