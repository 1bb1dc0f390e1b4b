"""The real program in a process of its own: exit codes, what it prints, Ctrl-C, speed of help."""

import os
import pathlib
import resource
import shlex
import signal
import subprocess
import sys

import pytest

PROGRAM = (sys.executable, "-m", "jaxopt_dl")
LONG = (
    "train",
    "--data.source",
    "iris",
    "--training.epochs",
    "1000000",
    "--training.patience",
    "0",
)


# The child hears Ctrl-C even where the tests themselves run in the background.
HEARING = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler);"
    "from jaxopt_dl.cli import main; sys.exit(main())"
)


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", HEARING, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )


def read_until(process: subprocess.Popen[str], word: str) -> str:
    read = ""
    assert process.stdout is not None
    for line in process.stdout:
        read += line
        if word in line:
            return read
    raise AssertionError(f"{word!r} never came: {read}")


@pytest.mark.parametrize("command", ["train", "check-grads"])
def test_help_is_fast_and_imports_neither_jax_nor_the_heavy_floors(command):
    code = (
        f"import sys; from jaxopt_dl.cli import main; main(['{command}', '--help']);"
        "heavy = {'jax', 'numpy', 'optax', 'sklearn', 'matplotlib', 'jaxopt_dl.train'};"
        "sys.exit(repr(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    seconds = []
    for _ in range(3):
        before = children_seconds()
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        seconds.append(children_seconds() - before)
        assert done.returncode == 0, done.stderr
    assert min(seconds) < 0.6


def children_seconds() -> float:
    """Processor time of finished children: it does not wait for its neighbors on the machine."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_ctrl_c_in_the_middle_keeps_everything_however_impatient():
    process = start(*LONG)
    read_until(process, "epoch 1/")
    process.send_signal(signal.SIGINT)
    output = read_until(process, "interrupted")
    process.send_signal(signal.SIGINT)
    rest, error = process.communicate(timeout=100)
    assert process.returncode == 130
    assert "Dev accuracy" in rest
    assert "Traceback" not in error + output + rest
    names = {path.name for path in pathlib.Path("runs/run").iterdir()}
    assert names == {"best.params", "config.toml", "history.jsonl", "report.html"}


def test_ctrl_c_before_training_exits_130_with_one_line_and_writes_nothing():
    process = start(*LONG)
    read_until(process, "compiling")
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=100)
    assert process.returncode == 130
    assert error == "jaxopt-dl: interrupted before training; nothing was written.\n"
    assert not pathlib.Path("runs/run").exists()


@pytest.fixture
def demo_output() -> str:
    flags = ("--training.epochs", "2", "--model.hidden", "8")
    done = subprocess.run([*PROGRAM, "demo", *flags], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_the_demo_says_what_it_does_and_its_next_commands_work(demo_output):
    lines = demo_output.splitlines()
    assert "digits" in lines[0]
    order = ["compiling", "compiled in", "epoch 2/2", "Test accuracy", "report.html", "Next:"]
    places = [demo_output.index(word) for word in order]
    assert places == sorted(places)
    for word in ("Device", "Compile time", "Run time", "Parameters", "Best epoch", "±"):
        assert word in demo_output
    rerun = next(line for line in lines if "the same numbers again" in line).split(maxsplit=4)[4]
    done = subprocess.run([*shlex.split(rerun), "--quiet"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "runs/demo-2/report.html\n")
    first, second = (pathlib.Path("runs", name, "history.jsonl") for name in ("demo", "demo-2"))
    assert first.read_bytes() == second.read_bytes()


def test_bad_input_exits_2_with_one_line_on_standard_error():
    done = subprocess.run(
        [*PROGRAM, "train", "--data.source", "irs"], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1 and done.stderr.startswith("jaxopt-dl: data.source: ")
