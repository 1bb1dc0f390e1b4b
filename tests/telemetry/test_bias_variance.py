"""What the errors on two sets say about a model (BV)."""

import jax
import pytest

from jaxopt_dl import telemetry
from jaxopt_dl.telemetry import bias_variance


def test_bv_01_training_error_shows_bias_and_the_gap_to_dev_shows_variance():
    found = bias_variance(0.15, 0.30)
    assert (found.avoidable_bias, found.variance) == pytest.approx((0.15, 0.15))


@pytest.mark.parametrize("threshold", [0.011, 0.05, 0.099])
@pytest.mark.parametrize(
    ("train", "dev", "verdict"),
    [
        (0.01, 0.11, "high variance"),
        (0.15, 0.16, "high bias"),
        (0.15, 0.30, "high bias and high variance"),
        (0.005, 0.01, "neither"),
    ],
)
def test_bv_03_four_examples_give_four_verdicts_for_any_cut_between(train, dev, verdict, threshold):
    assert bias_variance(train, dev).verdict == verdict
    assert bias_variance(train, dev, threshold=threshold).verdict == verdict


def test_bv_04_errors_that_nobody_avoids_are_no_bias():
    assert bias_variance(0.15, 0.16, bayes_error=0.15).verdict == telemetry.Fit.NEITHER
    assert bias_variance(0.15, 0.16, bayes_error=0.0).verdict == telemetry.Fit.HIGH_BIAS


def test_bv_05_bias_comes_first_among_the_remedies():
    first, second = bias_variance(0.15, 0.30).remedies
    assert "larger network" in first and "regularize" not in first
    assert "more training data" in second and "regularize" in second


@pytest.mark.parametrize(("train", "dev", "count"), [(0.01, 0.11, 1), (0.15, 0.16, 1), (0, 0, 0)])
def test_bv_05_there_are_as_many_remedies_as_faults(train, dev, count):
    assert len(bias_variance(train, dev).remedies) == count


def test_a_gap_of_exactly_the_threshold_is_not_high():
    assert bias_variance(0.25, 0.5, threshold=0.25).verdict == "neither"


def test_gaps_may_be_negative_and_are_no_faults():
    found = bias_variance(0.125, 0.0, bayes_error=0.25)
    assert (found.avoidable_bias, found.variance) == (-0.125, -0.125)
    assert found.verdict == "neither"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((15, 0.2), r"`train_error` must lie in \[0, 1\], got 15"),
        ((0.1, float("nan")), r"`dev_error` must lie in \[0, 1\], got nan"),
    ],
)
def test_percentages_and_nan_raise(arguments, words):
    with pytest.raises(ValueError, match=words):
        bias_variance(*arguments)


def test_numbers_of_a_program_being_compiled_raise():
    with pytest.raises(TypeError, match="bias_variance: `train_error` must be a number"):
        jax.jit(bias_variance)(0.1, 0.2)
