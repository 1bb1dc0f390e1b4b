"""Tells a waiting person that a long check is alive."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator

QUIET_FOR = 3.0
"""Seconds before anything is said."""
PAUSE_ON_TERMINAL = 0.5
PAUSE_ELSEWHERE = 10.0
ERASE = "\r\033[K"


@contextlib.contextmanager
def reporting(progress: bool | str) -> Iterator[Callable[[int], None]]:
    """Yield a function to be told how many evaluations are done, in all so far.

    On a terminal it keeps one line up to date, and erases it in the end, whatever happened;
    elsewhere it writes a line now and then.

    Args:
      progress: True, False, or "auto" (only when standard error is a terminal).
    """
    terminal = sys.stderr.isatty()
    if progress is False or (progress == "auto" and not terminal):
        yield lambda done: None
        return
    pause = PAUSE_ON_TERMINAL if terminal else PAUSE_ELSEWHERE
    begin, end = (ERASE, "") if terminal else ("", "\n")
    start = time.monotonic()
    last = start

    def report(done: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - start > QUIET_FOR and now - last > pause:
            last = now
            text = f"check_gradients: {done:,} evaluations in {now - start:.0f} s"
            print(begin + text, end=end, file=sys.stderr, flush=True)

    try:
        yield report
    finally:
        if terminal and last > start:
            print(ERASE, end="", file=sys.stderr, flush=True)
