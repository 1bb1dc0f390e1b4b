"""Published numbers of the rules on f = w^2 / 2 from w = 1, and on constant gradients."""

# optax types every state and every update as an opaque tree; these tests look inside.
# pyright: reportAttributeAccessIssue=false, reportIndexIssue=false, reportGeneralTypeIssues=false
# pyright: reportOperatorIssue=false

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxopt_dl import optim


def iterates(rule, steps: int, curvature: float = 1.0) -> list[float]:
    """The points after each step of gradient descent on `curvature * w^2 / 2` from 1."""
    w = jnp.array(1.0)
    state, points = rule.init(w), []
    for _ in range(steps):
        updates, state = rule.update(curvature * w, state, w)
        w = w + updates
        points.append(float(w))
    return points


def steps_on_constant(rule, gradient: float, steps: int) -> np.ndarray:
    """Size of each step when the gradient never changes, against the gradient."""
    g = jnp.array(gradient)

    def body(state, _):
        updates, state = rule.update(g, state, g)
        return state, -updates

    return np.asarray(jax.lax.scan(body, rule.init(g), length=steps)[1])


def assert_iterates(rule, points, digits=1e-12):
    np.testing.assert_allclose(iterates(rule, len(points)), points, rtol=0, atol=digits)


def test_mom_01_a_step_along_the_mean_of_gradients(x64):
    rule = optim.momentum(0.1, form="ema")
    assert_iterates(rule, [0.99, 0.9711, 0.944379, 0.910886], 1e-6)


@pytest.mark.parametrize("rule", [optim.momentum(0.1), optim.momentum(1.0, form="ema")])
def test_mom_05_the_sum_is_the_mean_at_another_rate(rule, x64):
    assert_iterates(rule, [0.9, 0.72, 0.486, 0.2268, -0.02916])


def test_mom_08_the_parameters_hold_the_look_ahead_point_as_in_optax(x64, standard_promotion):
    points = [0.81, 0.5751, 0.327321]
    assert_iterates(optim.nesterov(0.1), points)
    assert_iterates(optax.sgd(0.1, momentum=0.9, nesterov=True), points)


WITHOUT_MEMORY = [
    optim.momentum(0.1, decay=0.0),
    optim.momentum(0.1, decay=0.0, form="ema"),
    optim.nesterov(0.1, decay=0.0),
    optim.nesterov(0.1, decay=0.0, form="ema"),
    optim.sgd(0.1),
]


@pytest.mark.parametrize("rule", WITHOUT_MEMORY)
def test_mom_09_without_memory_all_are_plain_descent(rule, x64):
    assert_iterates(rule, [0.9, 0.81, 0.729])


def test_rms_07_without_bias_correction(x64):
    assert_iterates(optim.rmsprop(0.01), [0.968377, 0.945788, 0.927053], 1e-6)


def test_adam_01_momentum_over_root_mean_square(x64):
    points = [0.900000001, 0.8004122297, 0.7015862745, 0.6039390627, 0.5079636619]
    assert_iterates(optim.adam(0.1), points, 1e-10)


def test_gd_01_ten_steps_of_descent(x64):
    assert iterates(optim.sgd(0.1), 10)[-1] == pytest.approx(0.3486784401, abs=1e-12)


@pytest.mark.parametrize(
    ("rate", "curvature", "steps", "size"),
    [
        (2.1, 1.0, 10, 2.5937),
        (2.0, 1.0, 9, 1.0),
        (0.019, 100.0, 100, 2.66e-5),
        (0.0201, 100.0, 100, 2.7048),
    ],
)
def test_gd_22_too_large_a_rate_diverges(rate, curvature, steps, size, x64):
    assert abs(iterates(optim.sgd(rate), steps, curvature)[-1]) == pytest.approx(size, rel=2e-3)


@pytest.mark.parametrize("rule", [optim.nesterov(0.1), optim.nesterov(1.0, form="ema")])
def test_mom_07_the_iterate_of_nesterov(rule, x64):
    params = jnp.array(1.0)
    state, points = rule.init(params), []
    for _ in range(4):
        updates, state = rule.update(params, state, params)
        params = params + updates
        points.append(float(optim.nesterov_iterate(params, state)))
    np.testing.assert_allclose(points, [0.9, 0.729, 0.51759, 0.294589], rtol=0, atol=1e-6)


def test_mom_07_it_converges_where_the_literal_form_diverges(x64):
    """Curvature 100 at rate 0.01: the look-ahead point of the notes forgets the rate."""
    literal = np.array([[1 - 0.01 * 10, 0.01 * 0.9 * (1 - 10)], [-10.0, 0.9 * (1 - 10)]])
    assert np.abs(np.linalg.eigvals(literal)).max() == pytest.approx(8.19, abs=0.005)
    points = np.abs(iterates(optim.nesterov(0.01, form="ema"), 400, curvature=100.0))
    rate = (points[300:].max() / points[200:300].max()) ** (1 / 100)
    assert rate == pytest.approx(0.900, abs=5e-3)


