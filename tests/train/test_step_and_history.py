"""The step as a function of its own, the history as data, and what a person sees."""

import json

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_dl import optim, train
from jaxopt_dl.train._history import shortest
from jaxopt_dl.train._progress import Bar, Lines, choose_progress
from tests.train.problems import blobs, classifier


def initial(optimizer, seed=0):
    _, params, state = classifier()
    return train.TrainState(
        params, state, optimizer.init(params), jnp.int32(0), jax.random.key(seed)
    )


def batch():
    return {name: jnp.asarray(values) for name, values in blobs().items()}


def test_a_loop_of_jitted_steps_equals_a_scan_of_them():
    optimizer = optim.adam(1e-2)
    step = train.make_step(classifier()[0], optimizer)
    looped = initial(optimizer)
    jitted = jax.jit(step)
    for _ in range(5):
        looped, info = jitted(looped, batch())
    scanned, infos = jax.jit(lambda s: jax.lax.scan(lambda s, _: step(s, batch()), s, length=5))(
        initial(optimizer)
    )
    chex.assert_trees_all_close(looped.params, scanned.params, rtol=1e-5, atol=1e-6)
    assert float(infos.loss[-1]) == pytest.approx(float(info.loss), rel=1e-5)
    assert infos.learning_rate.tolist() == pytest.approx([0.01] * 5)


def test_steps_of_several_seeds_run_side_by_side_under_vmap():
    optimizer = optim.sgd(0.1)
    step = train.make_step(classifier()[0], optimizer)
    states = [initial(optimizer, seed) for seed in (0, 1)]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *states)
    together, _ = jax.vmap(step, in_axes=(0, None))(stacked, batch())
    for index, alone in enumerate(states):
        one, _ = step(alone, batch())
        chex.assert_trees_all_close(
            one.params,
            jax.tree.map(lambda leaf, i=index: leaf[i], together.params),
            rtol=1e-5,
            atol=1e-6,
        )


def test_each_step_draws_other_randomness():
    optimizer = optim.sgd(0.0)
    step = train.make_step(classifier()[0], optimizer)
    state, first = step(initial(optimizer), batch())
    _, second = step(state, batch())
    assert float(first.loss) != float(second.loss)


def test_history_columns_and_rows_agree():
    rows = [{"epoch": 1, "learning_rate": None}, {"epoch": 2, "learning_rate": 0.5}]
    history = train.History(rows)
    np.testing.assert_array_equal(history["learning_rate"], [np.nan, 0.5])
    assert [row["epoch"] for row in history] == [1, 2]
    with pytest.raises(KeyError, match="no column 'loss'; it has epoch, learning_rate"):
        history["loss"]


def test_history_is_not_changed_through_the_list_it_was_made_of():
    rows = [{"epoch": 1}]
    history = train.History(rows)
    rows[0]["epoch"] = 5
    assert history.rows == ({"epoch": 1},)


def test_history_is_written_as_one_json_object_per_line(tmp_path):
    train.History([{"epoch": 1, "x": 0.1}, {"epoch": 2, "x": 0.2}]).write_jsonl(tmp_path / "h")
    lines = (tmp_path / "h").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [{"epoch": 1, "x": 0.1}, {"epoch": 2, "x": 0.2}]


@pytest.mark.parametrize("value", [0.1, 1e-30, 16777217.0, 3.0, float("inf")])
def test_the_shortest_decimal_is_the_same_float32(value):
    single = np.float32(value)
    assert np.float32(shortest(single)) == single
    assert len(repr(shortest(single))) <= 14


def show(display):
    display.compiling()
    display.compiled(2.0)
    for epoch in (1, 2, 3):
        row = {
            "epoch": epoch,
            "train_loss": 0.5,
            "dev_loss": 0.25,
            "dev_penalty": 0.125,
            "dev_accuracy": 0.75,
            "learning_rate": 0.1,
        }
        display.advanced(epoch * 4, [row])
    display.finished(train.Outcome.STOPPED_EARLY)


def test_lines_say_compiling_first_then_epochs_then_why_it_ended(capsys):
    show(Lines(epochs=5, steps_per_epoch=4))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "compiling ..."
    assert lines[1] == "compiled in 2.0 s, training ..."
    first = "epoch 1/5  train_loss 0.5  dev_loss 0.25  dev_accuracy 0.75  learning_rate 0.1"
    assert lines[2].startswith(first)
    assert "ETA" in lines[2]
    assert lines[-1] == train.Outcome.STOPPED_EARLY.value
    assert sum("epoch 3/5" in line for line in lines) == 1


def test_many_epochs_print_a_dozen_lines(capsys):
    display = Lines(epochs=1000, steps_per_epoch=1)
    for epoch in range(1, 1001):
        display.advanced(epoch, [{"epoch": epoch, "train_loss": 1.0}])
    assert 10 <= len(capsys.readouterr().out.splitlines()) <= 16


def test_the_bar_shows_the_same_numbers(capsys):
    show(Bar(epochs=5, steps_per_epoch=4))
    shown = capsys.readouterr().out
    assert "compiled in 2.0 s" in shown
    assert train.Outcome.STOPPED_EARLY.value in shown


def test_off_a_terminal_auto_means_lines():
    assert isinstance(choose_progress("auto", 5, 4), Lines)
