"""What `fit` promises: learning, the same numbers every time, one compilation, nothing lost."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import optax.contrib
import pytest

from jaxopt_dl import losses, nn, optim, schedules, train
from jaxopt_dl._core import keys
from jaxopt_dl.train import _run
from tests.train.problems import blobs, classifier


def run(objective, params, state, optimizer=None, data=None, **options):
    defaults = dict(key=jax.random.key(1), epochs=3, batch_size=16, progress=None)
    return train.fit(
        objective,
        params,
        state,
        optimizer or optim.adam(1e-2),
        data or blobs(),
        **defaults | options,
    )


def test_it_learns_and_reports_every_epoch():
    result = run(*classifier(), epochs=30, dev=blobs(30, seed=1))
    assert result.outcome is train.Outcome.COMPLETED
    assert len(result.history) == 30
    assert result.history["dev_accuracy"][-1] > 0.9
    assert list(result.history["step"][:2]) == [4, 8]


def test_the_same_arguments_give_the_same_bits():
    first, second = (run(*classifier(), dev=blobs(30, seed=1)) for _ in range(2))
    chex.assert_trees_all_equal(first.last, second.last)
    assert first.history.rows == second.history.rows


def test_another_key_gives_another_run():
    first, second = (run(*classifier(), key=jax.random.key(seed)) for seed in (1, 2))
    assert first.history.rows != second.history.rows


@pytest.mark.parametrize("seconds", [1e-9, 100.0])
def test_how_the_run_is_cut_into_calls_changes_no_bit(seconds, monkeypatch):
    whole = run(*classifier(), epochs=5, dev=blobs(30, seed=1))
    monkeypatch.setattr(_run, "SECONDS_PER_CALL", seconds)
    cut = run(*classifier(), epochs=5, dev=blobs(30, seed=1))
    chex.assert_trees_all_equal(whole.last, cut.last)
    assert whole.history.rows == cut.history.rows


def test_it_equals_a_loop_written_by_hand():
    """The engine against ten lines of plain JAX: same order, same keys, same padding."""
    objective, params, state = classifier()
    data, optimizer = blobs(), optim.adam(1e-2)
    result = run(objective, params, state, optimizer, data, epochs=2)

    streams = keys.streams(jax.random.key(1))
    opt_state, step = optimizer.init(params), 0
    for epoch in range(2):
        order = jax.random.permutation(jax.random.fold_in(streams.order, epoch), 50)
        for start in range(0, 50, 16):
            rows = order[start : start + 16]
            missing = 16 - len(rows)
            rows = jnp.pad(rows, (0, missing))
            mask = jnp.arange(16) < 16 - missing
            batch = {name: jnp.asarray(values)[rows] for name, values in data.items()}
            batch |= {"mask": mask, "weight": mask.astype(jnp.float32)}
            key = jax.random.fold_in(streams.model, step)
            (_, aux), grads = jax.value_and_grad(objective, has_aux=True)(
                params, state, batch, key=key, training=True
            )
            updates, opt_state = optimizer.update(grads, opt_state, params)
            params, state, step = optax.apply_updates(params, updates), aux.state, step + 1
    chex.assert_trees_all_close(result.last, (params, state), rtol=1e-5, atol=1e-6)
    assert result.steps == step == 8


def counted_traces(objective):
    """The objective, and a list that grows each time it is traced in training mode."""
    traces = []

    def counting(params, state, batch, *, key, training):
        if training:
            traces.append(None)
        return objective(params, state, batch, key=key, training=training)

    return counting, traces


def test_another_run_with_other_numbers_compiles_nothing():
    objective, params, state = classifier()
    counting, traces = counted_traces(objective)
    tx = lambda lr, steps: optim.chain(  # noqa: E731
        optim.clip_by_global_norm(lr * 10), optim.adam(schedules.linear(lr, 0.0, steps=steps))
    )
    options = dict(dev=blobs(30, seed=1), remainder="mask")
    run(counting, params, state, tx(1e-2, 100), **options)
    compiled = len(traces)
    stopping = train.early_stopping(patience=7, min_delta=0.1)
    run(
        counting,
        params,
        state,
        tx(3e-3, 57),
        key=jax.random.key(5),
        epochs=9,
        stopping=stopping,
        **options,
    )
    assert len(traces) == compiled


def test_the_callers_arrays_survive():
    objective, params, state = classifier()
    before = jax.tree.map(np.array, params)
    run(objective, params, state)
    chex.assert_trees_all_equal(jax.tree.map(np.asarray, params), before)


def test_the_best_parameters_are_those_of_the_best_dev_epoch():
    objective, params, state = classifier()
    dev = blobs(30, seed=1)
    result = run(objective, params, state, optim.adam(0.3), dev=dev, epochs=12)
    losses_seen = result.history["dev_loss"]
    assert result.best_epoch == int(np.argmin(losses_seen)) + 1 < 12
    best = train.evaluate(objective, *result.best, dev, batch_size=16)
    assert best["loss"] == pytest.approx(losses_seen.min(), rel=1e-6)
    assert train.evaluate(objective, *result.last, dev)["loss"] == pytest.approx(
        losses_seen[-1], rel=1e-5
    )


def test_without_dev_the_best_is_the_last():
    result = run(*classifier())
    chex.assert_trees_all_equal(result.best, result.last)
    assert result.best_epoch == 3


def test_early_stopping_ends_the_run_and_keeps_the_best():
    stopping = train.early_stopping(patience=3, monitor="accuracy", maximize=True)
    result = run(*classifier(), epochs=500, dev=blobs(30, seed=1), stopping=stopping)
    assert result.outcome is train.Outcome.STOPPED_EARLY
    assert len(result.history) == result.best_epoch + 3
    accuracy = result.history["dev_accuracy"]
    assert accuracy[result.best_epoch - 1] == accuracy.max()


def widened(tree):
    """The tree with its float32 arrays in float64."""
    is_single = lambda leaf: getattr(leaf, "dtype", None) == jnp.float32  # noqa: E731
    return jax.tree.map(lambda leaf: leaf.astype(float) if is_single(leaf) else leaf, tree)


def test_a_penalty_is_recorded_apart_and_adds_up(x64):
    """REG-13: total = loss + penalty, to 1e-12 in float64."""
    objective, params, state = widened(classifier())
    objective = train.supervised(
        objective.layer, objective.loss, penalty=lambda p: losses.l2_penalty(p, 0.1)
    )
    data, dev = widened((blobs(), blobs(30, seed=1)))
    history = run(objective, params, state, data=data, dev=dev).history
    for part in ("train", "dev"):
        total = history[f"{part}_data_loss"] + history[f"{part}_penalty"]
        np.testing.assert_allclose(history[f"{part}_loss"], total, rtol=0, atol=1e-12)


def test_the_applied_learning_rate_is_recorded():
    rate = schedules.linear(0.1, 0.0, steps=8)
    history = run(*classifier(), optim.sgd(rate), epochs=2).history
    # The last update of an epoch of 4 steps sees count 3, then 7.
    np.testing.assert_allclose(history["learning_rate"], [0.1 * 5 / 8, 0.1 / 8], rtol=1e-6)


def test_a_foreign_optimizer_works_and_its_rate_is_unknown():
    with jax.numpy_dtype_promotion("standard"):
        result = run(*classifier(), optax.adamw(1e-2), epochs=20)
    assert result.history.rows[-1]["learning_rate"] is None
    assert result.history["train_loss"][-1] < 0.6 * result.history["train_loss"][0]


def test_a_function_of_the_run_length_gives_the_optimizer():
    seen = []

    def build(length):
        seen.append(length)
        return optim.sgd(schedules.linear(0.1, 0.0, steps=length.steps))

    run(*classifier(), build, epochs=5)
    assert seen == [train.RunLength(steps=20, steps_per_epoch=4)]


def test_rows_of_weight_zero_change_nothing():
    """A row that does not count may hold a label no model knows."""
    objective, params, state = classifier(batch_norm=False, keep_prob=1.0)
    data = blobs()
    ignored = {"x": np.full((6, 4), 50.0, np.float32), "y": np.full(6, -1, np.int32)}
    both = {name: np.concatenate([data[name], ignored[name]]) for name in data}
    both["weight"] = np.r_[np.ones(50), np.zeros(6)].astype(np.float32)
    plain = run(objective, params, state, optim.sgd(0.1), data, batch_size=50, epochs=2)
    padded = run(objective, params, state, optim.sgd(0.1), both, batch_size=56, epochs=2)
    chex.assert_trees_all_close(plain.last, padded.last, rtol=1e-5, atol=1e-6)


def test_dropping_the_remainder_uses_full_batches_only():
    result = run(*classifier(), remainder="drop")
    assert result.steps == 3 * (50 // 16)


def test_a_nonfinite_loss_stops_the_run_and_keeps_the_last_finite_state():
    objective, params, state = classifier(batch_norm=False)
    result = run(objective, params, state, optim.sgd(1e30), epochs=50)
    assert result.outcome is train.Outcome.NON_FINITE
    chex.assert_tree_all_finite(result.last)
    assert result.steps < 10


def explode(count):
    return jnp.where(count < 10, 0.01, jnp.inf)


def stay_calm(count):
    del count
    return jnp.float32(0.01)


def test_the_last_finite_state_is_the_one_just_before_the_bad_step():
    """A learning rate that explodes at update 10: the state after 10 good updates is kept."""
    model = classifier(batch_norm=False, keep_prob=1.0)
    exploded = run(*model, optim.sgd(explode), blobs(80), epochs=50)
    assert exploded.outcome is train.Outcome.NON_FINITE
    assert exploded.steps == 10
    calm = run(*model, optim.sgd(stay_calm), blobs(80), epochs=2)
    assert calm.steps == 10
    chex.assert_trees_all_close(exploded.last, calm.last, rtol=1e-6)


class InterruptAfter:
    """A progress display during which the user presses Ctrl-C."""

    def __init__(self, calls):
        self.calls = calls

    def compiling(self): ...
    def compiled(self, seconds): ...
    def finished(self, outcome): ...
    def advanced(self, step, rows):
        self.calls -= 1
        if not self.calls:
            raise KeyboardInterrupt


def test_ctrl_c_keeps_everything_reached():
    result = run(*classifier(), epochs=10**6, dev=blobs(30, seed=1), progress=InterruptAfter(3))
    assert result.outcome is train.Outcome.INTERRUPTED
    assert len(result.history) >= 1
    assert result.steps == int(result.run.train.step) > 0
    again = run(*classifier(), epochs=len(result.history), dev=blobs(30, seed=1))
    assert again.history.rows == result.history.rows


def test_should_stop_ends_the_run_as_ctrl_c_does():
    asked = []

    def third_time():
        asked.append(None)
        return len(asked) == 3

    result = run(*classifier(), epochs=10**6, should_stop=third_time)
    assert result.outcome is train.Outcome.INTERRUPTED
    assert result.steps > 0


def test_a_foreign_objective_is_trained_and_drops_the_remainder():
    def objective(params, state, batch, *, key, training):
        error = jnp.square(batch["x"] @ params["w"] - batch["y"])
        loss = jnp.sum(batch["weight"] * error) / jnp.sum(batch["weight"])
        return loss, train.Aux(state, {}, jnp.sum(batch["weight"]))

    x = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    w = np.array([1.0, -2.0, 3.0, 0.5], np.float32)
    result = run(
        objective,
        {"w": np.zeros(4, np.float32)},
        {},
        optim.sgd(0.1),
        {"x": x, "y": x @ w},
        epochs=60,
    )
    assert result.steps == 60 * 3
    np.testing.assert_allclose(result.last[0]["w"], w, atol=1e-3)


def test_float64_runs_stay_float64(x64):
    objective, params, state = classifier()
    double = jax.tree.map(lambda leaf: leaf.astype(np.float64), (params, state))
    data = {"x": blobs()["x"].astype(np.float64), "y": blobs()["y"]}
    result = run(objective, *double, data=data)
    assert {leaf.dtype for leaf in jax.tree.leaves(result.last)} == {np.dtype(np.float64)}


def test_nn_dense_alone_is_a_model():
    layer = nn.dense(1)
    params, state = layer.init(jax.random.key(0), (1,))
    x = np.linspace(-1, 1, 64, dtype=np.float32)[:, None]
    objective = train.supervised(layer, losses.squared_error)
    result = run(objective, params, state, optim.sgd(0.5), {"x": x, "y": 3 * x}, epochs=30)
    assert float(result.last[0]["kernel"][0, 0]) == pytest.approx(3.0, abs=1e-3)


def test_rows_of_weight_zero_stay_out_of_batch_statistics():
    objective, params, state = classifier(keep_prob=1.0)
    finals = []
    for filler in (0.0, 1000.0):
        data = blobs()
        data["x"][:8] = filler
        data["weight"] = np.r_[np.zeros(8), np.ones(42)].astype(np.float32)
        finals.append(run(objective, params, state, data=data, batch_size=50, epochs=2).last)
    chex.assert_trees_all_close(*finals, rtol=1e-5, atol=1e-6)


def sum_of_roots(params, state, batch, *, key, training):
    """The loss is finite, its gradient at zero is not."""
    loss = jnp.sum(jnp.sqrt(jnp.abs(params["w"]))) + jnp.mean(batch["x"]) * 0
    return loss, train.Aux(state, {}, jnp.sum(batch["weight"]))


def test_an_update_that_breaks_the_parameters_is_found_even_at_the_last_step():
    params = {"w": np.zeros(3, np.float32)}
    data = {"x": np.ones((16, 1), np.float32)}
    result = run(sum_of_roots, params, {}, optim.sgd(0.1), data, epochs=1, dev=data)
    assert result.outcome is train.Outcome.NON_FINITE
    chex.assert_tree_all_finite((result.last, result.best))


def flattering(params, state, batch, *, key, training):
    """Its accuracy looks best where everything is broken."""
    loss = jnp.mean(jnp.square(params["w"] - batch["x"]))
    perfect = jnp.where(jnp.isfinite(loss), 0.0, 1.0)
    return loss, train.Aux(state, {"accuracy": perfect}, jnp.sum(batch["weight"]))


def test_broken_parameters_are_never_the_best():
    stopping = train.early_stopping(patience=5, monitor="accuracy", maximize=True)
    data = {"x": np.full((16, 1), 2.0, np.float32)}
    params = {"w": np.zeros((1, 1), np.float32)}
    result = run(
        flattering, params, {}, optim.sgd(3e38), data, dev=data, stopping=stopping, epochs=4
    )
    assert result.outcome is train.Outcome.NON_FINITE
    chex.assert_tree_all_finite((result.last, result.best))


def test_a_plateau_is_watched_once_per_epoch_by_the_dev_loss():
    """At rate 0 the first epoch sets the best and four bring none: two halvings."""
    tx = optim.chain(optim.sgd(0.0), optim.reduce_on_plateau(factor=0.5, patience=2))
    result = run(*classifier(batch_norm=False), tx, epochs=5, dev=blobs(30, seed=1))
    assert result.history["dev_loss"].std() == 0
    assert float(result.run.train.opt_state[1].scale) == 0.25


def test_an_optimizer_that_wants_the_loss_gets_it():
    with jax.numpy_dtype_promotion("standard"):
        tx = optax.chain(optax.sgd(0.1), optax.contrib.reduce_on_plateau(factor=0.5, patience=1))
        result = run(*classifier(), tx, epochs=3)
    assert result.outcome is train.Outcome.COMPLETED


def trace_of(order, rows, **options):
    """Fit `w <- w / 2 + x` to one row after the other; `w` remembers their order."""

    def objective(params, state, batch, *, key, training):
        del key, training
        value = jnp.sum(jnp.square(params) / 4 - params * batch["x"][0])
        return value, train.Aux(state, {}, jnp.ones(()))

    data = {"x": np.eye(rows, dtype=np.float32)}
    defaults = dict(epochs=1, batch_size=1, order=order, progress=None)
    start = jnp.zeros(rows)
    key = jax.random.key(3)
    return train.fit(
        objective, start, {}, optim.sgd(1.0), data, key=key, **defaults | options
    ).last[0]


def test_the_given_order_is_kept_in_every_epoch():
    expected = [0.5**2 + 0.5**5, 0.5 + 0.5**4, 1 + 0.5**3]
    np.testing.assert_allclose(trace_of("given", 3, epochs=2), expected)


def test_gd_19_by_default_each_row_comes_once_in_another_order():
    w = trace_of("shuffle", 12)
    np.testing.assert_allclose(np.sort(w), 0.5 ** np.arange(11, -1, -1.0))
    assert (np.diff(w) < 0).any()


def test_gd_19_independent_draws_leave_rows_out_and_repeat_others():
    w = trace_of("iid", 12)
    # All draws together weigh what those of a shuffled epoch weigh.
    np.testing.assert_allclose(w.sum(), 2 - 0.5**11)
    assert 4 < (w > 0).sum() < 12


def test_an_unknown_order_is_refused():
    with pytest.raises(ValueError, match="`order` must be one of 'shuffle', 'iid', 'given'"):
        run(*classifier(), order="sorted")