def test_mom_05_the_velocity_of_a_constant_gradient(x64):
    assert steps_on_constant(optim.momentum(1.0), 1.0, 400)[-1] == pytest.approx(10.0)
    assert steps_on_constant(optim.momentum(1.0, form="ema"), 1.0, 400)[-1] == pytest.approx(1.0)


def test_mom_04_the_weight_of_an_old_gradient(x64):
    block, zero = optim.scale_by_momentum(form="ema"), jnp.array(0.0)
    direction, state = block.update(jnp.array(1.0), block.init(zero))
    for _ in range(10):
        direction, state = block.update(zero, state)
    assert float(direction) == pytest.approx(0.0349, abs=5e-5)


def test_rms_01_the_running_square_after_one_step(x64):
    block = optim.scale_by_rmsprop()
    _, state = block.update(jnp.array(1.0), block.init(jnp.array(0.0)))
    assert float(state.nu) == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("inside", "gradient", "step"),
    [(True, 1e-6, 0.0099999), (False, 1e-6, 3.0653), (True, 1e-2, 3.1607), (False, 1e-2, 3.1623)],
)
def test_rms_03_the_place_of_eps(inside, gradient, step, x64):
    rule = optim.rmsprop(1.0, eps_in_sqrt=inside)
    assert steps_on_constant(rule, gradient, 1)[0] == pytest.approx(step, abs=5e-5)


@pytest.mark.parametrize("gradient", [10.0, 0.1])
def test_rms_05_steep_and_flat_directions_move_alike(gradient, x64):
    assert steps_on_constant(optim.rmsprop(1.0), gradient, 1)[0] == pytest.approx(3.1623, abs=2e-4)


@pytest.mark.parametrize(("decay", "first"), [(0.9, 3.1623), (0.999, 31.62)])
def test_rms_06_the_first_step_grows_with_decay(decay, first, x64):
    sizes = steps_on_constant(optim.rmsprop(1.0, decay=decay), 1.0, 9000)
    assert sizes[0] == pytest.approx(first, abs=5e-3)
    assert sizes[-1] == pytest.approx(1.0, abs=1e-3)


def test_adam_02_corrected_steps_on_a_constant_gradient_are_the_rate(x64):
    np.testing.assert_allclose(steps_on_constant(optim.adam(1.0), 1.0, 50), 1.0, rtol=1e-7)


def test_adam_02_uncorrected_steps_start_too_large(x64):
    sizes = steps_on_constant(optim.adam(1.0, bias_correction=False), 1.0, 1000)
    found = [*sizes[:2], sizes.max(), sizes[-1]]
    np.testing.assert_allclose(found, [3.1623, 4.2496, 6.5685, 1.2576], atol=1e-4)
    assert sizes.argmax() == 11


def test_adam_03_the_state_keeps_the_raw_averages(x64):
    rule, one = optim.adam(1.0), jnp.array(1.0)
    state = rule.init(one)
    for _ in range(5):
        _, state = rule.update(one, state, one)
    assert float(state.mu) == pytest.approx(0.40951)
    assert float(state.nu) == pytest.approx(0.00499, abs=1e-5)


@pytest.mark.parametrize(
    ("eps", "eps_root", "gradient", "step"),
    [
        (1e-8, 0.0, 1e-6, 0.990099),
        (1e-30, 1e-8, 1e-6, 0.0099995),
        (1e-8, 0.0, 1e-8, 0.5),
        (1e-30, 1e-8, 1e-8, 1e-4),
    ],
)
def test_adam_04_eps_outside_and_inside_the_root(eps, eps_root, gradient, step, x64):
    rule = optim.adam(1.0, eps=eps, eps_root=eps_root)
    assert steps_on_constant(rule, gradient, 1)[0] == pytest.approx(step, rel=1e-4)


def test_adam_05_the_first_step_is_the_rate_whatever_the_gradient(x64):
    gradient = jnp.array([1e-3, -10.0, 0.0])
    rule = optim.adam(0.001)
    updates, _ = rule.update(gradient, rule.init(gradient), gradient)
    np.testing.assert_allclose(updates, [-9.9999e-4, 1e-3, 0.0], atol=1e-10)


def test_adam_08_it_does_not_anneal_by_itself(x64):
    sizes = steps_on_constant(optim.adam(0.1), 1.0, 5000)
    np.testing.assert_allclose(sizes[[0, -1]], 0.1, rtol=1e-6)


def test_ema_06_a_corrected_average_of_a_constant_is_the_constant(x64):
    directions = -steps_on_constant(optim.scale_by_adam(eps=1e-30), 7.0, 50)
    np.testing.assert_allclose(directions, 1.0, rtol=1e-12)


@pytest.mark.parametrize(
    ("limit", "expected"), [(1.0, (0.6, 0.8)), (10.0, (3.0, 4.0)), (5.0, (3.0, 4.0))]
)
def test_land_10_the_global_norm_is_clipped_and_the_direction_kept(limit, expected):
    g = {"a": jnp.array(3.0), "b": jnp.array(4.0)}
    clip = optim.clip_by_global_norm(limit)
    clipped, _ = clip.update(g, clip.init(g))
    np.testing.assert_allclose((clipped["a"], clipped["b"]), expected, rtol=1e-6)


