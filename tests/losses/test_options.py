"""Smoothing, class weights, soft targets, and what losses and penalties make together."""

import functools
import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_dl import data, losses, nn, train

LOGITS = jnp.array([[2.0, 1.0, 0.0], [0.0, 3.0, 1.0]])
LABELS = jnp.array([0, 2])


def test_smoothing_equals_soft_targets(x64):
    logits = LOGITS.astype(jnp.float64)
    targets = 0.7 * jax.nn.one_hot(LABELS, 3, dtype=logits.dtype) + 0.1
    smooth = losses.softmax_cross_entropy(logits, LABELS, label_smoothing=0.3)
    np.testing.assert_allclose(
        smooth, losses.soft_target_cross_entropy(logits, targets), rtol=1e-12
    )


def test_one_hot_targets_equal_labels():
    np.testing.assert_allclose(
        losses.soft_target_cross_entropy(LOGITS, jax.nn.one_hot(LABELS, 3)),
        losses.softmax_cross_entropy(LOGITS, LABELS),
        rtol=1e-6,
    )


def test_many_smoothings_run_as_one_program():
    shares = jnp.array([0.0, 0.2])
    swept = jax.jit(
        jax.vmap(lambda s: losses.softmax_cross_entropy(LOGITS, LABELS, label_smoothing=s))
    )(shares)
    for row, share in zip(swept, (0.0, 0.2), strict=True):
        single = losses.softmax_cross_entropy(LOGITS, LABELS, label_smoothing=share)
        np.testing.assert_allclose(row, single, rtol=1e-6)


@pytest.mark.parametrize("share", [-0.1, 1.0, float("nan")])
@pytest.mark.parametrize("loss", [losses.softmax_cross_entropy, losses.sigmoid_cross_entropy])
def test_a_smoothing_out_of_range_raises(loss, share):
    outputs = LOGITS if loss is losses.softmax_cross_entropy else LOGITS[:, 0]
    with pytest.raises(ValueError, match=f"{loss.__name__}: `label_smoothing`"):
        loss(outputs, jnp.array([0, 1]), label_smoothing=share)


def test_class_weights_multiply_and_do_not_change_the_divisor():
    weights = jnp.array([2.0, 1.0, 0.5])
    plain = losses.softmax_cross_entropy(LOGITS, LABELS)
    weighted = losses.softmax_cross_entropy(LOGITS, LABELS, class_weights=weights)
    np.testing.assert_allclose(weighted, plain * jnp.array([2.0, 0.5]), rtol=1e-6)
    mean, total = losses.weighted_mean(weighted, jnp.ones(2))
    assert float(total) == 2.0
    np.testing.assert_allclose(mean, weighted.sum() / 2, rtol=1e-6)


def test_class_weights_as_weights_of_examples_divide_by_their_sum():
    weights = jnp.array([2.0, 1.0, 0.5])[LABELS]
    plain = losses.softmax_cross_entropy(LOGITS, LABELS)
    mean, _ = losses.weighted_mean(plain, weights)
    np.testing.assert_allclose(mean, (plain * weights).sum() / 2.5, rtol=1e-6)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.ones(2), r"`class_weights` must have shape \(3,\)"),
        (np.array([1.0, -1.0, 1.0]), "got -1.0 in class 1. Pass 3 numbers, one per class"),
        (np.array([1.0, 1.0, np.nan]), "got nan in class 2"),
    ],
)
def test_bad_class_weights_raise(weights, message):
    with pytest.raises(ValueError, match=message):
        losses.softmax_cross_entropy(LOGITS, LABELS, class_weights=weights)


@pytest.mark.parametrize("weights", ["abc", {0: 1.0}])
def test_class_weights_that_are_no_numbers_raise(weights):
    with pytest.raises(TypeError, match="`class_weights` must be an array of numbers, got"):
        losses.softmax_cross_entropy(LOGITS, LABELS, class_weights=weights)


