"""`check-grads`: cases that can and cannot be checked, what is printed, exit codes, Ctrl-C."""

import json
import os
import pathlib
import signal
import subprocess
import sys

import pytest

from jaxopt_dl.cli import main
from jaxopt_dl.cli._flags import parse_check
from jaxopt_dl.gradcheck import _progress

CASES = """
import sys, time
import jax.numpy as jnp
import numpy as np

def loss(p):
    return jnp.sum(jnp.sin(p["w"]))

def right():
    return loss, {"w": jnp.arange(3.0)}

def wrong():
    print("made")
    return {"function": jnp.sum, "params": jnp.ones(2), "gradient": lambda x: 2 * x}

def undecided():
    return {"function": lambda x: float(x + 10 * np.sin(1e13 * x)), "params": 1.0,
            "gradient": lambda x: np.ones_like(x)}

def two_of_three():
    return {"function": loss, "params": {"w": jnp.arange(3.0)}, "components": 2, "points": ()}

def slow():
    def wait(x):
        print("evaluating", flush=True)
        time.sleep(0.05)
        return float(np.sum(np.asarray(x)))
    return {"function": wait, "params": np.ones(4000), "gradient": np.ones_like}

def infinite():
    return lambda x: jnp.sum(jnp.log(x)), jnp.zeros(2)

def needs(x, y=1):
    return loss, x

def nothing():
    pass

def triple():
    return loss, {}, ()

def swapped():
    return {}, loss

async def waits():
    return loss, {}

class Shrug(BaseException):
    pass

def shrugs():
    raise Shrug

def branches():
    return lambda x: x if x > 0 else -x, 1.0

def half():
    return {"function": loss}

def misspelled():
    return {"function": loss, "params": {"w": jnp.ones(1)}, "gradeint": None}

def raises():
    return 1 / 0

def leaves():
    sys.exit(0)

def inside():
    return lambda x: jnp.ones(2) @ jnp.ones(3), 1.0

def integers():
    return lambda x: 1.0, {"w": 3}

number = 3
"""


@pytest.fixture(autouse=True)
def cases(monkeypatch):
    """Write cases.py into the current folder, and forget what was imported from another one."""
    pathlib.Path("cases.py").write_text(CASES)
    pathlib.Path("broken.py").write_text("import not_installed_anywhere")
    for name in ("cases", "broken"):
        monkeypatch.delitem(sys.modules, name, raising=False)


@pytest.mark.parametrize(
    ("case", "code", "verdict"),
    [("right", 0, "PASS"), ("wrong", 1, "FAIL"), ("undecided", 3, "INCONCLUSIVE")],
)
def test_the_verdict_is_printed_and_is_the_exit_code(case, code, verdict, capsys):
    assert main(["check-grads", f"cases:{case}"]) == code
    output = capsys.readouterr().out
    assert output.startswith(f"gradient check: {verdict} - ")
    assert "Compared: " in output


def test_standard_output_holds_the_report_alone(capsys):
    main(["check-grads", "cases:wrong"])
    output = capsys.readouterr()
    assert "made" not in output.out and "made" in output.err


def test_the_cause_is_named_with_file_and_line(capsys):
    main(["check-grads", "cases:wrong"])
    line = 1 + CASES[: CASES.index("lambda x: 2 * x")].count("\n")
    assert f"cases.py:{line}" in capsys.readouterr().out