def test_land_10_clipping_each_leaf_by_its_norm_changes_the_direction():
    g = {"a": jnp.array(3.0), "b": jnp.array(4.0)}
    clip = optim.clip_by_norm(1.0)
    clipped, _ = clip.update(g, clip.init(g))
    assert (float(clipped["a"]), float(clipped["b"])) == (1.0, 1.0)


def test_land_10_clipping_by_value_changes_the_direction():
    g = {"a": jnp.array(3.0), "b": jnp.array(4.0)}
    clip = optim.clip_by_value(1.0)
    clipped, _ = clip.update(g, clip.init(g))
    assert (float(clipped["a"]), float(clipped["b"])) == (1.0, 1.0)


@pytest.mark.parametrize(
    "make", [optim.clip_by_global_norm, optim.clip_by_norm, optim.clip_by_value]
)
def test_land_11_clipping_does_not_repair_nan(make):
    g = jnp.array([jnp.nan, 1.0])
    clipped, _ = make(1.0).update(g, make(1.0).init(g))
    assert np.isnan(clipped[0])


@pytest.mark.parametrize("fault", [jnp.nan, jnp.inf])
def test_land_11_a_fault_stays_in_its_leaf(fault):
    g = {"bad": jnp.array([fault, 1.0]), "good": jnp.array([30.0])}
    clip = optim.clip_by_global_norm(1.0)
    clipped, _ = clip.update(g, clip.init(g))
    np.testing.assert_array_equal(clipped["good"], g["good"])
    np.testing.assert_array_equal(clipped["bad"], g["bad"])


@pytest.mark.parametrize(("size", "limit"), [(1e30, 1.0), (1e-30, 1e-31)])
def test_land_10_the_norm_neither_overflows_nor_vanishes(size, limit):
    g = jnp.array([3.0, 4.0]) * size
    clip = optim.clip_by_global_norm(limit)
    clipped, _ = clip.update(g, clip.init(g))
    np.testing.assert_allclose(clipped, np.array([0.6, 0.8]) * limit, rtol=1e-5)


def test_nesterov_differs_from_optax_when_the_rate_falls(x64, standard_promotion):
    """The published velocity keeps its length; optax multiplies all of it by the new rate."""

    def falling(count):
        return jnp.where(count < 2, 0.1, 0.01)

    ours = iterates(optim.nesterov(falling), 3)
    theirs = iterates(optax.sgd(falling, momentum=0.9, nesterov=True), 3)
    np.testing.assert_allclose(ours[:2], theirs[:2], atol=1e-12)
    w, v = 1.0, 0.0
    for rate in (0.1, 0.1, 0.01):
        v = 0.9 * v - rate * (w + 0.9 * v)
        w = w + v
    assert ours[2] == pytest.approx(w + 0.9 * v, abs=1e-12)
    assert abs(ours[2] - theirs[2]) > 0.05


@pytest.mark.parametrize(
    ("rule", "slots"),
    [
        (optim.sgd(0.1), 0),
        (optim.momentum(0.1), 1),
        (optim.nesterov(0.1), 1),
        (optim.rmsprop(0.1), 1),
        (optim.rmsprop(0.1, centered=True), 2),
        (optim.chain(optim.scale_by_rmsprop(), optim.momentum(0.1)), 2),
        (optim.adam(0.1), 2),
        (optax.adam(0.1), 2),
    ],
)
def test_opt_02_opt_03_slots_per_parameter(rule, slots):
    params = {"kernel": jnp.ones((4, 3)), "bias": jnp.ones(3)}
    assert optim.state_size(rule.init(params), params) == slots


def test_opt_04_adagrad_slows_down_and_rmsprop_does_not(x64):
    assert steps_on_constant(optim.adagrad(1.0), 3.0, 100)[-1] == pytest.approx(0.1, rel=1e-6)
    assert steps_on_constant(optim.rmsprop(1.0), 3.0, 100)[-1] == pytest.approx(1.0, rel=1e-4)


def test_opt_03_rmsprop_with_momentum_is_a_chain_and_equals_optax(x64):
    ours = iterates(optim.chain(optim.scale_by_rmsprop(), optim.momentum(0.01)), 50)
    theirs = iterates(optax.rmsprop(0.01, momentum=0.9), 50)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12)


def test_adagrad_with_the_start_of_optax_as_eps_equals_optax(x64):
    ours = iterates(optim.adagrad(0.3, eps=0.1 + 1e-7, eps_in_sqrt=True), 50)
    np.testing.assert_allclose(ours, iterates(optax.adagrad(0.3), 50), rtol=0, atol=1e-12)


@pytest.mark.parametrize("inside", [True, False])
def test_rms_02_no_gradient_means_no_step_rather_than_nan(inside):
    assert steps_on_constant(optim.rmsprop(0.1, eps_in_sqrt=inside), 0.0, 3).tolist() == [0, 0, 0]


def test_centered_and_corrected_rmsprop_raises():
    with pytest.raises(ValueError, match="`centered` and `bias_correction` exclude each other"):
        optim.rmsprop(0.1, centered=True, bias_correction=True)