@pytest.mark.parametrize("bad", [-1.0, np.nan, np.inf])
def test_a_traced_class_weight_out_of_range_makes_the_examples_of_its_class_nan(bad):
    @jax.jit
    def gradient(logits, weights):
        def total(logits):
            values = losses.softmax_cross_entropy(logits, LABELS, class_weights=weights)
            return jnp.sum(values), values

        return jax.grad(total, has_aux=True)(logits)

    slopes, values = gradient(LOGITS, jnp.array([1.0, 1.0, bad]))
    of_that_class = np.asarray(LABELS) == 2
    assert 0 < of_that_class.sum() < len(LABELS)
    np.testing.assert_array_equal(np.isnan(values), of_that_class)
    np.testing.assert_array_equal(np.isnan(slopes).all(axis=1), of_that_class)
    np.testing.assert_array_equal(np.isnan(slopes).any(axis=1), of_that_class)


ONES = jnp.ones(3)
TRACED = {
    "softmax smoothing": (
        lambda s: losses.softmax_cross_entropy(LOGITS, LABELS, label_smoothing=s),
        [1.0, 1.5, -0.1, np.nan],
    ),
    "sigmoid smoothing": (
        lambda s: losses.sigmoid_cross_entropy(ONES, ONES, label_smoothing=s),
        [1.0, -0.1],
    ),
    "positive weight": (
        lambda w: losses.sigmoid_cross_entropy(ONES, ONES, positive_weight=w),
        [-1.0, np.inf],
    ),
    "delta": (lambda d: losses.huber(ONES, 3 * ONES, delta=d), [0.0, -1.0]),
    "strength": (lambda s: losses.l2_penalty({"kernel": ONES}, s), [-1.0]),
    "share": (lambda s: losses.elastic_net_penalty({"kernel": ONES}, 1.0, l1_share=s), [-0.1, 2.0]),
    "threshold": (lambda t: losses.soft_threshold(ONES, t), [-1.0]),
    "weight of an example": (lambda w: losses.weighted_mean(ONES, w * ONES)[0], [-1.0, np.inf]),
}


@pytest.mark.parametrize("name", TRACED)
def test_a_traced_number_out_of_range_gives_nan_and_never_a_number(name):
    function, bad = TRACED[name]
    compiled = jax.jit(function)
    assert np.isfinite(compiled(0.5)).all()
    for number in bad:
        assert np.isnan(compiled(number)).all(), number


def test_a_positive_weight_counts_only_for_yes():
    z, y = jnp.array([0.3, 0.3]), jnp.array([1, 0])
    plain = losses.sigmoid_cross_entropy(z, y)
    weighted = losses.sigmoid_cross_entropy(z, y, positive_weight=4.0)
    np.testing.assert_allclose(weighted / plain, [4.0, 1.0], rtol=1e-6)


def test_targets_that_do_not_add_up_raise_with_their_row():
    targets = jnp.array([[0.5, 0.5, 0.0], [0.5, 0.5, 0.25]])
    with pytest.raises(ValueError, match=r"must add up to 1, got 1.25 in row 1"):
        losses.soft_target_cross_entropy(LOGITS, targets)


def test_traced_targets_that_do_not_add_up_give_nan():
    targets = jnp.array([[0.5, 0.5, 0.0], [0.5, 0.5, 0.25]])
    value = jax.jit(losses.soft_target_cross_entropy)(LOGITS, targets)
    assert np.isnan(value).tolist() == [False, True]


def test_half_precision_distributions_add_up_well_enough():
    targets = jax.nn.softmax(jnp.linspace(-3, 3, 1000)[None]).astype(jnp.bfloat16)
    losses.soft_target_cross_entropy(jnp.zeros((1, 1000)), targets)


def test_a_class_of_probability_0_may_be_ruled_out():
    def loss(z):
        return losses.soft_target_cross_entropy(z, jnp.array([[0.5, 0.0, 0.5]]))[0]

    value, grad = jax.value_and_grad(loss)(jnp.array([[0.0, -jnp.inf, 0.0]]))
    np.testing.assert_allclose(value, np.log(2), rtol=1e-6)
    np.testing.assert_allclose(grad, [[0.0, 0.0, 0.0]], atol=1e-6)


def test_soft_targets_need_classes():
    with pytest.raises(ValueError, match="`logits` must have shape"):
        losses.soft_target_cross_entropy(jnp.ones(3), jnp.ones(3))


