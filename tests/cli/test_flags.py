"""The front door: commands, help, versions, and flags that are wrong."""

import pytest

from jaxopt_dl import __version__
from jaxopt_dl.cli import main
from jaxopt_dl.cli._config import Config
from jaxopt_dl.cli._demo import DEMO
from jaxopt_dl.cli._flags import parse_demo, parse_train


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"], ["help"]])
def test_without_a_command_it_shows_help(arguments, capsys):
    assert main(arguments) == 0
    output = capsys.readouterr().out
    for word in ("demo", "train", "check-grads", "--version"):
        assert word in output


def test_it_tells_its_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"jaxopt-dl {__version__}\n"


def test_an_unknown_command_is_answered_with_the_nearest(refused):
    assert "Did you mean `train`?" in refused("trian")
    assert "Did you mean `check-grads`?" in refused("check-grad")
    assert "demo, train, check-grads" in refused("xyz")


@pytest.mark.parametrize("command", ["train", "demo"])
def test_help_of_a_command_lists_every_key(command, capsys):
    assert main([command, "--help"]) == 0
    output = capsys.readouterr().out
    for flag in ("--optimizer.learning-rate", "--data.source", "--training.patience", "--quiet"):
        assert flag in output


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--optimizer.lerning-rate", "3"], ["--optimizer.lerning-rate", "learning-rate FLOAT"]),
        (["--optimizer.kind", "adm"], ["adm", "--optimizer.kind", "rmsprop", "adam"]),
        (["--optimizer.learning-rate", "abc"], ["--optimizer.learning-rate", "abc"]),
        (["--training.epochs", "1.5"], ["--training.epochs", "1.5"]),
        (["--optimizer.learning-rate"], ["--optimizer.learning-rate"]),
        (["--progress", "loud"], ["--progress", "loud", "lines"]),
    ],
)
def test_a_wrong_flag_is_named_with_what_is_allowed(flags, words, capsys):
    assert main(["train", *flags]) == 2
    error = " ".join(capsys.readouterr().err.split())
    assert [word for word in words if word not in error] == []
    assert "Traceback" not in error


def test_no_flags_give_the_defaults():
    assert parse_train([]).config == Config()
    assert parse_demo([], DEMO).config == DEMO


def test_a_flag_changes_one_number_of_the_demo():
    config = parse_demo(["--model.hidden", "3", "4", "--seed", "9"], DEMO).config
    assert (config.model.hidden, config.seed) == ((3, 4), 9)
    assert config.optimizer == DEMO.optimizer


def test_flags_come_before_or_after_the_file(tmp_path):
    file = tmp_path / "config.toml"
    file.write_text("seed = 3\n[optimizer]\nb1 = 0.5")
    before = parse_train(["--optimizer.b2", "0.9", str(file)]).config
    after = parse_train([str(file), "--optimizer.b2", "0.9"]).config
    assert before == after
    assert (after.seed, after.optimizer.b1, after.optimizer.b2) == (3, 0.5, 0.9)
