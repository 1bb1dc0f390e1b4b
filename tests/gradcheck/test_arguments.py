"""What cannot be checked is refused in a sentence that names the argument and what came."""

import functools
import linecache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_dl.gradcheck import check_gradients, step_size_curve, textbook_check

PARAMS = {"a": {"kernel": jnp.ones((2, 3))}, "b": jnp.ones(3)}
GRADIENT = {"a": {"kernel": np.full((2, 3), 3.0)}, "b": np.full(3, 3.0)}


def cubes(p) -> jax.Array:
    return jnp.sum(p["a"]["kernel"] ** 3) + jnp.sum(p["b"] ** 3)


def with_kernel(tree: dict, kernel: Any) -> dict:
    return {**tree, "a": {"kernel": kernel}}


OPTIONS = [
    ({"allow": "round"}, TypeError, r"`allow` .* got 'round'. Write allow=\('round',\)."),
    ({"allow": 3}, TypeError, "`allow` must be a tuple of names"),
    ({"allow": [jnp.round]}, TypeError, "got something of type .* among them"),
    ({"args": jnp.ones(3)}, TypeError, r"`args` .* got an array of shape \(3,\).*args=\(x,\)"),
    ({"args": "abc"}, TypeError, "`args` must be a tuple"),
    ({"args": {"x": 1}}, TypeError, "`args` .* got a dict of 1"),
    ({"kwargs": [1]}, TypeError, "`kwargs` must be a dict .* got a list of 1"),
    ({"kwargs": jnp.ones(2)}, TypeError, "`kwargs` must be a dict .* got an array"),
    ({"kwargs": {1: 2}}, TypeError, "`kwargs` must be a dict from names"),
    ({"progress": "foo"}, ValueError, "`progress` must be one of True, False, 'auto', got 'foo'"),
    ({"has_aux": "no"}, TypeError, "`has_aux` must be True or False, got 'no'"),
    ({"components": 0}, ValueError, "`components` must be at least 1, got 0"),
    ({"components": -1}, ValueError, "`components` must be at least 1, got -1"),
    ({"components": 2.5}, TypeError, "`components` must be an integer .* got 2.5"),
    ({"components": True}, TypeError, "`components` must be an integer .* got True"),
    ({"components": "some"}, ValueError, "`components` must be one of 'auto', 'all'"),
    ({"seed": -1}, ValueError, "`seed` must be at least 0, got -1"),
    ({"seed": "1"}, TypeError, "`seed` must be an integer"),
    ({"points": "near"}, ValueError, "`points` must be one of 'auto', got 'near'"),
    ({"points": None}, TypeError, '`points` must be "auto" or a tuple of trees .* got None'),
    ({"points": PARAMS}, TypeError, r"got a dict of 2. For one tree write points=\(tree,\)."),
    ({"points": (PARAMS, {"b": jnp.ones(3)})}, ValueError, r"`points\[1\]` .* for 'a/kernel'"),
    (
        {"points": (with_kernel(PARAMS, jnp.ones((3, 2))),)},
        ValueError,
        r"'a/kernel' of `points\[0\]` must have shape \(2, 3\), got \(3, 2\)",
    ),
    (
        {"points": (with_kernel(PARAMS, jnp.ones((2, 3)).at[1, 2].set(jnp.inf)),)},
        ValueError,
        r"`points\[0\]` must be finite, but a/kernel\[1, 2\] is inf",
    ),
    ({"gradient": {"a": 1.0}}, ValueError, "`gradient` .* nothing for 'a/kernel' and 'b'.*'a'"),
    ({"gradient": "jax.grad"}, ValueError, "`gradient` must be built like .* got 'jax.grad'"),
    (
        {"gradient": with_kernel(GRADIENT, np.ones((3, 2)))},
        ValueError,
        r"'a/kernel' of `gradient` must have shape \(2, 3\), got \(3, 2\)",
    ),
    (
        {"gradient": with_kernel(GRADIENT, 1j * np.ones((2, 3)))},
        TypeError,
        "'a/kernel' of `gradient` must hold real numbers, got an array .* complex128",
    ),
    (
        {"gradient": with_kernel(GRADIENT, np.ones((2, 3), bool))},
        TypeError,
        "must hold real numbers, got an array .* bool",
    ),
    ({"gradient": with_kernel(GRADIENT, None)}, TypeError, "must hold real numbers, got None"),
    ({"gradient": lambda p: None}, ValueError, "what `gradient` returns .* got None"),
    ({"gradient": lambda p: p["b"]}, ValueError, "what `gradient` returns .* got an array"),
    ({"gradient": lambda p: (1.0, GRADIENT)}, ValueError, "without the value that `jax.value_and"),
]


