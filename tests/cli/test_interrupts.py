"""Ctrl-C, sent to this very process."""

import gc
import os
import signal

import pytest

from jaxopt_dl.cli._interrupts import Interrupts


def press() -> None:
    os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture(autouse=True)
def usual_handler():
    """Start from Python's own handler, and check that it is back in the end."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    # An exception raised in somebody's callback of the collector would be lost.
    gc.disable()
    yield
    gc.enable()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    signal.signal(signal.SIGINT, before)


def test_the_first_is_remembered_for_the_training_to_ask(capsys):
    with Interrupts() as interrupts:
        assert not interrupts.pressed
        press()
        assert interrupts.pressed
    assert capsys.readouterr().err == ""


def test_the_second_only_speaks(capsys):
    with Interrupts():
        press()
        press()
    assert "saving what was reached" in capsys.readouterr().err


def test_while_saving_the_first_only_speaks_too(capsys):
    with Interrupts() as interrupts:
        interrupts.hold()
        press()
    assert "saving what was reached" in capsys.readouterr().err


@pytest.mark.parametrize("held", [True, False])
def test_the_one_after_the_warning_gives_up(held, capsys):
    with Interrupts() as interrupts:
        if held:
            interrupts.hold()
        else:
            press()
        press()
        assert "once more" in capsys.readouterr().err
        with pytest.raises(KeyboardInterrupt):
            press()


def test_where_nothing_needs_saving_the_first_raises():
    with Interrupts() as interrupts:
        interrupts.raise_at_once()
        with pytest.raises(KeyboardInterrupt):
            press()


def test_one_that_came_before_or_was_lost_raises_when_it_is_asked_for():
    with Interrupts() as interrupts:
        press()
        with pytest.raises(KeyboardInterrupt):
            interrupts.raise_at_once()


def test_where_ctrl_c_is_ignored_it_stays_so():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with Interrupts():
        press()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    signal.signal(signal.SIGINT, signal.default_int_handler)
