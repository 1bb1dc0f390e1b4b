"""Ctrl-C while a run is under way: the first ends the training, saving is not cut short."""

import signal
import sys
import threading
from types import FrameType
from typing import Self


class Interrupts:
    """A context in which the first Ctrl-C is remembered in `pressed`, where the training asks.

    Nothing is raised then: an exception that lands in a callback of the garbage collector is
    lost with a trace. While results are saved, after it or after `hold`, one Ctrl-C only
    speaks; the next raises `KeyboardInterrupt`. After `raise_at_once` every one raises.
    """

    def __init__(self):
        self.pressed = False
        self._saving = False
        self._at_once = False
        self._warned = False
        self._before = None

    def __enter__(self) -> Self:
        # Where Ctrl-C is ignored (a job in the background) or handled by somebody, it stays so.
        here = threading.current_thread() is threading.main_thread()
        if here and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            self._before = signal.signal(signal.SIGINT, self._press)
        return self

    def __exit__(self, *error: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def hold(self) -> None:
        """Say that from here on results are saved."""
        self._saving = True

    def raise_at_once(self) -> None:
        """Say that there is nothing to save; raises if Ctrl-C came before.

        Said again at the end, it makes up for an exception that was lost on the way.
        """
        self._at_once = True
        if self.pressed:
            raise KeyboardInterrupt

    def _press(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        first, self.pressed = not self.pressed, True
        if self._at_once:
            raise KeyboardInterrupt
        if first and not self._saving:
            return
        if self._warned:
            raise KeyboardInterrupt
        self._warned = True
        print("saving what was reached; Ctrl-C once more gives it up", file=sys.stderr)
