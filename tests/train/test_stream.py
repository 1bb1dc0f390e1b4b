"""Data larger than the device: the numbers of data in memory, read ahead, nothing lost silently."""

import threading
import time

import chex
import jax
import numpy as np
import pytest

from jaxopt_dl import data, losses, nn, optim, train
from jaxopt_dl._core import keys
from jaxopt_dl.train import _supply
from tests.train.problems import blobs, classifier
from tests.train.test_fit import run

ROWS, BATCH = 50, 16


@pytest.fixture
def on_disk(tmp_path):
    """The rows of `blobs()` in files, mapped."""
    mapped = {}
    for name, values in blobs(ROWS).items():
        np.save(tmp_path / f"{name}.npy", values)
        mapped[name] = np.load(tmp_path / f"{name}.npy", mmap_mode="r")
    return mapped


@pytest.fixture
def small_chunks(monkeypatch):
    """Chunks of three batches: an epoch of four has two of them, the last one padded."""
    row = sum(x[:1].nbytes for x in blobs(2).values())
    monkeypatch.setattr(_supply, "CHUNK_BYTES", 3 * BATCH * row)


def batches_of(seed: int = 1):
    """A stream of the batches that `fit` with key `seed` would take from memory."""
    order = keys.streams(jax.random.key(seed)).order

    def batches(epoch):
        cut = data.epoch_batches(keys.at(order, epoch), ROWS, BATCH)
        for indices, mask in zip(*map(np.asarray, cut), strict=True):
            yield {name: values[indices[mask]] for name, values in blobs(ROWS).items()}

    return train.stream(batches, steps_per_epoch=4)


@pytest.mark.parametrize("remainder", ["mask", "drop"])
def test_mapped_arrays_give_the_bits_of_arrays_in_memory(on_disk, small_chunks, remainder):
    options = dict(dev=blobs(30, seed=1), remainder=remainder)
    memory = run(*classifier(), data=blobs(ROWS), **options)
    disk = run(*classifier(), data=on_disk, **options)
    chex.assert_trees_all_equal(memory.last, disk.last)
    chex.assert_trees_all_equal(memory.best, disk.best)
    assert memory.history.rows == disk.history.rows


@pytest.mark.parametrize("order", ["shuffle", "iid"])
def test_many_rows_are_sorted_once_per_epoch_with_the_same_bits(monkeypatch, order):
    options = dict(data=blobs(ROWS), dev=blobs(30, seed=1), order=order)
    few = run(*classifier(), **options)
    monkeypatch.setattr(_supply, "MANY_ROWS", ROWS)
    many = run(*classifier(), **options)
    chex.assert_trees_all_equal(few.last, many.last)
    assert few.history.rows == many.history.rows


def test_a_stream_in_the_same_order_gives_the_same_bits(small_chunks):
    memory = run(*classifier(), data=blobs(ROWS))
    streamed = run(*classifier(), data=batches_of())
    chex.assert_trees_all_equal(memory.last, streamed.last)
    assert memory.history.rows == streamed.history.rows


def test_a_list_of_batches_is_read_again_in_every_epoch(small_chunks):
    batches = [{name: v[i : i + BATCH] for name, v in blobs(48).items()} for i in (0, 16, 32)]
    memory = run(*classifier(), data=blobs(48), order="given", remainder="drop")
    listed = run(*classifier(), data=train.stream(batches), remainder="drop")
    chex.assert_trees_all_equal(memory.last, listed.last)


def test_one_program_serves_every_chunk(on_disk, small_chunks):
    objective, params, state = classifier()
    run(objective, params, state, data=on_disk)
    with train.compilations() as programs:
        run(objective, params, state, data=on_disk, epochs=2, key=jax.random.key(5))
    assert programs == []


def test_augmentation_and_streams_go_together(on_disk, small_chunks):
    def louder(key, batch):
        return {**batch, "x": batch["x"] * jax.random.uniform(key)}

    memory = run(*classifier(), data=blobs(ROWS), augment=louder)
    disk = run(*classifier(), data=on_disk, augment=louder)
    chex.assert_trees_all_equal(memory.last, disk.last)