@pytest.mark.parametrize(("options", "error", "message"), OPTIONS)
def test_a_wrong_option_is_named(options, error, message):
    with pytest.raises(error, match=f"check_gradients: .*{message}"):
        check_gradients(cubes, PARAMS, **options)


def test_integers_in_a_gradient_are_told():
    ones = jax.tree.map(lambda leaf: np.ones(leaf.shape, int), GRADIENT)
    report = check_gradients(cubes, PARAMS, gradient=with_kernel(ones, GRADIENT["a"]["kernel"]))
    assert report.verdict == "fail"
    assert any("`gradient` gives integers for b" in note for note in report.notes)


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({}, ValueError, "must hold floating-point numbers, got a tree without leaves"),
        (None, ValueError, "must hold floating-point numbers, got None"),
        ("hello", ValueError, "must hold floating-point numbers, got 'hello'"),
        ({"w": 3, "v": jnp.arange(2)}, ValueError, "got 2 leaves of type int and int32"),
        ({"w": jnp.array([1, jnp.nan])}, ValueError, r"must be finite, but w\[1\] is nan\."),
        (
            {"w": jnp.full((2, 2), jnp.inf)},
            ValueError,
            r"w\[0, 0\] is inf, and 3 others like it",
        ),
        (jnp.array(-jnp.inf), ValueError, "but the parameter is -inf"),
        ({"w": jnp.ones(2, complex)}, TypeError, "must be real, but leaf 'w' is complex64"),
        ({"w": 1j}, TypeError, "must be real, but leaf 'w' is complex128"),
    ],
)
def test_parameters_that_have_no_gradient_are_named(params, error, message):
    with pytest.raises(error, match=f"check_gradients: `params` .*{message}"):
        check_gradients(jnp.sum, params)


def test_a_check_inside_jit_is_refused():
    with pytest.raises(TypeError, match="'w' is a tracer. Call the check outside `jax.jit`"):
        jax.jit(lambda p: check_gradients(cubes, p).verdict)({"w": jnp.ones(2)})


@pytest.mark.parametrize(
    ("returned", "error", "message"),
    [
        (jnp.ones(3), ValueError, r"an array of shape \(3,\) and dtype float32. Reduce it"),
        (jnp.ones(1), ValueError, r"an array of shape \(1,\)"),
        (None, TypeError, "None. Return the loss."),
        ("loss", TypeError, "'loss'. Return the loss."),
        (3, TypeError, "returned 3. Return a real"),
        (jnp.array(1 + 2j), TypeError, "dtype complex64. Return a real"),
        ({"loss": 1.0}, TypeError, "a dict of 1. Return the loss."),
        (jnp.sum, TypeError, "something of type .*. Return the loss."),
        ((1.0, None), TypeError, "a tuple of 2. Pass has_aux=True"),
        ([1.0], TypeError, "a list of 1"),
    ],
)
def test_a_function_that_returns_no_loss_is_told_what_it_returned(returned, error, message):
    with pytest.raises(error, match=f"must return one floating-point number, but it .*{message}"):
        check_gradients(lambda p: returned, jnp.ones(2))


@pytest.mark.parametrize("returned", [jnp.ones(()), (1.0, 2, 3), [1.0, 2]])
def test_has_aux_without_aux_is_refused(returned):
    with pytest.raises(ValueError, match="has_aux=True .* but it returned .* leave has_aux out"):
        check_gradients(lambda p: returned, jnp.ones(2), has_aux=True)


@pytest.mark.parametrize("checker", [textbook_check, step_size_curve])
def test_every_checker_speaks_in_its_own_name(checker):
    with pytest.raises(TypeError, match=f"{checker.__name__}: `args` must be a tuple"):
        checker(cubes, PARAMS, args=3)
    with pytest.raises(TypeError, match=f"{checker.__name__}: the function must return one"):
        checker(lambda p: None, PARAMS)


def branches(p):
    return jnp.sum(p) if p[0] > 0 else jnp.sum(p**2)


def formats(p):
    return float(f"{p[0]:.3f}")


def fills(p):
    result = np.zeros(2)
    result[0] = p[0] ** 2
    return result.sum()