def test_json_is_the_whole_report(capsys):
    assert main(["check-grads", "cases:wrong", "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["verdict"] == "fail"
    assert report["leaves"][0]["wrong"] == [[0], [1]]
    assert report["causes"][0]["kind"] == "gradient"


def test_json_has_null_for_what_is_not_finite(capsys):
    main(["check-grads", "cases:infinite", "--json"])
    text = capsys.readouterr().out
    assert "NaN" not in text and "Infinity" not in text
    assert json.loads(text)["relative_error"] is None


def test_quiet_prints_the_verdict_alone(capsys):
    assert main(["check-grads", "cases:wrong", "--quiet"]) == 1
    output = capsys.readouterr().out
    assert output.startswith("gradient check: FAIL") and output.count("\n") == 1


def checked(capsys, *arguments: str) -> dict:
    main(["check-grads", *arguments, "--json"])
    return json.loads(capsys.readouterr().out)["coverage"]


def test_options_of_the_case_hold(capsys):
    coverage = checked(capsys, "cases:two_of_three")
    assert (coverage["components"], coverage["points"]) == (2, ["given"])


def test_flags_win_over_the_case(capsys):
    assert checked(capsys, "cases:two_of_three", "--components", "1")["components"] == 1
    assert checked(capsys, "cases:two_of_three", "--components", "all")["components"] == 3
    assert checked(capsys, "cases:wrong", "--points", "given")["points"] == ["given"]


def test_flags_that_are_not_given_are_left_to_the_case():
    flags = parse_check(["cases:right"])
    assert (flags.components, flags.points, flags.seed) == (None, None, None)


def test_a_long_check_says_how_far_it_is(capsys, monkeypatch):
    monkeypatch.setattr(_progress, "QUIET_FOR", 0.0)
    monkeypatch.setattr(_progress, "PAUSE_ELSEWHERE", 0.0)
    main(["check-grads", "cases:right"])
    assert "evaluations in" in capsys.readouterr().err
    main(["check-grads", "cases:right", "--quiet"])
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("cases", "must have the form module:function, got cases. Write module:function"),
        (":right", "must have the form"),
        ("cases:", "must have the form"),
        ("cases.py:right", "Write cases:right."),
        ("./some/cases.py:right", "Write some.cases:right."),
        ("case:right", "got 'case', which was not found. Did you mean 'cases'?"),
        ("nowhere.at.all:right", "'nowhere', which was not found. It must lie"),
        ("cases.more:right", "'cases.more', which was not found"),
        ("broken:right", "broken raised ModuleNotFoundError: No module named 'not_installed"),
        ("cases:rihgt", "got 'rihgt', which cases does not have. Did you mean 'right'?"),
        ("cases:xyzzy", "got 'xyzzy', which cases does not have. Write module:function"),
        ("cases:number", "must be a function, got 'number', which is of type int"),
        ("cases:needs", "must take no arguments, got needs(x)"),
        ("cases:nothing", "returned something of type NoneType. Return (function, params)"),
        ("cases:triple", "returned a tuple of function, dict, tuple. Return (function, params)"),
        ("cases:swapped", "returned a tuple of dict, function"),
        ("cases:waits", "returned something of type coroutine"),
        ("cases:shrugs", "cases:shrugs raised Shrug (`--debug`"),
        ("", "must have the form module:function, got nothing"),
        (".cases:right", "must name a module by its full name, got .cases:right. Write cases:"),
        ("cases:branches", "cases:branches: check_gradients: the function must be traceable by"),
        ("cases:half", "returned a dict without 'params'"),
        ("cases:misspelled", "a dict with 'gradeint'. Did you mean 'gradient'?"),
        ("cases:raises", "cases:raises raised ZeroDivisionError: division by zero"),
        ("cases:leaves", "cases:leaves raised SystemExit: 0"),
        ("cases:inside", "cases:inside raised TypeError: dot_general"),
        ("cases:integers", "cases:integers: check_gradients: "),
    ],
)
def test_what_cannot_be_checked_is_refused_in_one_line(name, words, refused):
    assert words in refused("check-grads", name)


def test_a_flag_out_of_range_is_refused(refused):
    words = "check_gradients: `components` must be at least 1, got 0"
    assert words in refused("check-grads", "cases:right", "--components", "0")


@pytest.mark.parametrize("arguments", [[], ["cases:right", "--components", "some"], ["--jsn"]])
def test_wrong_flags_exit_2(arguments, capsys):
    assert main(["check-grads", *arguments]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_debug_shows_where_the_case_raised(capsys):
    assert main(["check-grads", "cases:raises", "--debug"]) == 2
    error = capsys.readouterr().err
    assert "return 1 / 0" in error and "Traceback" in error


def test_the_import_path_is_as_before_afterwards():
    before = list(sys.path)
    main(["check-grads", "cases:right", "--quiet"])
    main(["check-grads", "cases:raises"])
    assert sys.path == before


def test_ctrl_c_ends_a_check_with_130_and_one_line():
    hearing = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler);"
        "from jaxopt_dl.cli import main; sys.exit(main())"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", hearing, "check-grads", "cases:slow"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert process.stderr is not None
    try:
        next(line for line in process.stderr if "evaluating" in line)
        process.send_signal(signal.SIGINT)
        output, error = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert output == "" and "Traceback" not in error
    assert error.endswith("jaxopt-dl: interrupted; the gradient was not checked.\n")
