"""Exact metrics and outputs, whatever the batch size."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxopt_dl import losses, nn, train
from tests.train.problems import blobs, classifier


def numpy_metrics(params, state, data):
    """The classifier of `problems`, with batch norm in evaluation mode, in float64 NumPy."""
    p = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params)
    norm, running = p["01_batch_norm"], jax.tree.map(np.float64, state["01_batch_norm"])
    z = data["x"].astype(np.float64) @ p["00_dense"]["kernel"]
    z = (z - running["mean"]) / np.sqrt(running["var"] + 1e-5) * norm["scale"] + norm["bias"]
    logits = np.maximum(z, 0) @ p["04_dense"]["kernel"] + p["04_dense"]["bias"]
    top = logits.max(axis=1, keepdims=True)
    log_total = np.log(np.exp(logits - top).sum(axis=1)) + top[:, 0]
    each = log_total - logits[np.arange(len(logits)), data["y"]]
    weight = data.get("weight", np.ones(len(each)))
    hit = logits.argmax(axis=1) == data["y"]
    return {"loss": np.average(each, weights=weight), "accuracy": np.average(hit, weights=weight)}


@pytest.mark.parametrize("batch_size", [1, 7, 10, 23, 256])
def test_metrics_are_exact_for_every_batch_size(batch_size):
    objective, params, state = classifier()
    state = jax.tree.map(lambda leaf: leaf + 0.25, state)
    data = blobs(23)
    measured = train.evaluate(objective, params, state, data, batch_size=batch_size)
    expected = numpy_metrics(params, state, data)
    assert measured["loss"] == pytest.approx(expected["loss"], rel=1e-5)
    assert measured["accuracy"] == pytest.approx(expected["accuracy"], rel=1e-6)


LINEAR = train.supervised(
    nn.dense(3), losses.softmax_cross_entropy, metrics={"accuracy": losses.accuracy}
)
"""Small, so that a program for every size is cheap."""


@settings(max_examples=15, deadline=None)
@given(rows=st.integers(1, 12), batch_size=st.integers(1, 14), seed=st.integers(0, 99))
def test_weighted_metrics_are_exact_at_any_size(rows, batch_size, seed):
    random = np.random.default_rng(seed)
    data = blobs(rows, seed=seed) | {"weight": random.uniform(0, 3, rows).astype(np.float32)}
    data["weight"][1::3] = 0
    kernel, bias = random.normal(size=(data["x"].shape[1], 3)), random.normal(size=3)
    params = {"kernel": jnp.asarray(kernel, jnp.float32), "bias": jnp.asarray(bias, jnp.float32)}
    measured = train.evaluate(LINEAR, params, {}, data, batch_size=batch_size)
    logits = data["x"].astype(np.float64) @ kernel + bias
    of_label = logits[np.arange(rows), data["y"]]
    each = {
        "loss": np.log(np.exp(logits).sum(axis=1)) - of_label,
        "accuracy": of_label == logits.max(axis=1),
    }
    expected = {name: np.average(v, weights=data["weight"]) for name, v in each.items()}
    assert measured == pytest.approx(expected, rel=1e-5, abs=1e-5)


def test_evaluation_leaves_the_model_state_out():
    objective, params, state = classifier()
    first = train.evaluate(objective, params, state, blobs())
    assert train.evaluate(objective, params, state, blobs()) == first


@pytest.mark.parametrize("batch_size", [1, 8, 50, 300])
def test_predictions_come_row_by_row_in_order(batch_size):
    objective, params, state = classifier()
    x = blobs()["x"]
    outputs = train.predict(objective.layer.apply, params, state, x, batch_size=batch_size)
    whole, _ = objective.layer.apply(params, state, jnp.asarray(x), training=False)
    assert outputs.shape == (50, 3)
    chex.assert_trees_all_close(outputs, whole, rtol=1e-5, atol=1e-5)


def test_predict_given_a_layer_says_to_pass_its_apply():
    objective, params, state = classifier()
    with pytest.raises(TypeError, match=r"Pass its `apply`"):
        train.predict(objective.layer, params, state, blobs()["x"])
