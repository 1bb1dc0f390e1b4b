"""What a waiting person sees on standard error."""

import io
import sys

import numpy as np
import pytest

from jaxopt_dl.gradcheck import _progress
from jaxopt_dl.gradcheck._evaluate import HostEvaluator, Moves
from jaxopt_dl.gradcheck._progress import ERASE, reporting


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(_progress, "QUIET_FOR", -1.0)
    monkeypatch.setattr(_progress, "PAUSE_ELSEWHERE", -1.0)
    monkeypatch.setattr(_progress, "PAUSE_ON_TERMINAL", -1.0)


def told(monkeypatch, stream: io.StringIO, progress: bool | str, *counts: int) -> str:
    monkeypatch.setattr(sys, "stderr", stream)
    with reporting(progress) as report:
        for count in counts:
            report(count)
    return stream.getvalue()


def test_a_short_check_says_nothing(monkeypatch):
    assert told(monkeypatch, Terminal(), True, 10, 20) == ""


@pytest.mark.usefixtures("impatient")
def test_elsewhere_than_on_a_terminal_lines_come_only_if_asked_for(monkeypatch):
    assert told(monkeypatch, io.StringIO(), "auto", 10) == ""
    line = told(monkeypatch, io.StringIO(), True, 1234)
    assert line == "check_gradients: 1,234 evaluations in 0 s\n"


@pytest.mark.usefixtures("impatient")
def test_a_terminal_is_left_alone_if_asked_for(monkeypatch):
    assert told(monkeypatch, Terminal(), False, 10) == ""


@pytest.mark.usefixtures("impatient")
def test_a_terminal_shows_one_line_that_is_erased_in_the_end(monkeypatch):
    shown = told(monkeypatch, Terminal(), "auto", 10, 2000)
    assert shown.split(ERASE) == [
        "",
        "check_gradients: 10 evaluations in 0 s",
        "check_gradients: 2,000 evaluations in 0 s",
        "",
    ]


@pytest.mark.usefixtures("impatient")
def test_the_line_is_erased_after_ctrl_c_as_well(monkeypatch):
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    with pytest.raises(KeyboardInterrupt), reporting("auto") as report:
        report(10)
        raise KeyboardInterrupt
    assert screen.getvalue().endswith(ERASE)


def test_a_slow_function_on_the_host_is_reported_value_by_value():
    counts = []
    evaluator = HostEvaluator(np.sum, counts.append)
    first = np.arange(3)
    evaluator.values(np.ones(3), np.ones(3), Moves(first, first + 1, np.ones(3)))
    assert counts == [1, 2, 3]