def test_the_error_rate_is_the_rest_of_the_accuracy_risk_02():
    logits = jnp.array([[2.0, 1.0], [0.0, 3.0], [0.0, 1.0], [jnp.nan, 1.0]])
    labels = jnp.array([0, 1, 0, 1])
    wrong = np.asarray(losses.error_rate(logits, labels))
    np.testing.assert_array_equal(wrong, [0.0, 0.0, 1.0, np.nan])
    assert wrong[:3].mean() == pytest.approx(1 / 3)


@pytest.mark.parametrize("loss", [losses.absolute_error, losses.huber])
def test_the_slope_at_0_is_0(loss):
    grad = jax.grad(lambda p: loss(p, jnp.array([2.0]))[0])(jnp.array([2.0]))
    assert float(grad[0]) == 0.0


@pytest.mark.parametrize(("at", "slope"), [(0.5, 0.5), (-0.7, -0.7), (0.7, 0.7), (5.0, 0.7)])
def test_the_slope_of_huber_never_exceeds_delta(at, slope):
    grad = jax.grad(lambda p: losses.huber(p, jnp.zeros(1), delta=0.7)[0])(jnp.array([at]))
    np.testing.assert_allclose(grad, [slope], rtol=1e-6)


def test_huber_is_finite_where_a_square_would_overflow():
    loss = lambda p: losses.huber(p, jnp.zeros(1))[0]  # noqa: E731
    value, grad = jax.value_and_grad(loss)(jnp.array([1e30]))
    assert bool(jnp.isfinite(value))
    assert float(grad[0]) == 1.0


@pytest.mark.parametrize("delta", [0.0, -1.0, float("inf")])
def test_delta_must_be_positive(delta):
    with pytest.raises(ValueError, match="huber: `delta`"):
        losses.huber(jnp.ones(1), jnp.ones(1), delta=delta)


def test_cost_is_the_mean_loss_plus_the_penalty_risk_03_reg_01(x64):
    p = jnp.array([0.9, 0.2, 0.6])
    weights = {"kernel": jnp.array([[1.0, -2.0], [3.0, 0.5]])}
    layer = nn.Layer(
        "fixed", None, lambda key, spec: ({}, {}), lambda p, s, x, **options: (x[:, 0], s)
    )
    penalty = functools.partial(losses.l2_penalty, lambd=0.7, examples=10)
    cost = train.supervised(layer, losses.sigmoid_cross_entropy, penalty=penalty)
    batch = {"x": jnp.log(p / (1 - p))[:, None], "y": jnp.array([1, 0, 1])}
    loss, aux = cost(weights, {}, batch, key=None, training=True)
    np.testing.assert_allclose(aux.metrics["data_loss"], 0.279777, atol=1e-6)
    np.testing.assert_allclose(aux.metrics["penalty"], 0.49875, rtol=1e-12)
    np.testing.assert_allclose(loss, 0.778527, atol=1e-6)


def test_empirical_risk_is_the_mean_over_all_examples_risk_04(key, x64):
    layer = nn.dense(3)
    params, state = layer.init(key, jax.ShapeDtypeStruct((4,), jnp.float64))
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(23, 4)), rng.integers(0, 3, 23)
    objective = train.supervised(layer, losses.softmax_cross_entropy)
    risk = train.evaluate(objective, params, state, {"x": x, "y": y}, batch_size=5)["loss"]
    each = losses.softmax_cross_entropy(layer.apply(params, state, x, training=False)[0], y)
    assert abs(risk - float(jnp.mean(each))) < 1e-12


def descend(x, y, lambd, steps):
    """Gradient descent on the cost that `normal_equations` minimizes, with the best rate."""
    rows = len(x)
    hessian = x.T @ x / rows + lambd / rows * np.eye(x.shape[1])
    rate = 2 / np.linalg.eigvalsh(hessian)[[0, -1]].sum()
    w = np.zeros(x.shape[1])
    for _ in range(steps):
        w = w - rate * (x.T @ (x @ w - y) / rows + lambd / rows * w)
    return w


@pytest.fixture(scope="module")
def diabetes():
    pytest.importorskip("sklearn")
    bundled = data.load_bundled("diabetes")
    x, y = np.asarray(bundled.x, float), np.asarray(bundled.y, float)
    x = (x - x.mean(0)) / x.std(0)
    return np.concatenate([np.ones((len(x), 1)), x], axis=1), y


