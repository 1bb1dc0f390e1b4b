"""Losses on lines and planes, and the directions they are taken along."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_dl import curvature

PARAMS = {"kernel": jnp.array([[3.0, 0.0], [4.0, 1.0], [0.0, 0.0]]), "bias": jnp.ones(2)}
STEPS = jnp.array([-1.0, 0.0, 0.5])


def bowl(p, scale=1.0):
    return scale * jnp.sum(p["kernel"] ** 2) + jnp.sum(p["bias"])


def test_a_line_is_the_parabola_it_should_be():
    along = {"kernel": jnp.ones((3, 2)), "bias": jnp.array([1.0, 2.0])}
    found = curvature.loss_along(bowl, PARAMS, along, STEPS, args=(2.0,))
    t = np.asarray(STEPS)
    np.testing.assert_allclose(found, 2 * (26 + 16 * t + 6 * t**2) + 2 + 3 * t, rtol=1e-6)


def test_between_two_networks_the_ends_are_their_losses():
    other = jax.tree.map(lambda leaf: 2 * leaf - 1, PARAMS)
    between = jax.tree.map(lambda a, b: b - a, PARAMS, other)
    found = curvature.loss_along(bowl, PARAMS, between, jnp.array([0.0, 1.0]))
    np.testing.assert_allclose(found, [bowl(PARAMS), bowl(other)], rtol=1e-6)


def test_a_plane_has_the_first_direction_along_its_rows():
    first = {"kernel": jnp.ones((3, 2)), "bias": jnp.zeros(2)}
    second = {"kernel": jnp.zeros((3, 2)), "bias": jnp.ones(2)}
    columns = jnp.array([0.0, 10.0])
    found = curvature.loss_plane(bowl, PARAMS, (first, second), (STEPS, columns))
    s, t = np.asarray(STEPS)[:, None], np.asarray(columns)[None]
    np.testing.assert_allclose(found, 26 + 16 * s + 6 * s**2 + 2 + 2 * t, rtol=1e-6)


@pytest.mark.parametrize("name", ["directions", "steps"])
def test_a_plane_needs_two_of_each(name):
    arguments = {"directions": (PARAMS, PARAMS), "steps": (STEPS, STEPS), name: STEPS}
    with pytest.raises(ValueError, match=f"loss_plane: `{name}` must be two in a tuple"):
        curvature.loss_plane(bowl, PARAMS, **arguments)


def test_slices_work_in_compiled_programs_and_keep_the_dtype_of_the_loss():
    low = jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), PARAMS)
    run = jax.jit(lambda p, t: curvature.loss_along(bowl, p, p, t))
    assert run(low, STEPS).dtype == jnp.bfloat16
    np.testing.assert_allclose(run(low, STEPS), run(PARAMS, STEPS), rtol=0.02)


def test_filters_get_the_norm_of_their_weights():
    direction = {"kernel": jnp.arange(1.0, 7.0).reshape(3, 2), "bias": jnp.ones(2)}
    found = curvature.filter_normalized(direction, PARAMS)
    np.testing.assert_allclose(np.linalg.norm(found["kernel"], axis=0), [5.0, 1.0], rtol=1e-6)
    np.testing.assert_allclose(
        found["kernel"][:, 0] / found["kernel"][0, 0], [1.0, 3.0, 5.0], rtol=1e-6
    )
    np.testing.assert_array_equal(found["bias"], 0.0)


def test_filters_of_a_convolution_are_its_output_channels(key):
    kernel = jax.random.normal(key, (3, 3, 2, 4))
    found = curvature.filter_normalized(jnp.ones_like(kernel), kernel)
    norms = np.linalg.norm(np.asarray(kernel).reshape(-1, 4), axis=0)
    np.testing.assert_allclose(np.linalg.norm(found.reshape(-1, 4), axis=0), norms, rtol=1e-6)


def test_a_filter_of_zeros_stays_zero_and_finite():
    params = {"kernel": jnp.zeros((2, 2))}
    for direction in ({"kernel": jnp.ones((2, 2))}, params):
        found = curvature.filter_normalized(direction, params)
        np.testing.assert_array_equal(found["kernel"], 0.0)


def test_random_directions_differ_by_key_and_leaf_and_are_normal(key):
    params = {"a": jnp.ones((40, 50)), "b": jnp.ones((40, 50))}
    found = curvature.random_direction(key, params, normalized=False)
    other = curvature.random_direction(jax.random.fold_in(key, 1), params, normalized=False)
    assert not np.allclose(found["a"], found["b"]) and not np.allclose(found["a"], other["a"])
    assert abs(float(jnp.std(found["a"])) - 1) < 0.1 and abs(float(jnp.mean(found["b"]))) < 0.1


def test_random_directions_are_filter_normalized(key):
    found = curvature.random_direction(key, PARAMS)
    plain = curvature.random_direction(key, PARAMS, normalized=False)
    again = curvature.filter_normalized(plain, PARAMS)
    np.testing.assert_array_equal(found["kernel"], again["kernel"])


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"direction": {"kernel": jnp.ones((3, 2))}}, ValueError, "`direction` must be built like"),
        ({"steps": jnp.ones((2, 2))}, ValueError, r"`steps` must have shape \(any,\)"),
        ({"steps": jnp.arange(3)}, TypeError, "`steps` must hold floating-point"),
        ({"function": lambda p: p["bias"]}, ValueError, "one floating-point number"),
    ],
)
def test_bad_input_is_refused(change, error, message):
    arguments = {
        "function": bowl, "params": PARAMS, "direction": PARAMS, "steps": STEPS, **change
    }  # fmt: skip
    with pytest.raises(error, match=f"loss_along: .*{message}"):
        curvature.loss_along(**arguments)
