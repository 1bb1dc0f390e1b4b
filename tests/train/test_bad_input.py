"""What `fit`, `evaluate` and `supervised` say about input that cannot work."""

import dataclasses

import jax
import jax.core
import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_dl import losses, nn, optim, train
from tests.train.problems import blobs, classifier


def changed(name, index, value):
    data = blobs()
    data[name] = data[name].copy()
    data[name][index] = value
    return data


def weighted(weight):
    return blobs() | {"weight": weight}


DATA = {
    "label out of range": (changed("y", 3, 7), ValueError, "7"),
    "negative label": (changed("y", 3, -1), ValueError, "-1"),
    "nan": (changed("x", (4, 2), np.nan), ValueError, r"1 of 50 rows \(row 4\), column 2"),
    "infinity": (changed("x", (4, 2), np.inf), ValueError, r"data\['x'\].* must be finite"),
    "not a dict": ([1, 2], TypeError, "`data` must be a dict of arrays, got list"),
    "names unknown": (
        {"X": np.ones((50, 4)), "Y": np.ones(50)},
        ValueError,
        r"must hold .*got .*X.*Y",
    ),
    "beyond float32": (
        blobs() | {"x": np.full((50, 4), 1e300)},
        ValueError,
        "must fit into float32, got magnitudes up to 1e.300",
    ),
    "empty dict": ({}, TypeError, "`data` must be a dict of arrays, got none"),
    "no rows": ({name: a[:0] for name, a in blobs().items()}, ValueError, "at least one row"),
    "ragged": (blobs() | {"y": np.zeros(49, int)}, ValueError, r"same number of rows.*'y': 49"),
    "text": (blobs() | {"x": np.array(["a"] * 50)}, TypeError, "must hold real numbers"),
    "mask given": (blobs() | {"mask": np.ones(50)}, ValueError, "may not hold `mask`"),
    "negative weight": (weighted(np.full(50, -1.0)), ValueError, "non-negative"),
    "weight all zero": (weighted(np.zeros(50)), ValueError, "positive sum"),
    "weight of wrong shape": (weighted(np.ones((50, 1))), ValueError, r"shape \(50,\)"),
    "label beyond int32": (blobs() | {"y": np.full(50, 2**40)}, ValueError, "must fit into int32"),
    "features do not match": (blobs(features=5), ValueError, "4"),
    "labels (n, 1)": (blobs() | {"y": np.zeros((50, 1), int)}, ValueError, r"\(50, 1\)"),
    "labels as floats": (blobs() | {"y": np.zeros(50)}, TypeError, "integer"),
    "smaller than a batch": (blobs(15), ValueError, "must not exceed the 15 rows of data, got 16"),
}


def fit(data=None, objective=None, optimizer=None, **options):
    model = classifier()
    defaults = dict(key=jax.random.key(0), epochs=2, batch_size=16, progress=None)
    return train.fit(
        objective or model[0],
        *model[1:],
        optimizer or optim.sgd(0.1),
        blobs() if data is None else data,
        **defaults | options,
    )


@pytest.mark.parametrize("case", DATA)
def test_bad_data_raises_before_anything_is_compiled(case):
    data, kind, words = DATA[case]
    with pytest.raises(kind, match=words):
        fit(data)


def test_a_loss_of_ones_own_may_judge_targets_by_numbers_jax_computes():
    def loss(outputs, targets):
        if not isinstance(targets, jax.core.Tracer) and jnp.max(targets) > 1:
            raise ValueError("targets above 1")
        return jnp.mean(outputs, axis=1)

    layer = nn.dense(3)
    params, state = layer.init(jax.random.key(0), (4,))
    with pytest.raises(ValueError, match="targets above 1"):
        train.evaluate(train.supervised(layer, loss), params, state, blobs())


@pytest.mark.parametrize("case", [c for c in DATA if c != "smaller than a batch"])
def test_bad_dev_data_raises_too(case):
    data, kind, words = DATA[case]
    with pytest.raises(kind, match=words.replace("data", "dev")):
        fit(dev=data)


