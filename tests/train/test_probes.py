"""Probes look into chosen steps of a training, inside its one program, and change nothing."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_dl import optim, telemetry, train
from jaxopt_dl._core import keys
from jaxopt_dl.train import _probing, _run
from tests.train.problems import blobs, classifier

PROBES = (telemetry.probe_gradient, telemetry.probe_layers, telemetry.probe_activations)


def run(*, probes=PROBES, probe_every=3, optimizer=None, epochs=3, **options):
    """Twelve steps of batch 16 on 50 rows, the last batch of each epoch padded."""
    return train.fit(
        *classifier(),
        optimizer or optim.adam(1e-2),
        blobs(),
        key=jax.random.key(1),
        epochs=epochs,
        batch_size=16,
        probes=probes,
        probe_every=probe_every,
        progress=None,
        **options,
    )


@pytest.fixture(scope="module")
def result():
    return run()


def test_the_first_step_and_then_one_in_every_few_is_measured(result):
    assert list(result.probes["step"]) == [0, 3, 6, 9]


def test_a_run_is_the_same_with_and_without_probes(result):
    """Up to rounding: they are two programs, which the compiler may fuse differently."""
    plain = run(probes=())
    chex.assert_trees_all_close(result.last, plain.last, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(result.history["train_loss"], plain.history["train_loss"], rtol=1e-5)
    assert len(plain.probes) == 0


def test_the_columns_come_in_the_order_of_the_probes(result):
    layers = ["00_dense", "01_batch_norm", "04_dense"]
    norms = [
        f"{kind}_norm/{layer}" for kind in ("weight", "gradient", "update") for layer in layers
    ]
    columns = result.probes.columns
    assert columns[:11] == ("step", "gradient_norm", *norms)
    assert {"activation_mean/02_relu", "activation_std/00_dense", "dead/02_relu"} <= {*columns[11:]}


def test_the_values_are_those_of_a_loop_by_hand(result):
    """Step 3 is the padded batch of 2 rows at the end of the first epoch."""
    objective, params, state = classifier()
    optimizer, streams = optim.adam(1e-2), keys.streams(jax.random.key(1))
    order = jax.random.permutation(jax.random.fold_in(streams.order, 0), 50)
    opt_state = optimizer.init(params)
    differentiate = jax.jit(jax.grad(objective, has_aux=True), static_argnames="training")
    for step in range(4):
        rows = np.resize(order[16 * step : 16 * step + 16], 16)
        rows[2:] = 0 if step == 3 else rows[2:]
        mask = jnp.arange(16) < (2 if step == 3 else 16)
        batch = {name: values[rows] for name, values in blobs().items()}
        batch |= {"mask": mask, "weight": mask.astype(jnp.float32)}
        key = jax.random.fold_in(streams.model, step)
        gradient, aux = differentiate(params, state, batch, key=key, training=True)
        updates, opt_state = optimizer.update(gradient, opt_state, params)
        if step == 3:
            break
        params, state = jax.tree.map(jnp.add, params, updates), aux.state

    def norm(tree):
        leaves = [np.asarray(leaf, np.float64).ravel() for leaf in jax.tree.leaves(tree)]
        return np.linalg.norm(np.concatenate(leaves))

    row = result.probes.rows[1]
    wanted = {
        "gradient_norm": norm(gradient),
        "weight_norm/04_dense": norm(params["04_dense"]),
        "gradient_norm/01_batch_norm": norm(gradient["01_batch_norm"]),
        "update_norm/00_dense": norm(updates["00_dense"]),
    }
    np.testing.assert_allclose([row[name] for name in wanted], list(wanted.values()), rtol=1e-4)
    hidden = np.asarray(batch["x"]) @ np.asarray(params["00_dense"]["kernel"])
    assert row["activation_mean/00_dense"] == pytest.approx(hidden.mean(), rel=1e-4)
    assert row["activation_std/00_dense"] == pytest.approx(hidden.std(), rel=1e-4)


def test_how_the_run_is_cut_into_calls_changes_no_measurement(result, monkeypatch):
    monkeypatch.setattr(_run, "SECONDS_PER_CALL", 1e-9)
    again = run()
    assert again.probes.rows == result.probes.rows
    assert again.history.rows == result.history.rows


def test_more_measurements_than_a_call_has_room_for_are_all_kept(monkeypatch):
    monkeypatch.setattr(_run, "SECONDS_PER_CALL", 100.0)
    long = run(probe_every=1, epochs=70)
    assert long.steps == 280 > _probing.ROOM
    assert list(long.probes["step"]) == list(range(280))
    assert len(long.history) == 70


def test_probes_need_no_second_program_and_another_stride_compiles_nothing(result):
    with train.compilations() as programs:
        again = run(probe_every=5, optimizer=optim.adam(3e-3))
    assert programs == []
    assert list(again.probes["step"]) == [0, 5, 10]


def test_what_is_measured_in_the_step_that_fails_is_kept():
    failed = run(optimizer=optim.adam(1e30), probe_every=1)
    assert failed.outcome is train.Outcome.NON_FINITE
    assert failed.probes["gradient_norm"][0] == pytest.approx(0.5, rel=3)
    assert not np.isfinite(failed.probes["gradient_norm"][-1])


def test_a_measurement_is_written_as_one_line_of_json(result, tmp_path):
    result.probes.write_jsonl(tmp_path / "probes.jsonl")
    assert (tmp_path / "probes.jsonl").read_text().startswith('{"step": 0, "gradient_norm": ')


def one_vector(seen):
    return {"kernel": jnp.ones(3)}


def no_dict(seen):
    return seen.loss


def named_step(seen):
    return {"step": seen.loss}


@pytest.mark.parametrize(
    ("probes", "kind", "words"),
    [
        ([one_vector], ValueError, "the probe one_vector must return scalars, got shape .3,.*norm"),
        ([no_dict], TypeError, "the probe no_dict must return a dict"),
        ([named_step], ValueError, "must use a name of its own, got 'step' again"),
        ([PROBES[0]] * 2, ValueError, "got 'gradient_norm' again"),
        (["gradient"], TypeError, r"`probes\[0\]` must be a function"),
    ],
)
def test_a_probe_that_cannot_be_used_is_named(probes, kind, words):
    with pytest.raises(kind, match=words):
        run(probes=probes)


def test_the_stride_must_be_at_least_one():
    with pytest.raises(ValueError, match="fit: `probe_every` must be at least 1"):
        run(probe_every=0)