UNTRACEABLE = [
    (lambda p: float(jnp.sum(p)), "Keep it a JAX array"),
    (lambda p: jnp.sin(p[0].item()), "Keep it a JAX array"),
    (lambda p: sum(p[i] for i in range(p.sum().astype(int))), "Keep it a JAX array"),
    (lambda p: np.sum(np.asarray(p)), "Use jnp instead of np"),
    (lambda p: np.linalg.norm(p), "Use jnp instead of np"),
    (lambda p: jnp.sum(p[p > 0]), "Use `jnp.where` with the mask"),
    (branches, "Use `jnp.where` or `lax.cond`"),
    (formats, "Keep it a JAX array"),
    (fills, "Keep it a JAX array"),
]


@pytest.mark.parametrize(("function", "advice"), UNTRACEABLE)
def test_a_function_that_jax_cannot_trace_is_told_its_line(function, advice):
    first = function.__code__.co_firstlineno
    with pytest.raises(TypeError, match="the function must be traceable by JAX") as refused:
        check_gradients(function, jnp.ones(2))
    message = str(refused.value)
    last = first + (3 if function is fills else 2)
    places = [f"in line {line} of {__file__} (`" for line in range(first, last)]
    assert any(place in message for place in places)
    assert advice in message and "or pass `gradient=`" in message
    assert refused.value.__cause__ is not None


@pytest.mark.parametrize("function", [branches, fills, lambda p: np.sum(np.square(p))])
def test_the_same_function_runs_on_the_host_when_it_comes_with_its_gradient(function):
    params = np.array([0.75, -0.5])
    slope = {branches: np.ones(2), fills: np.array([1.5, 0.0])}.get(function, 2 * params)
    report = check_gradients(function, params, gradient=slope)
    assert report.verdict == "pass"


def grows(p):
    step = lambda s: (s[0] + 1, 1.1 * s[1])  # noqa: E731
    return jax.lax.while_loop(lambda s: s[0] < 3, step, (0, jnp.sum(p)))[1]


def calls_back(p, method="sequential"):
    return jax.pure_callback(np.sum, jax.ShapeDtypeStruct((), p.dtype), p, vmap_method=method)


@pytest.mark.parametrize("checker", [check_gradients, textbook_check])
@pytest.mark.parametrize(
    ("function", "words"),
    [
        (grows, "reverse mode, and `lax.while_loop` has none, used in line {} of .*lax.scan"),
        (calls_back, "a derivative, and `jax.pure_callback` has none, used in line {} of "),
    ],
)
def test_a_function_without_reverse_mode_is_told_its_line(checker, function, words):
    line = function.__code__.co_firstlineno + (2 if function is grows else 1)
    with pytest.raises(ValueError, match=words.format(line)) as refused:
        checker(function, jnp.ones(2))
    assert str(refused.value).startswith(f"{checker.__name__}: ")
    assert refused.value.__cause__ is not None


def test_a_callback_that_cannot_be_mapped_is_called_for_one_value_after_the_other():
    report = check_gradients(lambda p: calls_back(p, None), jnp.ones(2), gradient=np.ones(2))
    assert report.coverage.components == 2


def test_what_the_function_itself_raises_is_passed_on():
    with pytest.raises(KeyError, match="missing"):
        check_gradients(lambda p: p["missing"], {"w": jnp.ones(2)})


def remembering():
    cache = {}

    def function(p):
        if "norm" not in cache:
            cache["norm"] = jnp.sum(p**2)  # kept
        return cache["norm"]

    return function


def remembering_a_constant():
    @functools.cache
    def table():
        return 2 * jnp.arange(2.0)  # kept

    return lambda p: jnp.sum(p * table())


def collecting():
    seen = []

    def function(p):
        seen.append(jnp.sum(p))  # kept
        return jnp.sum(p**2) + 0 * sum(seen)

    return function


@pytest.mark.parametrize("make", [remembering, remembering_a_constant, collecting])
def test_values_kept_from_call_to_call_are_reported_with_their_line(make):
    report = check_gradients(make(), jnp.ones(2))
    assert report.verdict == "fail"
    (cause,) = report.causes
    line = linecache.getline(__file__, cause.line).rstrip()
    assert cause.kind == "nondeterministic" and line.endswith("# kept")
    assert make.__code__.co_firstlineno < cause.line
    assert "is kept for later calls" in str(report).replace("\n          ", " ")
