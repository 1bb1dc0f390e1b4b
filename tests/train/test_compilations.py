"""How often a training compiles, as anybody can count it, and the folder that keeps programs."""

import jax
import jax.numpy as jnp
import pytest

from jaxopt_dl import losses, nn, optim, schedules, train
from tests.train.problems import blobs


def fresh_classifier():
    """An objective no other test has compiled for."""
    layer = nn.sequential(nn.dense(5), nn.batch_norm(), nn.lift(nn.relu), nn.dense(3))
    params, state = layer.init(jax.random.key(3), (4,))
    return train.supervised(layer, losses.softmax_cross_entropy), params, state


def run(objective, params, state, optimizer, *, data=None, seed=0, epochs=2, **options):
    """Train on 50 rows in batches of 16, so that the last batch is not full."""
    return train.fit(
        objective,
        params,
        state,
        optimizer,
        data or blobs(),
        dev=blobs(30, seed=1),
        key=jax.random.key(seed),
        epochs=epochs,
        batch_size=16,
        progress=None,
        **options,
    )


def names(programs):
    return [program.name for program in programs]


@pytest.fixture(scope="module")
def trained():
    """One model, and what its first training and its first evaluation compiled."""
    model = fresh_classifier()
    with train.compilations() as programs:
        run(*model, optim.adam(schedules.linear(1e-2, 0.0, steps=9)))
    with train.compilations() as evaluation:
        train.evaluate(*model, blobs(30, seed=1), batch_size=16)
    return model, programs, evaluation


def test_a_training_with_dev_evaluations_and_a_short_last_batch_compiles_one_program(trained):
    _, programs, _ = trained
    assert names(programs).count("advance") == 1
    assert "_evaluate" not in names(programs)


def test_an_evaluation_with_a_short_last_batch_compiles_one_program(trained):
    assert names(trained[2]).count("_evaluate") == 1


def test_other_numbers_seeds_and_epochs_compile_nothing_at_all(trained):
    model, _, _ = trained
    stopping = train.early_stopping(patience=5, min_delta=0.1)
    with train.compilations() as programs:
        optimizer = optim.adam(schedules.linear(3e-3, 1e-4, steps=5), b1=0.8)
        run(*model, optimizer, data=blobs(seed=8), seed=4, epochs=7, stopping=stopping)
        train.evaluate(*model, blobs(30, seed=2), batch_size=16)
    assert programs == []


def test_a_new_shape_of_the_data_is_seen_as_one_more_program(trained):
    model, _, _ = trained
    with train.compilations() as programs:
        run(*model, optim.adam(schedules.linear(3e-3, 0.0, steps=5)), data=blobs(70))
    assert names(programs).count("advance") == 1


def test_nothing_is_counted_after_the_block():
    with train.compilations() as programs:
        pass
    jax.jit(lambda x: x + 17)(jnp.ones(3)).block_until_ready()
    assert programs == []


@pytest.fixture
def folder(tmp_path, compile_cache):
    """A folder for compiled programs, for the length of the test."""
    return tmp_path / "programs"


def compile_anew(number):
    """Compile the same program as a new process would; return what was seen."""
    x = jnp.ones(3)
    with train.compilations() as programs:
        jax.jit(lambda x: jnp.sin(x) + number)(x)
    return [program.cached for program in programs]


def test_a_program_of_the_folder_is_not_compiled_again(folder):
    assert train.enable_compile_cache(folder) == folder
    assert compile_anew(3.25) == [False]
    assert compile_anew(3.25) == [True]
    assert compile_anew(3.5) == [False]


def test_another_folder_may_be_chosen_later(folder):
    train.enable_compile_cache(folder)
    compile_anew(5.25)
    train.enable_compile_cache(folder.with_name("other"))
    assert compile_anew(5.25) == [False]
    assert any(folder.with_name("other").iterdir())


def test_a_folder_that_cannot_be_written_is_refused_and_changes_nothing(folder, tmp_path):
    (tmp_path / "file").write_text("")
    before = jax.config.values["jax_compilation_cache_dir"]
    with pytest.raises(OSError, match="`folder` must be writable, got .*file/programs"):
        train.enable_compile_cache(tmp_path / "file" / "programs")
    assert jax.config.values["jax_compilation_cache_dir"] == before
