"""Tells a waiting person that a long check is alive."""

import sys
import time
from collections.abc import Callable

QUIET_FOR = 3.0
"""Seconds before anything is said."""
PAUSE_ON_TERMINAL = 0.5
PAUSE_ELSEWHERE = 10.0


def reporter(progress: bool | str) -> Callable[[int], None]:
    """Return a function of the number of evaluations done so far.

    Args:
      progress: True, False, or "auto" (only when standard error is a terminal).
    """
    if progress is False or (progress == "auto" and not sys.stderr.isatty()):
        return lambda done: None
    pause, end = (PAUSE_ON_TERMINAL, "\r") if sys.stderr.isatty() else (PAUSE_ELSEWHERE, "\n")
    start = time.monotonic()
    last = [start]

    def report(done: int) -> None:
        now = time.monotonic()
        if now - start > QUIET_FOR and now - last[0] > pause:
            last[0] = now
            text = f"check_gradients: {done:,} evaluations in {now - start:.0f} s"
            print(text, end=end, file=sys.stderr, flush=True)

    return report