@pytest.mark.parametrize("lambd", [0.0, 7.0])
def test_gradient_descent_ends_in_the_closed_form_risk_11_reg_08(diabetes, lambd, x64):
    x, y = diabetes
    exact = losses.normal_equations(jnp.asarray(x), jnp.asarray(y), lambd=lambd)
    np.testing.assert_allclose(descend(x, y, lambd, 20_000), exact, rtol=1e-8)


def test_ridge_is_its_textbook_formula_reg_08(diabetes, x64):
    x, y = diabetes
    textbook = np.linalg.inv(x.T @ x + 7.0 * np.eye(x.shape[1])) @ x.T @ y
    exact = losses.normal_equations(jnp.asarray(x), jnp.asarray(y), lambd=7.0)
    np.testing.assert_allclose(exact, textbook, rtol=1e-9)


def test_several_outputs_are_solved_at_once(x64):
    rng = np.random.default_rng(2)
    x, y = jnp.asarray(rng.normal(size=(9, 3))), jnp.asarray(rng.normal(size=(9, 2)))
    both = losses.normal_equations(x, y, lambd=0.5)
    for column in range(2):
        single = losses.normal_equations(x, y[:, column], lambd=0.5)
        np.testing.assert_allclose(both[:, column], single, rtol=1e-10)


def test_of_several_minima_the_smallest_is_returned(x64):
    x = jnp.array([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]])
    w = losses.normal_equations(x, jnp.array([2.0, 4.0, 6.0]))
    np.testing.assert_allclose(w, [1.0, 1.0], rtol=1e-10)


def test_rows_that_do_not_fit_raise():
    with pytest.raises(ValueError, match=r"normal_equations: `y` must have shape \(3,\)"):
        losses.normal_equations(jnp.ones((3, 2)), jnp.ones(4))


def test_the_strength_is_named_lambd_reg_04():
    for penalty in (losses.l1_penalty, losses.l2_penalty, losses.elastic_net_penalty):
        assert list(inspect.signature(penalty).parameters)[:2] == ["params", "lambd"]


def test_half_the_strength_gives_the_other_convention_of_l1_reg_09():
    params = {"kernel": jnp.array([[1.0, -2.0], [3.0, 0.5]])}
    value = losses.l1_penalty(params, 0.7 / 2, examples=10)
    np.testing.assert_allclose(value, 0.2275, rtol=1e-6)


def test_soft_threshold_reaches_exact_zeros_reg_10():
    w = jnp.array([0.5, -0.02, 0.1, -0.05])
    np.testing.assert_allclose(losses.soft_threshold(w, 0.05), [0.45, 0.0, 0.05, 0.0], rtol=1e-6)
    subgradient = w - 0.05 * jnp.sign(w)
    np.testing.assert_allclose(subgradient, [0.45, 0.03, 0.05, 0.0], rtol=1e-6, atol=1e-9)


def test_no_zero_of_a_soft_threshold_is_negative():
    zeros = losses.soft_threshold(jnp.array([-0.02, -0.0, 0.01]), 0.05)
    assert not bool(jnp.any(jnp.signbit(zeros)))


def test_a_negative_threshold_raises():
    with pytest.raises(ValueError, match="soft_threshold: `threshold`"):
        losses.soft_threshold(jnp.ones(2), -0.1)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_the_elastic_net_mixes_both_penalties(share):
    params = {"kernel": jnp.array([[1.0, -2.0], [3.0, 0.0]])}
    mixed = losses.elastic_net_penalty(params, 0.7, l1_share=share, examples=10)
    l1 = losses.l1_penalty(params, 0.7, examples=10)
    l2 = losses.l2_penalty(params, 0.7, examples=10)
    np.testing.assert_allclose(mixed, share * l1 + (1 - share) * l2, rtol=1e-6)


def test_large_weights_make_tanh_less_linear_reg_12():
    z = jnp.array([0.1, 0.5, 1.0, 2.0])
    np.testing.assert_allclose(nn.tanh(z) / z, [0.9967, 0.9242, 0.7616, 0.4820], atol=5e-5)
