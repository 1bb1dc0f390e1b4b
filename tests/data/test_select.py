"""The choice by dev scores, and what shows in training: oracles DATA-03, DATA-10 and DATA-11."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxopt_dl import optim, telemetry
from jaxopt_dl.data import select_best


def test_data_03_the_lowest_dev_error_decides_which_test_error_is_read():
    read = []
    best = select_best([0.12, 0.09, 0.10], maximize=False)
    read.append(best)
    assert read == [1]


def test_the_highest_accuracy_wins_if_told_so():
    assert select_best([0.88, 0.91, 0.90], maximize=True) == 1


@pytest.mark.parametrize("maximize", [True, False])
def test_the_first_of_equal_ones_wins(maximize):
    assert select_best([0.5, 0.5, 0.5], maximize=maximize) == 0


def test_data_10_the_dev_error_of_the_chosen_model_is_too_good():
    """Of 100 models with a true error of 10 %, on 360 examples, 2000 times."""
    random = np.random.default_rng(0)
    dev, test = random.binomial(360, 0.1, (2, 2000, 100)) / 360
    chosen = [select_best(errors, maximize=False) for errors in dev]
    # Standard errors of the means of 2000: 0.00011 and 0.00035.
    assert dev.min(axis=1).mean() == pytest.approx(0.0629, abs=0.0006)
    assert test[np.arange(2000), chosen].mean() == pytest.approx(0.0997, abs=0.0015)


def test_nan_is_refused_and_named():
    with pytest.raises(ValueError, match="got NaN for candidate 1"):
        select_best([0.1, float("nan")], maximize=False)


@pytest.mark.parametrize("scores", [[], [[0.1]], 0.1])
def test_scores_that_are_no_row_are_refused(scores):
    with pytest.raises(ValueError, match=r"must have shape \(candidates,\)"):
        select_best(scores, maximize=False)


def test_the_direction_is_a_truth_value():
    with pytest.raises(TypeError, match="`maximize` must be True or False"):
        select_best([0.1], maximize="lower")


def test_data_11_weights_of_separable_data_grow_at_every_step():
    """Logistic regression on x = 1, -1 and y = 1, 0, rate 1: growth alone is no overfitting."""
    x, y = jnp.array([1.0, -1.0]), jnp.array([1.0, 0.0])
    descent = optim.sgd(1.0)

    def step(carry, _):
        w, state = carry
        gradient = jax.grad(lambda w: optax.sigmoid_binary_cross_entropy(w * x, y).mean())(w)
        updates, state = descent.update(gradient, state, w)
        w = optax.apply_updates(w, updates)
        return (w, state), telemetry.gradient_norms(w)[""]

    start = jnp.zeros(())
    _, norms = jax.lax.scan(step, (start, descent.init(start)), length=50)
    assert norms[0] == 0.5
    assert (jnp.diff(norms) > 0).all()
