"""The page itself: text in, one HTML file out."""

import functools
import json
import os
from collections.abc import Mapping
from typing import Any

from jaxopt_dl._core.errors import require
from jaxopt_dl._core.files import writable_file, write_atomically

from ._curves import learning_curves
from ._evidence import EXAMPLES_SHOWN, cards, class_rows, confusion, contact_sheet
from ._history import columns, csv_link, milestones, table
from ._run_page import RunPage
from ._text import capital, number, visible, words


def render_page(page: RunPage) -> str:
    r"""Write one run as a self-contained HTML page: readable offline, by phone and on paper.

    Nothing is fetched and nothing is executed: styles are inline, pictures are `data:` addresses,
    and a content security policy forbids the rest. The same `page` gives the same text with the
    same versions of the drawing packages.

    Args:
      page: the run.

    Returns:
      The HTML document. Every name and text of the run is escaped; characters that act instead
      of showing (controls, bidirectional overrides) are written as `\u....`.

    Raises:
      ModuleNotFoundError: if matplotlib or jinja2 is missing, with the command that installs it.

    Examples:
      >>> page = RunPage(
      ...     name="first", created="today", command="train", outcome="All epochs were run.",
      ...     history=[{"epoch": 1, "train_loss": 0.5}], best_epoch=1, monitored="train_loss",
      ...     summary=[("Device", "cpu")], config={"seed": 0}, versions={"jax": "0.10"}, seed=0,
      ... )
      >>> render_page(page)[:15]
      '<!doctype html>'
    """
    return _template().render(
        page=page,
        verdict=verdict(page),
        plots=learning_curves(page),
        rate_unknown=all(row.get("learning_rate") is None for row in page.history),
        confusion=confusion(page),
        class_rows=class_rows(page),
        cards=cards(page),
        contact_sheet=contact_sheet(page),
        examples_shown=EXAMPLES_SHOWN,
        milestones=milestones(page.history, page.best_epoch) if page.history else None,
        columns=[words(column) for column in columns(page.history)],
        rows=table(page.history, page.best_epoch),
        csv_link=csv_link(page.history),
        config=sections(page.config),
    )


def write_page(path: str | os.PathLike[str], page: RunPage) -> None:
    """Write the page of a run to a file, whole or not at all.

    A reader never sees half a page, and an interruption keeps the previous one.

    Args:
      path: the file, such as `runs/first/report.html`; its folder must exist.
      page: the run.

    Raises:
      ModuleNotFoundError: if matplotlib or jinja2 is missing, with the command that installs it.
      FileNotFoundError: if the folder does not exist.
      IsADirectoryError: if `path` is a folder.
      OSError: if the folder cannot be written or the disk is full.

    Examples:
      >>> import tempfile
      >>> page = RunPage(
      ...     name="first", created="today", command="train", outcome="All epochs were run.",
      ...     history=[], best_epoch=None, monitored="train_loss", summary=[], config={},
      ...     versions={}, seed=0,
      ... )
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     write_page(f"{folder}/report.html", page)
    """
    target = writable_file("write_page", path)
    write_atomically(target, [render_page(page).encode("utf-8")])


def verdict(page: RunPage) -> str:
    """Say in one sentence what was reached and when."""
    if not page.history:
        return "No epoch was finished."
    last = page.history[-1]["epoch"]
    epochs = "1 epoch" if last == 1 else f"{last} epochs"
    if page.best_epoch is None:
        return f"No best epoch was found in {epochs}."
    row = next(row for row in page.history if row["epoch"] == page.best_epoch)
    reached = f"{capital(words(page.monitored))} {number(row.get(page.monitored))}"
    if last == 1:
        return f"{reached} after 1 epoch."
    return f"{reached} at epoch {page.best_epoch}, the best of {epochs}."


def sections(config: Mapping[str, Any]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Split a nested configuration into `(section, [(dotted key, value)])`, loose keys first."""
    loose = [(key, _value(value)) for key, value in config.items() if not _nested(value)]
    nested = [(key, _flat(value)) for key, value in config.items() if _nested(value)]
    return [("", loose), *nested] if loose else nested


def _nested(value: Any) -> bool:
    return isinstance(value, Mapping) and len(value) > 0


def _flat(config: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    pairs = []
    for key, value in config.items():
        inner = _nested(value)
        pairs += _flat(value, f"{prefix}{key}.") if inner else [(f"{prefix}{key}", _value(value))]
    return pairs


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)


@functools.cache
def _template() -> Any:
    jinja2 = require("render_page", "jinja2", "app")
    markup = require("render_page", "markupsafe", "app").Markup
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("jaxopt_dl.report", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: value if isinstance(value, markup) else visible(value),
    )
    return environment.get_template("_page.html.jinja")
