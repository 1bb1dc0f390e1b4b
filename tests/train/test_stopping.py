"""Early stopping as a pure rule."""

import jax
import jax.numpy as jnp
import pytest

from jaxopt_dl import train

DEV = [0.5, 0.4, 0.35, 0.36, 0.34, 0.37, 0.38, 0.39]


def follow(rule, values):
    """Feed values until the rule stops; return `(index it stopped at, its state)`."""
    state = rule.init()
    for index, value in enumerate(values):
        state = rule.update(state, jnp.float32(value), index + 1)
        if state.stopped:
            return index, state
    return None, state


@pytest.mark.parametrize(
    ("patience", "stopped_at", "best_at", "best"),
    [(1, 3, 2, 0.35), (2, 6, 4, 0.34), (3, 7, 4, 0.34)],
)
def test_es_01_patience_decides_where_it_stops(patience, stopped_at, best_at, best):
    index, state = follow(train.early_stopping(patience=patience), DEV)
    assert (index, int(state.best_epoch) - 1) == (stopped_at, best_at)
    assert float(state.best) == pytest.approx(best)


def test_no_patience_never_stops_and_still_remembers_the_best():
    index, state = follow(train.early_stopping(patience=None), DEV * 3)
    assert index is None
    assert int(state.best_epoch) == 5


def test_maximizing_follows_the_largest_value():
    rule = train.early_stopping(patience=2, monitor="accuracy", maximize=True)
    index, state = follow(rule, [0.1, 0.5, 0.4, 0.45, 0.9])
    assert (index, int(state.best_epoch)) == (3, 2)


def test_an_improvement_must_exceed_min_delta():
    rule = train.early_stopping(patience=2, min_delta=0.1)
    index, state = follow(rule, [1.0, 0.95, 0.91, 0.5])
    assert (index, int(state.best_epoch)) == (2, 1)


def test_works_for_negative_values():
    index, _ = follow(train.early_stopping(patience=2), [-1.0, -2.0, -3.0, -2.5, -2.5])
    assert index == 4


def test_nan_never_counts_as_an_improvement():
    index, state = follow(train.early_stopping(patience=2), [0.5, float("nan"), float("nan")])
    assert (index, float(state.best)) == (2, 0.5)


def test_it_runs_under_jit_scan_and_vmap():
    rule = train.early_stopping(patience=3)

    def waits(values):
        def one(state, item):
            epoch, value = item
            return rule.update(state, value, epoch), None

        epochs = jnp.arange(1, values.shape[0] + 1)
        return jax.lax.scan(one, rule.init(), (epochs, values))[0].best_epoch

    curves = jnp.array([DEV, DEV[::-1]], jnp.float32)
    assert jax.jit(jax.vmap(waits))(curves).tolist() == [5, 4]


@pytest.mark.parametrize(
    ("arguments", "kind", "words"),
    [
        ({"patience": 0}, ValueError, "`patience` must be at least 1, got 0"),
        ({"patience": 2.5}, TypeError, "`patience` must be an integer"),
        ({"patience": True}, TypeError, "`patience` must be an integer"),
        ({"patience": 1, "min_delta": -1.0}, ValueError, "`min_delta` must lie in"),
        ({"patience": 1, "min_delta": float("nan")}, ValueError, "`min_delta` must lie in"),
    ],
)
def test_bad_numbers_raise(arguments, kind, words):
    with pytest.raises(kind, match=words):
        train.early_stopping(**arguments)
