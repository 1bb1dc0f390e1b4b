"""What can be done before a training and during it."""

import sys
import types

import jax
import numpy as np
import pytest

from jaxopt_dl import optim, telemetry, train
from tests.train.problems import blobs, classifier

OPTIONS = dict(key=jax.random.key(1), epochs=3, batch_size=16)


def run(**options):
    tx = optim.adam(1e-2)
    return train.fit(*classifier(), tx, blobs(), progress=None, **OPTIONS | options)


@pytest.fixture(scope="module")
def seen():
    """The moments of a run with a probe, and its result."""
    moments = []
    probes = (telemetry.probe_gradient,)
    result = run(hooks=[moments.append], probes=probes, probe_every=3, dev=blobs(30, seed=1))
    return moments, result


def test_hooks_see_every_row_and_every_measurement_once(seen):
    moments, result = seen
    assert [row for moment in moments for row in moment.rows] == list(result.history)
    assert [row for moment in moments for row in moment.probes] == list(result.probes)


def test_hooks_see_the_state_and_in_the_end_the_outcome(seen):
    moments, result = seen
    assert [moment.step for moment in moments] == [int(m.run.train.step) for m in moments]
    outcomes = [moment.outcome for moment in moments]
    assert outcomes == [None] * (len(moments) - 1) + [train.Outcome.COMPLETED]
    np.testing.assert_array_equal(
        moments[-1].run.train.params["04_dense"]["bias"], result.last[0]["04_dense"]["bias"]
    )


def test_what_a_hook_raises_ends_the_run():
    def refuse(moment):
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        run(hooks=[refuse], dev=blobs(30, seed=1))


def test_a_hook_must_be_a_function():
    with pytest.raises(TypeError, match=r"`hooks\[0\]` must be a function"):
        run(hooks=["tensorboard"])


class Writer:
    """Stands in for the writer of tensorboardX and notes what it is told."""

    def __init__(self, folder):
        self.folder, self.scalars, self.closed = folder, [], False

    def add_scalar(self, name, value, step):
        self.scalars.append((name, value, step))

    def flush(self): ...

    def close(self):
        self.closed = True


def test_tensorboard_gets_history_and_probes_over_steps(seen, monkeypatch):
    made = []
    module = types.ModuleType("tensorboardX")
    vars(module)["SummaryWriter"] = lambda folder: made.append(Writer(folder)) or made[-1]
    monkeypatch.setitem(sys.modules, "tensorboardX", module)
    hook = train.tensorboard("runs/one")
    moments, result = seen
    for moment in moments:
        hook(moment)
    (writer,) = made
    assert writer.folder == "runs/one"
    assert writer.closed
    last, first = result.history.rows[-1], result.probes.rows[0]
    assert ("dev_loss", last["dev_loss"], 12) in writer.scalars
    assert ("gradient_norm", first["gradient_norm"], 0) in writer.scalars
    assert not {"epoch", "step"} & {name for name, _, _ in writer.scalars}


def test_without_the_package_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'jaxopt_dl\[tensorboard\]'"):
        train.tensorboard("runs/one")


def test_a_dry_run_does_a_few_steps_and_an_evaluation_and_the_real_one_compiles_nothing():
    called = []
    options = OPTIONS | dict(dev=blobs(30, seed=1), epochs=1000, hooks=[called.append])
    found = train.dry_run(*classifier(), optim.adam(1e-2), blobs(), **options)
    assert (found.finite, found.steps, called) == (True, 4, [])
    assert found.metrics.keys() == {"loss", "accuracy"}
    assert found.seconds_per_step > 0
    with train.compilations() as programs:
        run(dev=blobs(30, seed=1))
    assert programs == []


def test_a_dry_run_tells_that_the_loss_is_not_finite():
    tx = optim.adam(1e30)
    found = train.dry_run(*classifier(), tx, blobs(), **OPTIONS | {"dev": blobs(30, seed=1)})
    assert not found.finite


def test_one_batch_is_learned_by_heart():
    model = classifier(batch_norm=False, keep_prob=1.0)
    tx = optim.adam(3e-2)
    result = train.overfit_one_batch(*model, tx, blobs(), key=jax.random.key(2), batch_size=10)
    assert result.steps == len(result.history) == 300
    assert result.history["train_loss"][0] > 0.5
    assert result.history["train_loss"][-1] < 0.01
