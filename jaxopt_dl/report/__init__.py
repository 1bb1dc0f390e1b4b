"""One training run as one self-contained HTML page, from plain data; no training happens here."""

from ._page import render_page, write_page
from ._run_page import Example, RunPage
from ._schedule import plot_schedule

__all__ = ["Example", "RunPage", "plot_schedule", "render_page", "write_page"]
