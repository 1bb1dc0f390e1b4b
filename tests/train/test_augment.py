"""`fit(augment=)`: training batches change, dev never does, numbers are data, runs repeat."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_dl import data, losses, nn, optim, train
from jaxopt_dl._core import keys
from jaxopt_dl._core.types import Aux
from tests.train.test_fit import run


def images(rows: int = 32) -> dict[str, np.ndarray]:
    x = np.random.default_rng(0).normal(size=(rows, 6, 5, 1)).astype(np.float32)
    return {"x": x, "y": (x.mean((1, 2, 3)) > 0).astype(np.int32)}


def classifier():
    layer = nn.sequential(nn.flatten(), nn.dense(2))
    objective = train.supervised(layer, losses.softmax_cross_entropy)
    return objective, *layer.init(jax.random.key(0), (6, 5, 1))


def brightness():
    """An objective whose loss is a parameter times the mean of the inputs it was given."""

    def objective(params, state, batch, *, key, training):
        mean = jnp.mean(batch["x"])
        return params["w"] * mean, Aux(state, {"mean": mean}, jnp.float32(1))

    return objective, {"w": jnp.float32(0)}, {}


def add_ten(key, batch):
    return {**batch, "x": batch["x"] + 10}


def test_aug_04_dev_stays_as_it_is():
    x = {"x": np.ones((8, 2), np.float32)}
    result = run(*brightness(), optim.sgd(0.0), x, dev=x, batch_size=4, augment=add_ten)
    assert result.history["train_mean"].tolist() == [11, 11, 11]
    assert result.history["dev_mean"].tolist() == [1, 1, 1]


def test_each_step_uses_the_stream_of_augmentation_at_its_index():
    def draw(key, batch):
        return {**batch, "x": jnp.full_like(batch["x"], jax.random.uniform(key))}

    x = {"x": np.ones((8, 2), np.float32)}
    result = run(*brightness(), optim.sgd(0.0), x, batch_size=8, augment=draw)
    stream = keys.streams(jax.random.key(1)).augment
    # `augment` splits the key it is given over its steps, here a single one.
    steps = [jax.random.split(keys.at(stream, step), 1)[0] for step in range(3)]
    expected = [float(jax.random.uniform(key)) for key in steps]
    np.testing.assert_allclose(result.history["train_mean"], expected, rtol=1e-6)


def test_runs_repeat_and_other_numbers_compile_nothing():
    chain = lambda degrees: data.augment(data.random_rotate(degrees), data.hflip())  # noqa: E731
    model = classifier()
    first, again = (run(*model, data=images(), augment=chain(10)) for _ in range(2))
    chex.assert_trees_all_equal(first.last, again.last)
    other = run(*model, data=images(), augment=chain(40.0))
    assert other.history.rows != first.history.rows
    assert other.compile_seconds < 0.5 * first.compile_seconds


def test_without_amplitude_it_is_the_plain_run():
    plain = run(*classifier(), data=images())
    augmented = run(*classifier(), data=images(), augment=data.augment(data.random_rotate(0.0)))
    chex.assert_trees_all_close(plain.last, augmented.last, rtol=1e-6)


def test_numbers_of_64_bits_are_converted_as_without_it():
    wide = {"x": images()["x"].astype(np.float64), "y": images()["y"].astype(np.int64)}
    step = data.augment(data.random_rotate(10))
    narrow = run(*classifier(), data=images(), augment=step)
    chex.assert_trees_all_equal(run(*classifier(), data=wide, augment=step).last, narrow.last)


def test_mixed_examples_are_learned_with_soft_targets():
    x = images()
    x["y"] = np.eye(2, dtype=np.float32)[x["y"]]
    layer = nn.sequential(nn.flatten(), nn.dense(2))
    objective = train.supervised(layer, losses.soft_target_cross_entropy)
    start = layer.init(jax.random.key(0), (6, 5, 1))
    result = run(objective, *start, data=x, dev=x, epochs=20, augment=data.mixup(0.3))
    assert result.history["dev_loss"][-1] < 0.6 * result.history["dev_loss"][0]


BAD = {
    "no function": (3, "`augment` must be a function"),
    "returns an array": (lambda key, batch: batch["x"], "must return a batch"),
    "another shape": (lambda key, batch: {**batch, "x": batch["x"][:, 1:]}, "float32.*for 'x'"),
    "another dtype": (
        lambda key, batch: {**batch, "x": batch["x"].astype(jnp.float16)},
        "got float16",
    ),
    "an entry lost": (lambda key, batch: {"x": batch["x"]}, "got nothing"),
    "an entry more": (lambda key, batch: {**batch, "z": batch["x"]}, "instead of nothing"),
    "vectors flipped": (
        data.augment(lambda k, b: {**b, "x": b["x"].reshape(16, -1)}, data.hflip()),
        "reshape",
    ),
}


@pytest.mark.parametrize(("augment", "said"), BAD.values(), ids=BAD)
def test_what_changes_the_form_of_a_batch_is_refused(augment, said):
    with pytest.raises((TypeError, ValueError), match=said):
        run(*classifier(), data=images(), augment=augment)
