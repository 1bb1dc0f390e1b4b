"""Evidence about networks that do not learn (DBG)."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_dl import losses, nn, optim, telemetry, train
from jaxopt_dl.telemetry import debug_report, learning_curve

CLASSES = 10


@pytest.fixture
def network(key):
    """A fresh classifier, a balanced batch, its cost, and the cost's value and gradients."""
    net = nn.mlp((32, CLASSES))
    params, state = net.init(key, (20,))
    x, y = jax.random.normal(key, (200, 20)), jnp.arange(200) % CLASSES
    return net, params, state, x, y


def evidence(net, params, state, x, y):
    def apply(params):
        return net.apply(params, state, x, training=False)[0]

    def cost(params):
        return jnp.mean(losses.softmax_cross_entropy(apply(params), y))

    loss, gradients = jax.value_and_grad(cost)(params)
    return loss, gradients, telemetry.activation_stats(apply, params)


def test_dbg_01_a_balanced_start_has_the_loss_of_guessing(network):
    net, params, *rest = network
    params["02_dense"]["kernel"] *= 0.0
    loss, gradients, activations = evidence(net, params, *rest)
    report = debug_report(loss, gradients, activations=activations, classes=CLASSES)
    assert report.loss == pytest.approx(2.3026, abs=1e-4)
    assert report.guessing == pytest.approx(2.3026, abs=1e-4)


def test_dbg_01_a_healthy_start_has_no_findings(network):
    loss, gradients, activations = evidence(*network)
    report = debug_report(loss, gradients, activations=activations, classes=CLASSES)
    assert report.findings == ()
    assert set(report.norms) == set(report.health) == {"00_dense", "02_dense"}
    head = np.sqrt(sum(np.sum(np.square(leaf)) for leaf in gradients["02_dense"].values()))
    assert report.norms["02_dense"] == pytest.approx(head, rel=1e-5)
    assert report.dead_units["01_relu"] == 0.0


def test_dbg_01_dead_units_are_found_and_named(network):
    net, params, *rest = network
    params["00_dense"]["bias"] -= 100.0
    loss, gradients, activations = evidence(net, params, *rest)
    report = debug_report(loss, gradients, activations=activations)
    assert report.dead_units["01_relu"] == 1.0
    assert any("100% of the units of 01_relu are dead" in text for text in report.findings)
    assert report.health["00_dense"] == "vanishing"


def test_dbg_01_statistics_of_sites_serve_as_well():
    sites = {"relu": jnp.array([[0.0, 0.0, 0.0, 1.0], [0.0, 0.0, 0.0, 2.0]])}
    report = debug_report(1.0, jnp.ones(1), activations=telemetry.site_stats(sites, {"relu": 0}))
    assert report.dead_units == {"relu": 0.75}


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        (4.7, "sure and wrong"),
        (1.1, "labels leak"),
        (float("nan"), "loss is not finite"),
        (jnp.inf, "loss is not finite"),
    ],
)
def test_dbg_01_a_start_far_from_guessing_is_a_finding(loss, words):
    (finding,) = debug_report(loss, jnp.ones(2), classes=CLASSES).findings
    assert words in finding


@pytest.mark.parametrize("word", ["vanishing", "exploding", "non-finite"])
def test_dbg_01_gradients_that_are_not_healthy_are_findings(word):
    size = {"vanishing": 1e-9, "exploding": 1e5, "non-finite": jnp.nan}[word]
    report = debug_report(1.0, {"a": {"kernel": jnp.full(1, size)}, "b": {"kernel": jnp.ones(1)}})
    (finding,) = report.findings
    assert f"the gradient of a is {word}" in finding


def test_dbg_01_the_curve_judges_the_learning_rate():
    report = debug_report(1.0, jnp.ones(1), curve=[1.0, 2.0, 4.0, 8.0, 16.0])
    assert report.learning_rate == "diverging"
    assert "the learning rate is diverging" in str(report)
    good = debug_report(1.0, jnp.ones(1), curve=[4.0, 2.0, 1.0, 0.5, 0.4])
    assert good.learning_rate == "good" and good.findings == ()


def test_a_person_can_read_the_report(network):
    loss, gradients, activations = evidence(*network)
    text = str(debug_report(loss, gradients, activations=activations, classes=CLASSES))
    assert "guessing 2.303" in text and "gradient norm of 00_dense" in text
    assert "dead units in 01_relu: 0%" in text


@pytest.mark.parametrize(
    ("loss", "kind", "words"),
    [
        (jnp.ones(3), ValueError, r"`loss` must have shape \(\), got \(3,\)"),
        (3, TypeError, "`loss` must hold floating-point numbers"),
    ],
)
def test_a_loss_that_is_no_number_raises(loss, kind, words):
    with pytest.raises(kind, match=f"debug_report: {words}"):
        debug_report(loss, jnp.ones(1))


def test_a_report_cannot_be_written_in_a_program():
    with pytest.raises(TypeError, match="debug_report: `loss` must be a number"):
        jax.jit(lambda loss: debug_report(loss, jnp.ones(1)).loss)(1.0)


def test_dbg_02_a_run_has_curves_of_loss_and_error_on_both_sets(network, key):
    """DBG-02: as long as there are epochs; train and dev, loss and error."""
    net, params, state, x, y = network
    metrics = {"error_rate": losses.error_rate}
    objective = train.supervised(net, losses.softmax_cross_entropy, metrics=metrics)
    data, dev = {"x": x, "y": y}, {"x": x[::3], "y": y[::3]}
    options = {"key": key, "epochs": 3, "batch_size": 50, "dev": dev, "progress": None}
    history = train.fit(objective, params, state, optim.sgd(0.1), data, **options).history
    assert isinstance(history, train.History)
    curve = learning_curve(history)
    np.testing.assert_array_equal(curve.epochs, [1, 2, 3])
    for split, values in (("train", curve.train), ("dev", curve.dev)):
        assert set(values) == {"loss", "error_rate"}
        for metric in ("loss", "error_rate"):
            np.testing.assert_array_equal(values[metric], history[f"{split}_{metric}"])


def test_dbg_02_the_picture_has_a_panel_per_metric_and_a_line_per_set():
    columns = ("epoch", "train_loss", "train_error_rate", "dev_loss", "dev_error_rate")
    numbers = ((1, 2.0, 0.7, 2.1, 0.8), (2, 1.5, 0.5, 1.8, 0.6))
    panels = learning_curve(dict(zip(columns, row, strict=True)) for row in numbers).figure().axes
    assert [axes.get_ylabel() for axes in panels] == ["loss", "error rate"]
    assert all(axes.get_xlabel() == "epoch" and len(axes.lines) == 2 for axes in panels)
    np.testing.assert_array_equal(panels[0].lines[1].get_ydata(), [2.1, 1.8])


def test_what_was_not_measured_is_a_gap():
    rows = [{"epoch": 1, "dev_loss": None}, {"epoch": 2, "dev_loss": 0.5}]
    np.testing.assert_array_equal(learning_curve(rows).dev["loss"], [np.nan, 0.5])


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([], "`history` must hold at least one epoch, got none"),
        ([{"epoch": 1, "train_loss": 1.0}, {"epoch": 2}], "must have the same columns"),
        ([{"train_loss": 1.0}], "`epoch` among them"),
        ([{"epoch": 1, "loss": 1.0}], "columns such as `train_loss`, got epoch, loss"),
    ],
)
def test_what_is_no_history_raises(rows, words):
    with pytest.raises(ValueError, match=f"learning_curve: .*{words}"):
        learning_curve(rows)