def test_float64_stays_float64_in_the_thread(on_disk, small_chunks, x64):
    layer = nn.dense(3)
    start = layer.init(jax.random.key(0), jax.ShapeDtypeStruct((4,), np.float64))
    wide = {"x": on_disk["x"].astype(np.float64), "y": on_disk["y"]}
    streamed = train.stream([{name: values[:BATCH] for name, values in wide.items()}])
    objective = train.supervised(layer, losses.softmax_cross_entropy)
    result = run(objective, *start, optim.sgd(0.1), data=streamed)
    assert result.last[0]["kernel"].dtype == np.float64


def test_the_next_chunk_is_read_while_this_one_is_trained_on(small_chunks):
    reading = []

    def batches(epoch):
        for _ in range(12):
            reading.append(threading.current_thread().name)
            yield {name: values[:BATCH] for name, values in blobs(BATCH).items()}

    supply_before = threading.active_count()
    run(*classifier(), data=train.stream(batches, steps_per_epoch=12), epochs=1)
    ahead = [name for name in reading if name.startswith("jaxopt_dl-prefetch")]
    assert len(ahead) >= 9  # the form, and the first chunk, are read at once
    assert threading.active_count() == supply_before


def test_slow_reading_is_hidden_behind_slow_training():
    """The times of reader and trainer do not add up."""
    plan = None

    class Slow:
        batch_bytes = 2**26
        full = True

        def read(self, epoch, first, count):
            time.sleep(0.05)
            return {"x": np.zeros((count, 2, 1))}, np.ones((count, 2), bool)

    class Plan:
        mesh = plan

    with _supply.Prefetched(Slow(), Plan(), 10) as supply:
        supply.at(0)
        began = time.perf_counter()
        for step in range(1, 10):
            time.sleep(0.05)  # training on the chunk before
            supply.at(step)
        assert time.perf_counter() - began < 0.8  # 0.9 one after the other


def bad_batch(**changes):
    good = {name: values[:BATCH] for name, values in blobs(BATCH).items()}
    return train.stream([good, {**good, **changes}])


BAD = {
    "an epoch too short": (train.stream([blobs(16)], steps_per_epoch=3), "got 1 in"),
    "another form": (bad_batch(x=np.ones((16, 4))), "batch 2 of epoch 1 must have the form"),
    "another width": (bad_batch(x=np.ones((16, 5), np.float32)), "must have the form"),
    "rows that differ": (bad_batch(x=np.ones((15, 4), np.float32)), "share their number of rows"),
    "a NaN": (bad_batch(x=np.full((16, 4), np.nan, np.float32)), "'x' of batch 2 of epoch 1"),
    "text": (bad_batch(y=np.full(16, "cat")), "must hold numbers"),
    "no dict": (train.stream([np.ones((16, 4))]), "the first batch must be a dict"),
    "nothing": (train.stream([], steps_per_epoch=1), "must have batches"),
    "a label out of range": (bad_batch(y=np.full(16, 7, np.int32)), None),
}


@pytest.mark.parametrize(("streamed", "said"), BAD.values(), ids=BAD)
def test_what_a_stream_must_not_hold(streamed, said):
    if said is None:  # only the compiled program sees it: the loss is NaN
        assert run(*classifier(), data=streamed).outcome is train.Outcome.NON_FINITE
        return
    with pytest.raises((TypeError, ValueError), match=said):
        run(*classifier(), data=streamed)


def test_too_many_rows_are_refused():
    big = train.stream([blobs(20)])
    with pytest.raises(ValueError, match="must have 16 rows"):
        run(*classifier(), data=big)


def test_a_nan_on_the_disk_is_found_where_it_is_read(tmp_path):
    x = blobs(ROWS)["x"].copy()
    x[7, 2] = np.nan
    np.save(tmp_path / "x.npy", x)
    mapped = {"x": np.load(tmp_path / "x.npy", mmap_mode="r"), "y": blobs(ROWS)["y"]}
    with pytest.raises(ValueError, match=r"data\['x'\].*epoch 1.*column 2"):
        run(*classifier(), data=mapped)


REFUSED = {
    "a generator": (lambda: train.stream(iter([1])), "iterable again"),
    "a number": (lambda: train.stream(3), "must be a function"),
    "no length": (lambda: train.stream(lambda epoch: []), "length"),
    "no steps": (lambda: train.stream([], steps_per_epoch=0), "steps_per_epoch"),
}


@pytest.mark.parametrize(("call", "said"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_stream(call, said):
    with pytest.raises((TypeError, ValueError), match=said):
        call()