ARGUMENTS = {
    "epochs 0": ({"epochs": 0}, ValueError, "`epochs` must be at least 1, got 0"),
    "epochs float": ({"epochs": 2.0}, TypeError, "`epochs` must be an integer"),
    "batch 0": ({"batch_size": 0}, ValueError, "`batch_size` must be at least 1"),
    "batch too large": ({"batch_size": 51}, ValueError, "must not exceed the 50 rows"),
    "key a seed": ({"key": 0}, TypeError, "`key` must be a PRNG key, got 0"),
    "several keys": ({"key": jax.random.split(jax.random.key(0))}, ValueError, "one PRNG key"),
    "remainder": ({"remainder": "pad"}, ValueError, "`remainder` must be one of 'mask', 'drop'"),
    "stopping without dev": (
        {"stopping": train.early_stopping(patience=1)},
        ValueError,
        "`stopping` needs dev data",
    ),
    "stopping a number": (
        {"stopping": 3, "dev": blobs()},
        TypeError,
        "EarlyStopping rule, got int",
    ),
    "stopping on unknown metric": (
        {"stopping": train.early_stopping(patience=1, monitor="accurcy"), "dev": blobs()},
        ValueError,
        "Did you mean 'accuracy'",
    ),
    "optimizer a string": ({"optimizer": "adam"}, TypeError, "must be an optax transformation"),
    "optimizer function": ({"optimizer": lambda run: 0.1}, TypeError, "got float"),
    "optimizer not called": (
        {"optimizer": optim.adam},
        ValueError,
        r"got the factory adam. Call it: `adam\(1e-3\)`",
    ),
    "progress": ({"progress": "bars"}, ValueError, "`progress` must be 'auto', 'bar'"),
    "dev without y": ({"dev": {"x": blobs()["x"]}}, ValueError, "same arrays as `data`"),
}


@pytest.mark.parametrize("case", ARGUMENTS)
def test_bad_arguments_raise(case):
    options, kind, words = ARGUMENTS[case]
    with pytest.raises(kind, match=words):
        fit(**options)


def returning(result):
    return lambda params, state, batch, *, key, training: result(params, state, batch, training)


OBJECTIVES = {
    "no aux": (lambda p, s, b, t: jnp.sum(b["x"]), TypeError, "must return .loss, Aux"),
    "loss per example": (
        lambda p, s, b, t: (b["weight"], train.Aux(s, {}, jnp.sum(b["weight"]))),
        ValueError,
        r"scalars, got shape \(50,\) for 'loss'",
    ),
    "metric named loss": (
        lambda p, s, b, t: (
            b["weight"].sum(),
            train.Aux(s, {"loss": b["weight"].sum()}, jnp.ones(())),
        ),
        ValueError,
        "may not be named loss",
    ),
    "state of another form": (
        lambda p, s, b, t: (b["weight"].sum(), train.Aux({"n": jnp.ones(2)}, {}, jnp.ones(()))),
        ValueError,
        "in the form it got it",
    ),
    "other metrics in evaluation": (
        lambda p, s, b, t: (
            b["weight"].sum(),
            train.Aux(s, {"a": jnp.ones(())} if t else {}, jnp.ones(())),
        ),
        ValueError,
        "same metrics in training and in evaluation",
    ),
}


@pytest.mark.parametrize("case", OBJECTIVES)
def test_a_malformed_objective_raises(case):
    result, kind, words = OBJECTIVES[case]
    with pytest.raises(kind, match=words):
        fit(objective=returning(result))


def test_supervised_wants_a_layer_and_functions():
    with pytest.raises(TypeError, match="`layer` must be a Layer, got function"):
        train.supervised(nn.relu, losses.squared_error)
    with pytest.raises(TypeError, match="`loss` must be a function, got 'mse'"):
        train.supervised(nn.dense(1), "mse")
    with pytest.raises(ValueError, match="may not be named"):
        train.supervised(nn.dense(1), losses.squared_error, metrics={"loss": losses.squared_error})


def test_a_layer_that_needs_a_key_and_an_objective_that_passes_none_raises():
    objective, params, state = classifier()
    batch = {name: jnp.asarray(values) for name, values in blobs().items()}
    with pytest.raises(ValueError, match="key"):
        objective(params, state, batch, key=None, training=True)


def test_a_loss_of_shape_batch_by_1_is_refused():
    layer = nn.dense(1)
    params, state = layer.init(jax.random.key(0), (4,))
    objective = train.supervised(layer, lambda outputs, y: (outputs - y) ** 2)
    data = {"x": blobs()["x"], "y": np.ones((50, 1), np.float32)}
    with pytest.raises(ValueError, match=r"result of `loss`. must have shape .*, got .*1\)"):
        train.evaluate(objective, params, state, data)


@dataclasses.dataclass
class Unhashable:
    def __call__(self, params, state, batch, *, key, training):
        return jnp.sum(batch["weight"]), train.Aux(state, {}, jnp.ones(()))


def test_an_objective_that_cannot_be_hashed_says_so():
    with pytest.raises(TypeError, match="`objective` must be hashable.*Unhashable"):
        fit(objective=Unhashable())
