"""What learning curves say about the learning rate (GD-22)."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_dl import losses, nn, optim, telemetry


def parabola(rate, curvature=1.0, steps=100):
    """The losses of plain descent on `curvature * w^2 / 2` from 1."""
    return [curvature / 2 * (1 - rate * curvature) ** (2 * t) for t in range(steps + 1)]


@pytest.mark.parametrize(
    ("rate", "curvature", "steps", "last", "word"),
    [
        (2.1, 1.0, 10, 2.5937, "diverging"),
        (2.0, 1.0, 10, 1.0, "flat"),
        (0.019, 100.0, 100, 2.66e-5, "good"),
        (0.0201, 100.0, 100, 2.7048, "diverging"),
        (0.0001, 1.0, 100, 0.99, "too small"),
    ],
)
def test_rates_of_plain_descent_gd_22(rate, curvature, steps, last, word):
    curve = parabola(rate, curvature, steps)
    assert np.sqrt(2 * curve[-1] / curvature) == pytest.approx(last, rel=2e-3)
    assert telemetry.lr_verdict(curve) == word


def test_ups_and_downs_without_a_fall_are_too_large_gd_22():
    assert telemetry.lr_verdict([1.0, 4.0, 0.5, 5.0, 0.9, 3.0, 0.8]) == "too large"


def test_a_few_rises_on_the_way_down_are_no_fault():
    assert telemetry.lr_verdict([4.0, 2.0, 2.2, 1.0, 1.1, 0.5, 0.55, 0.5]) == "good"


@pytest.mark.parametrize(
    ("curve", "noise", "word"),
    [
        (np.ones(100), 0.1, "flat"),
        (np.ones(20), 0.1, "flat"),
        (np.asarray(parabola(0.001)), 0.01, "too small"),
        (np.asarray(parabola(0.05)), 0.01, "good"),
        (np.asarray(parabola(2.002)), 0.01, "diverging"),
    ],
)
def test_noise_on_a_curve_does_not_change_what_it_says(curve, noise, word):
    noises = noise * np.random.default_rng(0).standard_normal((200, len(curve)))
    verdicts = [telemetry.lr_verdict(curve + own) for own in noises]
    assert verdicts.count(word) >= 190


@pytest.mark.parametrize("fault", [np.nan, np.inf])
def test_a_loss_that_is_not_finite_is_diverging(fault):
    assert telemetry.lr_verdict([1.0, 0.5, fault, 0.3, 0.2]) == "diverging"


def test_negative_losses_are_judged_alike():
    curve = np.asarray(parabola(0.3))
    assert telemetry.lr_verdict(curve - 100.0) == telemetry.lr_verdict(curve) == "good"


def test_verdicts_on_the_curves_of_a_network_gd_22_sched_06():
    net = nn.mlp((16, 3), activation=nn.tanh)
    keys = jax.random.split(jax.random.key(0))
    params, _ = net.init(keys[0], (8,))
    x, y = jax.random.normal(keys[1], (90, 8)), jnp.arange(90) % 3
    x = x + 2 * jnp.eye(3, 8)[y]

    def loss(w, count):
        logits, _ = net.apply(w, {}, x, training=True)
        return jnp.mean(losses.softmax_cross_entropy(logits, y))

    curves = optim.lr_sweep(loss, params, optim.sgd(0.1), [0.003, 0.5, 100.0], steps=60)
    small, good, large = (telemetry.lr_verdict(curve) for curve in curves)
    assert (small, good) == ("too small", "good")
    assert large in ("too large", "diverging")


@pytest.mark.parametrize("bad", [1.0, [1.0, 0.5], np.ones((3, 9))])
def test_what_is_no_curve_raises(bad):
    with pytest.raises(ValueError, match="lr_verdict: `losses` must be a list of at least 5"):
        telemetry.lr_verdict(bad)


def test_a_curve_cannot_be_judged_in_a_program():
    with pytest.raises(TypeError, match="lr_verdict: `losses` must hold numbers, got a traced"):
        jax.jit(telemetry.lr_verdict)(jnp.ones(9))
