"""What cannot be seen truly is refused, with the reason."""

import itertools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_dl import telemetry

X = jnp.array([[1.0, 2.0], [3.0, 4.0]])


def refused(function, *args, **options):
    with pytest.raises((TypeError, ValueError)) as caught:
        telemetry.tap_gradients(function, **options)(*args)
    return str(caught.value)


def test_a_function_that_draws_new_numbers_each_time_is_named_with_its_line():
    def noisy(w):
        mask = np.random.default_rng().random(2).astype(np.float32)
        return jnp.sum(jnp.tanh(w * mask))

    message = refused(noisy, jnp.ones(2))
    assert "must compute the same each time it is called" in message
    assert re.search(r"noisy \(.*test_tap_refusals\.py:\d+\)", message)


def test_that_is_seen_inside_a_compiled_program_too():
    count = itertools.count(1)
    changing = lambda w: jnp.sum(jnp.tanh(w * jnp.float32(next(count))))  # noqa: E731
    with pytest.raises(ValueError, match="the same each time"):
        jax.jit(telemetry.tap_gradients(changing))(jnp.ones(2))


def test_a_gradient_that_differs_from_the_plain_one_is_refused():
    count = itertools.count(1)

    def factor():
        spec = jax.ShapeDtypeStruct((), jnp.float32)
        return jax.pure_callback(lambda: np.float32(next(count)), spec)

    message = refused(lambda w: jnp.sum(jnp.tanh(w) * factor()), jnp.ones(2))
    assert "the gradient of params must be that of `jax.grad`" in message
    assert "callbacks to the host" in message


def test_a_gradient_that_is_not_finite_is_shown_not_refused():
    seen = telemetry.tap_gradients(lambda w: jnp.sum(jnp.exp(jnp.sqrt(w))))(jnp.array([0.0, 1.0]))
    assert np.isinf(seen.param_gradients[0])


@pytest.mark.parametrize(
    ("function", "args", "options", "says"),
    [
        (lambda w: jnp.tanh(w), (jnp.ones(2),), {}, "the loss must be a real scalar"),
        (lambda w: jnp.sum(jnp.tanh(w)), (jnp.ones(2),), {"has_aux": True}, "`(loss, aux)`"),
        (lambda w: jnp.sum(w), (jnp.ones(2),), {}, "a matrix product or a nonlinearity"),
        (lambda w: jnp.sum(w), (jnp.arange(2),), {}, "floating-point"),
        (3, (), {}, "must be a function"),
    ],
)
def test_wrong_arguments_are_named(function, args, options, says):
    assert says in refused(function, *args, **options)


def test_a_loop_of_unknown_length_is_not_recorded():
    grow = lambda x: jax.lax.while_loop(lambda v: jnp.sum(v) < 9, lambda v: jnp.exp(v), x)  # noqa: E731
    _, sites = telemetry.tap(lambda x: jnp.tanh(grow(x)))(jnp.ones(2))
    assert list(sites) == ["tanh"]


@pytest.mark.parametrize(
    ("function", "args", "says"),
    [
        (lambda x: jnp.tanh(x @ x.T), (X,), "one axis of dot_general must run over the examples"),
        (lambda x, y: jnp.tanh(x * y), (X, X), "any number of examples"),
        (lambda x: jnp.tanh(x["a"]), ({"a": X, "b": X[0:1]},), "must share their first axis"),
        (lambda x: jnp.tanh(x), (jnp.float32(1),), "must share their first axis"),
        (lambda x: jnp.tanh(x) if x.shape[0] < 3 else jnp.sin(x), (X,), "got other sites"),
    ],
)
def test_batch_axes_that_cannot_be_told_are_refused(function, args, says):
    with pytest.raises(ValueError, match=re.escape(says)):
        telemetry.batch_axes(function, *args)


def test_another_argument_can_hold_the_examples():
    axes = telemetry.batch_axes(lambda x, w: jnp.sum(jnp.tanh((x @ w).T)), X, X, batch=0)
    assert axes == {"dot_general": 0, "tanh": 1}
    with pytest.raises(ValueError, match="index of an argument"):
        telemetry.batch_axes(lambda x: jnp.tanh(x), X, batch=1)


def test_a_site_behind_a_sum_has_no_batch_axis():
    axes = telemetry.batch_axes(lambda x: jnp.tanh(jnp.mean(x, axis=0)), X)
    assert axes == {"tanh": None}


def test_steps_folded_into_the_batch_count_as_its_rows():
    x = jnp.ones((5, 3, 2))
    assert telemetry.batch_axes(lambda x: jnp.tanh(x.reshape(-1, 2)), x) == {"tanh": 0}
