"""A small training that takes a second, and a way to run the command line inside the test."""

from collections.abc import Callable, Iterator

import pytest

from jaxopt_dl.cli import main

SMALL = ("--data.source", "iris", "--model.hidden", "4", "--training.epochs", "3", "--quiet")


@pytest.fixture
def small() -> tuple[str, ...]:
    """Flags of a training that takes a second."""
    return SMALL


@pytest.fixture
def train_small() -> Callable[..., int]:
    """Run a small training with further flags; returns the exit code."""
    return lambda *flags: main(["train", *SMALL, *flags])


@pytest.fixture(autouse=True)
def in_empty_folder(tmp_path, monkeypatch) -> Iterator[None]:
    """Work in a folder of this test alone, so that `runs` is made there."""
    monkeypatch.chdir(tmp_path)
    yield


@pytest.fixture
def refused(capsys) -> Callable[..., str]:
    """Run the command line, demand exit code 2 and one line, and return that line."""

    def run(*arguments: str) -> str:
        assert main(list(arguments)) == 2
        lines = capsys.readouterr().err.splitlines()
        assert len(lines) == 1, lines
        return lines[0].removeprefix("jaxopt-dl: ")

    return run
