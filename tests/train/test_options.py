"""Options of `fit` that change what a step does or what is kept: parts, averages, clipping."""

import dataclasses

import chex
import jax
import numpy as np
import pytest

from jaxopt_dl import losses, optim, train
from tests.train.problems import blobs, classifier


def run(model, optimizer, *, data=None, **options):
    """Train on 50 rows in batches of 16: the last batch of an epoch has 2 real rows."""
    defaults = dict(key=jax.random.key(1), epochs=2, batch_size=16, progress=None)
    return train.fit(*model, optimizer, data or blobs(), **defaults | options)


def plain_model():
    """No batch norm and no dropout, but a penalty: what looks at rows one by one."""
    objective, params, state = classifier(batch_norm=False, keep_prob=1.0)
    penalty = lambda params: losses.l2_penalty(params, 0.1)  # noqa: E731
    return dataclasses.replace(objective, penalty=penalty), params, state


def weighted():
    return blobs() | {"weight": np.linspace(0.0, 2.0, 50).astype(np.float32)}


def test_a_batch_in_parts_gives_the_update_of_the_whole_with_weights_and_padding():
    model = plain_model()
    whole = run(model, optim.sgd(0.1), data=weighted())
    parts = run(model, optim.sgd(0.1), data=weighted(), accumulate=8)
    chex.assert_trees_all_close(whole.last, parts.last, rtol=2e-5, atol=1e-6)
    for column in ("train_loss", "train_penalty", "train_accuracy"):
        np.testing.assert_allclose(whole.history[column], parts.history[column], rtol=1e-5)
    assert whole.steps == parts.steps == 8


def test_running_statistics_follow_every_part_that_has_rows():
    """One epoch of one batch of 8 in two parts: `decay` is applied twice."""
    objective, params, state = classifier(keep_prob=1.0)
    data = {name: values[:8] for name, values in blobs().items()}
    options = dict(data=data, epochs=1, batch_size=8, order="given")
    last = run((objective, params, state), optim.sgd(1e-9), accumulate=2, **options).last
    hidden = data["x"] @ np.asarray(params["00_dense"]["kernel"])
    mean = np.zeros(8)
    for part in (hidden[:4], hidden[4:]):
        mean = 0.9 * mean + 0.1 * part.mean(axis=0)
    np.testing.assert_allclose(last[1]["01_batch_norm"]["mean"], mean, rtol=1e-4)


@pytest.mark.parametrize("accumulate", [3, 0, 32])
def test_parts_must_be_equal(accumulate):
    with pytest.raises(ValueError, match="fit: `accumulate` must"):
        run(plain_model(), optim.sgd(0.1), accumulate=accumulate)


@pytest.fixture(scope="module")
def averaged():
    tx = optim.chain(optim.sgd(0.3), optim.ema_params(0.8))
    return run(plain_model(), tx, averaged=True, dev=blobs(30, seed=1))


def test_the_average_of_the_parameters_is_evaluated_and_kept(averaged):
    average = optim.averaged_params(averaged.run.train.opt_state)
    measured = train.evaluate(plain_model()[0], average, {}, blobs(30, seed=1))
    assert averaged.history["dev_loss"][-1] == pytest.approx(measured["loss"], rel=1e-5)
    assert averaged.best_epoch == 2
    chex.assert_trees_all_equal(averaged.best[0], average)


def test_the_training_itself_goes_on_from_the_newest_parameters(averaged):
    newest = run(plain_model(), optim.sgd(0.3)).last
    chex.assert_trees_all_close(averaged.last, newest, rtol=1e-5, atol=1e-6)
    with pytest.raises(AssertionError):
        chex.assert_trees_all_close(averaged.best, newest, rtol=1e-3)


def test_an_average_that_no_member_of_the_chain_keeps_is_refused():
    with pytest.raises(ValueError, match="must hold one `EmaParamsState`"):
        run(plain_model(), optim.sgd(0.3), averaged=True)


@pytest.mark.parametrize(("limit", "fraction"), [(1e-3, 1.0), (1e3, 0.0)])
def test_a_run_that_clips_records_the_norm_before_and_how_often(limit, fraction):
    model = plain_model()
    tx = optim.chain(optim.clip_by_global_norm(limit), optim.sgd(1e-6))
    history = run(model, tx, epochs=1, batch_size=25, order="given").history
    assert history.columns[-3:] == ("clipped_fraction", "gradient_norm", "learning_rate")
    assert history["clipped_fraction"].tolist() == [fraction]
    norms = []
    for rows in (slice(25), slice(25, 50)):
        batch = {name: values[rows] for name, values in blobs().items()}
        loss = lambda p: model[0](p, {}, batch, key=None, training=True)[0]  # noqa: B023, E731
        leaves = jax.tree.leaves(jax.grad(loss)(model[1]))
        norms.append(np.linalg.norm(np.concatenate([np.ravel(leaf) for leaf in leaves])))
    assert history["gradient_norm"][0] == pytest.approx(np.mean(norms), rel=1e-4)


@pytest.mark.parametrize(
    "tx",
    [optim.clip_by_value(1.0), optim.clip_by_norm(1.0), optim.sgd(0.1)],
    ids=["by_value", "by_norm", "none"],
)
def test_only_a_limit_on_the_whole_gradient_is_one(tx):
    chain = optim.chain(tx, optim.ema_params())
    assert optim.gradient_limit(chain.update, chain.init(np.ones(3, np.float32))) is None
