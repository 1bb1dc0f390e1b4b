"""Ctrl-C while a run is under way: the first ends the training, saving is not cut short."""

import signal
import sys
import threading
from types import FrameType
from typing import Self

GIVE_UP = 3


class Interrupts:
    """A context in which the first Ctrl-C raises `KeyboardInterrupt`, and the next only speaks.

    After `hold` none raises, so that results reach the disk; the third always does.
    """

    def __init__(self):
        self._held = False
        self._presses = 0
        self._before = None

    def __enter__(self) -> Self:
        # Where Ctrl-C is ignored (a job in the background) or handled by somebody, it stays so.
        here = threading.current_thread() is threading.main_thread()
        if here and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            self._before = signal.signal(signal.SIGINT, self._pressed)
        return self

    def __exit__(self, *error: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def hold(self) -> None:
        """Stop raising: from here on results are written."""
        self._held = True

    def _pressed(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self._presses += 1
        if self._presses >= GIVE_UP or (self._presses == 1 and not self._held):
            raise KeyboardInterrupt
        print("saving what was reached; Ctrl-C once more gives it up", file=sys.stderr)
