"""Compiled programs are kept between runs, quietly, and never at the cost of a run."""

import pathlib

import pytest

from jaxopt_dl import train
from jaxopt_dl.cli import _compile_cache, main


@pytest.fixture
def chosen(monkeypatch):
    """The folders that programs are kept in, in order; nothing is really kept."""
    folders = []

    def enable(folder):
        if "refused" in str(folder):
            raise OSError("not writable") from PermissionError("Permission denied")
        folders.append(pathlib.Path(folder))

    monkeypatch.setattr(train, "enable_compile_cache", enable)
    monkeypatch.delenv("JAXOPT_DL_CACHE")
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR", raising=False)
    return folders


def test_by_default_a_folder_of_this_computer_among_the_users_caches_is_used(chosen, monkeypatch):
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr("platform.node", lambda: "bee")
    monkeypatch.setenv("XDG_CACHE_HOME", "/home/ada/caches")
    _compile_cache.keep_programs("auto")
    assert chosen == [pathlib.Path("/home/ada/caches/jaxopt_dl/programs-bee")]


def test_a_flag_wins_over_the_environment_which_wins_over_the_default(chosen, monkeypatch):
    monkeypatch.setenv("JAXOPT_DL_CACHE", "mine")
    _compile_cache.keep_programs("auto")
    _compile_cache.keep_programs("other")
    assert chosen == [pathlib.Path("mine"), pathlib.Path("other")]


@pytest.mark.parametrize("variable", ["JAXOPT_DL_CACHE", None])
def test_none_keeps_nothing(variable, chosen, monkeypatch):
    if variable:
        monkeypatch.setenv(variable, "none")
    _compile_cache.keep_programs("auto" if variable else "none")
    assert chosen == []


def test_a_folder_that_jax_was_given_by_its_own_means_is_left_alone(chosen, monkeypatch):
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "/elsewhere")
    _compile_cache.keep_programs("auto")
    assert chosen == []


def test_a_default_folder_that_cannot_be_written_changes_nothing(chosen, monkeypatch, capsys):
    monkeypatch.setenv("XDG_CACHE_HOME", "/refused")
    monkeypatch.setattr("sys.platform", "linux")
    _compile_cache.keep_programs("auto")
    assert chosen == []
    assert capsys.readouterr() == ("", "")


def test_a_folder_that_was_asked_for_and_cannot_be_written_is_named(chosen, refused):
    message = refused("train", "--data.source", "iris", "--cache", "refused")
    assert message.startswith("cache: 'refused' must be writable, got: Permission denied.")


def test_a_training_asks_for_it_before_it_compiles(chosen, monkeypatch):
    monkeypatch.setattr("jaxopt_dl.cli._run.run", lambda *a, **k: (None, len(chosen)))
    assert main(["train", "--data.source", "iris", "--cache", "kept"]) == 1
