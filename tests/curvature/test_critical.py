"""Kinds of critical points, the Hessian's index, Newton steps, gradient norms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_dl import curvature, losses
from jaxopt_dl.curvature import CriticalPoint, classify_critical_point


def saddle(p):
    return p[0] ** 2 - p[1] ** 2


@pytest.mark.parametrize(
    ("eigenvalues", "kind"),
    [
        ((2, 2), "minimum"),
        ((-2, -2), "maximum"),
        ((2, -2), "saddle"),
        ((2, 0), "degenerate"),
        ((-2, 0), "degenerate"),
        ((0, 0), "plateau"),
        ((2, 0, -2), "saddle"),
        ((5e-324,), "minimum"),
        (jnp.array([-1.0, -3.0]), "maximum"),
    ],
)
def test_risk_08_eigenvalues_name_the_kind(eigenvalues, kind):
    assert classify_critical_point(eigenvalues) == kind


def test_risk_08_small_beside_the_largest_counts_as_zero():
    assert classify_critical_point([1.0, 1e-9]) is CriticalPoint.DEGENERATE
    assert classify_critical_point([1.0, -1e-9]) is CriticalPoint.DEGENERATE
    assert classify_critical_point([1.0, -1e-9], tolerance=1e-12) is CriticalPoint.SADDLE


def test_land_04_a_saddle_is_found_from_the_loss_alone():
    ends = curvature.extreme_eigenvalues(saddle, jnp.zeros(2))
    np.testing.assert_allclose([ends.low, ends.high], [-2.0, 2.0], atol=1e-12)
    assert classify_critical_point([ends.low, ends.high]) is CriticalPoint.SADDLE


@pytest.mark.parametrize(
    ("eigenvalues", "message"),
    [([], "finite numbers in a row"), ([[1.0]], "finite numbers in a row"), ([np.nan], "finite")],
)
def test_what_are_no_eigenvalues_is_refused(eigenvalues, message):
    with pytest.raises(ValueError, match=f"classify_critical_point: .*{message}"):
        classify_critical_point(eigenvalues)


def test_traced_eigenvalues_are_refused():
    with pytest.raises(TypeError, match="outside of compiled programs"):
        jax.jit(classify_critical_point)(jnp.ones(2))


@pytest.mark.parametrize(("size", "share"), [(1, 0.5), (2, 0.1464), (3, 0.025)])
def test_land_03_random_hessians_are_rarely_positive(size, share):
    drawn = np.random.default_rng(size).normal(size=(20_000, size, size)).astype("f4")
    matrices = (drawn + np.swapaxes(drawn, 1, 2)) / 2

    def index(matrix):
        return curvature.hessian_index(lambda p: p @ matrix @ p / 2, jnp.zeros(size))

    positive = float(jnp.mean(jax.jit(jax.vmap(index))(matrices) == 0))
    assert abs(positive - share) < 4 * np.sqrt(share * (1 - share) / 20_000)


def test_land_03_the_index_counts_directions_downward():
    signs = jnp.array([1.0, -2.0, 3.0, 4.0, 0.0])
    index = jax.jit(lambda p: curvature.hessian_index(lambda x: jnp.sum(signs * x**2), p))
    assert int(index(jnp.zeros(5))) == 1


def test_land_06_newton_lands_on_the_saddle_in_one_step():
    found = jax.jit(lambda p: curvature.newton_step(saddle, p))(jnp.array([1.0, 0.5]))
    np.testing.assert_array_equal(found, [0.0, 0.0])


def test_a_newton_step_keeps_tree_and_dtypes():
    params = {"x": jnp.array(1.0), "y": jnp.array([0.5], jnp.bfloat16)}
    loss = lambda p: p["x"] ** 2 + jnp.sum(p["y"].astype(jnp.float32) ** 2)  # noqa: E731
    found = jax.jit(lambda p: curvature.newton_step(loss, p))(params)
    assert jax.tree.map(lambda leaf: (leaf.shape, str(leaf.dtype)), found) == {
        "x": ((), "float32"),
        "y": ((1,), "bfloat16"),
    }


@pytest.mark.parametrize(
    ("norms", "possible"), [([1.0, 0.9, 0.95, 0.9], False), ([1.0, 0.1, 1e-4], True)]
)
def test_land_09_a_norm_that_does_not_shrink_rules_a_critical_point_out(norms, possible):
    assert curvature.may_be_critical(norms) is possible


@pytest.mark.parametrize("norms", [[1.0], [1.0, np.nan], [1.0, -1.0], [[1.0, 2.0]]])
def test_what_are_no_norms_is_refused(norms):
    with pytest.raises(ValueError, match="may_be_critical: "):
        curvature.may_be_critical(norms)


def noisy(w, batch):
    """Mean over a batch of (w - noise)^2 / 2."""
    return jnp.mean((w - batch["noise"]) ** 2) / 2


def test_land_09_the_full_norm_shrinks_while_that_of_batches_stays_at_the_noise():
    noise = np.random.default_rng(0).normal(size=50).astype(np.float32)
    noise -= noise.mean()
    batches = [{"noise": noise[i : i + 8]} for i in range(0, 50, 8)]
    at_minimum = jnp.zeros(())
    full = float(curvature.gradient_norm(noisy, at_minimum, batches))
    single = [float(curvature.gradient_norm(noisy, at_minimum, [batch])) for batch in batches]
    assert full < 1e-6 < 0.1 < np.median(single)


ONE = {"x": np.ones(1), "y": np.zeros(1)}


def half_square(p, batch):
    """Squared loss of one sigmoid unit, halved; flat where the unit is saturated."""
    output = jax.nn.sigmoid(p["w"] * batch["x"] + p["b"])
    return losses.squared_error(output, batch["y"])[0] / 2


def cross_entropy(p, batch):
    """Cross-entropy of the same unit; steep there."""
    return losses.sigmoid_cross_entropy(p["w"] * batch["x"] + p["b"], batch["y"])[0]


def descend(loss, limit):
    """Parameters and steps of descent at rate 0.15, until the output is below 0.2."""

    def unfinished(carry):
        p, steps = carry
        return (jax.nn.sigmoid(p["w"] + p["b"])[0] >= 0.2) & (steps < limit)

    def step(carry):
        p, steps = carry
        return jax.tree.map(lambda w, g: w - 0.15 * g, p, jax.grad(loss)(p, ONE)), steps + 1

    return jax.lax.while_loop(unfinished, step, (saturated(), 0))


def saturated():
    return {"w": jnp.full(1, 4.0), "b": jnp.full(1, 4.0)}


@pytest.mark.parametrize(("loss", "steps"), [(half_square, 10_099), (cross_entropy, 44)])
def test_land_08_a_plateau_costs_thousands_of_steps(loss, steps, x64):
    assert descend(loss, 20_000)[1] == steps


def test_land_08_the_norm_over_time_tells_a_plateau_from_a_critical_point(x64):
    along = [saturated(), descend(half_square, limit=5000)[0]]
    norms = [float(curvature.gradient_norm(half_square, p, [ONE])) for p in along]
    np.testing.assert_allclose(norms[0], np.sqrt(2) / (1 + np.exp(-8)) ** 2 / (1 + np.exp(8)))
    assert 0 < max(norms) < 1e-3 and half_square(along[-1], ONE) > 0.49
    assert not curvature.may_be_critical(norms)
    assert curvature.gradient_norm(cross_entropy, along[0], [ONE]) > 1


def test_a_short_last_batch_counts_less():
    batches = [{"noise": jnp.zeros(4)}, {"noise": jnp.zeros(4)}, {"noise": jnp.full(2, 10.0)}]
    assert float(curvature.gradient_norm(noisy, jnp.array(0.0), batches)) == 2.0
    weighted = curvature.gradient_norm(noisy, jnp.array(0.0), batches, weights=(1, 1, 2))
    assert float(weighted) == 5.0


def test_the_norm_works_in_a_compiled_program_and_keeps_params_of_any_dtype():
    batch = {"noise": jnp.ones(4, jnp.bfloat16)}
    norm = jax.jit(lambda w: curvature.gradient_norm(noisy, w, [batch]))
    assert float(norm(jnp.array(3.0, jnp.bfloat16))) == 2.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batches": []}, "`batches` must hold data"),
        ({"weights": (1.0, 2.0)}, "one weight per batch, got 2 for 1"),
        ({"weights": (0.0,)}, "`weights` must lie in"),
        ({"batches": [3.0]}, "a batch must have rows to count"),
    ],
)
def test_batches_that_cannot_be_averaged_are_refused(change, message):
    arguments = {"batches": [{"noise": jnp.ones(2)}], **change}
    with pytest.raises(ValueError, match=f"gradient_norm: .*{message}"):
        curvature.gradient_norm(noisy, jnp.array(1.0), **arguments)
