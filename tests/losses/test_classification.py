"""Cross-entropies and accuracy: oracles, edges of the labels, precision."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxopt_dl import losses

LOGIT = st.floats(-50, 50, allow_nan=False)


def test_binary_oracle_risk_05(x64):
    logits = jnp.log(jnp.array([0.9, 0.2, 0.6]) / jnp.array([0.1, 0.8, 0.4]))
    values = losses.sigmoid_cross_entropy(logits, jnp.array([1, 0, 1]))
    np.testing.assert_allclose(values, [0.105361, 0.223144, 0.510826], atol=1e-6)
    np.testing.assert_allclose(values.mean(), 0.279777, atol=1e-6)


def test_binary_extremes_are_exact_risk_05():
    values = losses.sigmoid_cross_entropy(jnp.array([1000.0, -1000.0]), jnp.array([0, 0]))
    np.testing.assert_array_equal(values, [1000.0, 0.0])


def test_softmax_oracles_risk_07():
    value = losses.softmax_cross_entropy(jnp.array([[2.0, 1.0, 0.0]]), jnp.array([0]))
    np.testing.assert_allclose(value, [0.407606], atol=1e-6)
    value = losses.softmax_cross_entropy(jnp.full((1, 10), 3.0), jnp.array([7]))
    np.testing.assert_allclose(value, [2.302585], atol=1e-6)


def test_doubling_the_data_leaves_the_mean_unchanged_risk_06(x64):
    logits = jnp.asarray(np.random.default_rng(0).normal(size=(6, 4)))
    labels = jnp.array([0, 3, 1, 1, 2, 0])
    each = losses.softmax_cross_entropy(logits, labels)
    both = losses.softmax_cross_entropy(jnp.tile(logits, (2, 1)), jnp.tile(labels, 2))
    once, twice = (losses.weighted_mean(v, jnp.ones_like(v))[0] for v in (each, both))
    np.testing.assert_allclose(once, twice, rtol=1e-15)


def test_accuracy_oracle_risk_02():
    logits = jnp.array([[2.0, 1.0], [0.0, 3.0], [0.0, 1.0]])
    hits = losses.accuracy(logits, jnp.array([0, 1, 0]))
    np.testing.assert_array_equal(hits, [1.0, 1.0, 0.0])
    assert float(hits.mean()) == pytest.approx(2 / 3)


@given(st.lists(LOGIT, min_size=3, max_size=3), st.floats(-1e3, 1e3), st.integers(0, 2))
@settings(deadline=None, max_examples=30)
def test_softmax_ignores_a_constant_added_to_all_logits(logits, shift, label):
    with jax.enable_x64(True):
        z, labels = jnp.asarray([logits]), jnp.asarray([label])
        np.testing.assert_allclose(
            losses.softmax_cross_entropy(z + shift, labels),
            losses.softmax_cross_entropy(z, labels),
            rtol=1e-9,
            atol=1e-10,
        )


@given(LOGIT, st.floats(0, 1))
@settings(deadline=None, max_examples=30)
def test_swapping_yes_and_no_flips_the_logit(z, y):
    with jax.enable_x64(True):
        np.testing.assert_allclose(
            losses.sigmoid_cross_entropy(jnp.asarray([z]), jnp.asarray([y])),
            losses.sigmoid_cross_entropy(jnp.asarray([-z]), jnp.asarray([1 - y])),
            rtol=1e-12,
            atol=1e-14,  # 1 - y rounds, and the loss changes by |z| times that
        )


def test_two_classes_by_softmax_equal_one_logit_by_sigmoid(x64):
    z = jnp.linspace(-5.0, 5.0, 11)
    labels = jnp.arange(11) % 2
    pair = jnp.stack([jnp.zeros(11), z], axis=1)
    np.testing.assert_allclose(
        losses.softmax_cross_entropy(pair, labels),
        losses.sigmoid_cross_entropy(z, labels),
        rtol=1e-12,
    )


def test_the_gradient_at_logit_0_is_that_of_the_formula():
    grad = jax.grad(lambda z: losses.sigmoid_cross_entropy(z, jnp.array([1.0]))[0])
    np.testing.assert_allclose(grad(jnp.zeros(1)), [-0.5])


def test_large_logits_do_not_cancel_in_float32():
    value = losses.softmax_cross_entropy(jnp.array([[1e4, 1e4 - 1]]), jnp.array([0]))
    np.testing.assert_allclose(value, [np.log1p(np.exp(-1))], rtol=1e-6)


def test_a_class_ruled_out_by_minus_infinity_leaves_the_others_finite():
    logits = jnp.array([[0.0, -jnp.inf, 0.0]])
    value = losses.softmax_cross_entropy(logits, jnp.array([2]))
    np.testing.assert_allclose(value, [np.log(2)], rtol=1e-6)


def test_booleans_serve_as_yes_and_no():
    labels = jnp.array([True, False])
    z = jnp.array([1.0, 2.0])
    np.testing.assert_array_equal(
        losses.sigmoid_cross_entropy(z, labels),
        losses.sigmoid_cross_entropy(z, labels.astype(jnp.float32)),
    )


@pytest.mark.parametrize("function", [losses.softmax_cross_entropy, losses.accuracy])
class TestClassIndexes:
    def test_float_labels_raise(self, function):
        with pytest.raises(TypeError, match=f"{function.__name__}: `labels` must be integers"):
            function(jnp.ones((2, 3)), jnp.array([0.0, 1.0]))

    def test_one_hot_labels_raise_and_say_how_to_convert(self, function):
        with pytest.raises(TypeError, match="argmax"):
            function(jnp.ones((2, 3)), jnp.eye(3)[:2])

    def test_a_column_of_labels_raises(self, function):
        with pytest.raises(ValueError, match=r"must have shape \(2,\).*got \(2, 1\)"):
            function(jnp.ones((2, 3)), jnp.array([[0], [1]]))

    def test_logits_without_a_class_axis_raise(self, function):
        with pytest.raises(ValueError, match=r"must have shape \(batch, classes\), got \(3,\)"):
            function(jnp.ones(3), jnp.array([0, 1, 1]))

    @pytest.mark.parametrize("bad", [-1, 3])
    def test_a_label_out_of_range_raises_with_row_value_and_range(self, function, bad):
        with pytest.raises(ValueError, match=rf"must lie in 0 to 2, got {bad} in row 1"):
            function(jnp.ones((2, 3)), jnp.array([0, bad]))

    @pytest.mark.parametrize("bad", [-1, 3])
    def test_a_traced_label_out_of_range_gives_nan(self, function, bad):
        value = jax.jit(function)(jnp.ones((2, 3)), jnp.array([0, bad]))
        assert np.isnan(value).tolist() == [False, True]

    def test_a_label_that_would_wrap_in_32_bits_raises(self, function):
        with pytest.raises(ValueError, match=str(2**40)):
            function(jnp.ones((2, 3)), np.array([0, 2**40]))

    def test_small_integers_serve_many_classes(self, function):
        logits = jnp.arange(600.0).reshape(2, 300) / 100
        labels = jnp.array([255, 7])
        got = jax.jit(function)(logits, labels.astype(jnp.uint8))
        np.testing.assert_array_equal(got, function(logits, labels))


def test_nan_logits_give_nan_accuracy_not_a_class():
    logits = jnp.array([[0.0, jnp.nan], [0.0, 1.0]])
    hits = np.asarray(losses.accuracy(logits, jnp.array([1, 1])))
    np.testing.assert_array_equal(hits, [np.nan, 1.0])


def test_nan_logits_give_nan_loss():
    logits = jnp.array([[0.0, jnp.nan], [0.0, 1.0]])
    values = losses.softmax_cross_entropy(logits, jnp.array([0, 1]))
    assert np.isnan(values).tolist() == [True, False]


def test_of_equal_largest_logits_the_first_counts():
    np.testing.assert_array_equal(losses.accuracy(jnp.zeros((2, 3)), jnp.array([0, 1])), [1, 0])


def test_complex_labels_raise():
    with pytest.raises(TypeError, match="sigmoid_cross_entropy: `labels`"):
        losses.sigmoid_cross_entropy(jnp.ones(2), jnp.ones(2, jnp.complex64))


def test_scalars_raise():
    with pytest.raises(ValueError, match="got a scalar"):
        losses.sigmoid_cross_entropy(jnp.array(1.0), jnp.array(1.0))
