"""From a matplotlib figure to an SVG fragment that belongs in the page.

Matplotlib is used without pyplot and without lasting settings. Text stays text, so it takes the
page's font; colors become the page's, so figures follow light, dark and print.
"""

import contextlib
import io
import re
import warnings
from collections.abc import Callable, Iterator
from typing import Any
from xml.etree import ElementTree

from jaxopt_dl._core.errors import require

# Matplotlib knows only fixed colors: these stand for the roles the style sheet gives a color.
INK, QUIET, RULE, FIRST, SECOND = "#010203", "#010204", "#010205", "#010206", "#010207"
_ROLES = {
    INK: "currentColor",
    QUIET: "var(--quiet)",
    RULE: "var(--rule)",
    FIRST: "var(--first)",
    SECOND: "var(--second)",
}
_STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "jaxopt_dl",
    "text.parse_math": False,
    "font.family": "DejaVu Sans",
    "font.size": 11.0,
    "axes.labelsize": 11.0,
    "xtick.labelsize": 11.0,
    "ytick.labelsize": 11.0,
    "legend.fontsize": 11.0,
    "text.color": INK,
    "axes.labelcolor": QUIET,
    "axes.edgecolor": RULE,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "grid.color": RULE,
    "grid.linewidth": 0.8,
    "xtick.color": RULE,
    "ytick.color": RULE,
    "xtick.labelcolor": QUIET,
    "ytick.labelcolor": QUIET,
    "lines.linewidth": 1.8,
    "lines.solid_joinstyle": "round",
    "figure.constrained_layout.h_pad": 0.02,
    "figure.constrained_layout.w_pad": 0.02,
}


def draw(
    paint: Callable[[Any], None], *, size: tuple[float, float], prefix: str, description: str
) -> str:
    """Let `paint(figure)` draw on an empty figure and return it as an `<svg>` element.

    Args:
      paint: draws on a matplotlib `Figure` it is given.
      size: width and height of the view box, in its own units; text is 11 of them high.
      prefix: put before every id, so that figures of one page cannot clash.
      description: the text alternative.

    Returns:
      Markup without ids of its own making, metadata, style sheets or scripts. The same drawing
      gives the same text.
    """
    figures = require("render_page", "matplotlib.figure", "app")
    buffer = io.StringIO()
    with _settings():
        figure = figures.Figure(figsize=(size[0] / 72, size[1] / 72), layout="constrained")
        paint(figure)
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return _fragment(buffer.getvalue(), prefix, description)


@contextlib.contextmanager
def _settings() -> Iterator[None]:
    matplotlib = require("render_page", "matplotlib", "app")
    with matplotlib.rc_context(), warnings.catch_warnings():
        # The browser has the glyph even where matplotlib's own font, used to measure, has not.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)
        yield


def _fragment(source: str, prefix: str, description: str) -> str:
    root = ElementTree.fromstring(source)
    for parent in root.iter():
        for child in [c for c in parent if _local(c.tag) in ("metadata", "style")]:
            parent.remove(child)
    used = set(re.findall(r"""["(]#([\w.-]+)""", source))
    for element in root.iter():
        _rewrite(element, prefix, used)
    box = root.attrib["viewBox"]
    root.attrib.clear()
    root.attrib.update({"viewBox": box, "role": "img", "aria-label": description})
    return ElementTree.tostring(root, encoding="unicode")


def _rewrite(element: ElementTree.Element, prefix: str, used: set[str]) -> None:
    element.tag = _local(element.tag)
    element.tail = None
    if element.tag != "text":
        element.text = None
    attributes = {_local(name): value for name, value in element.attrib.items()}
    element.attrib.clear()
    for name, value in attributes.items():
        if name == "id" and value not in used:
            continue
        element.attrib[name] = _attribute(name, value, prefix)


def _attribute(name: str, value: str, prefix: str) -> str:
    if name == "id":
        return prefix + value
    if name == "style":
        value = re.sub(r"font-family: [^;]*(; )?", "", value)
        return re.sub("#[0-9a-f]{6}", lambda found: _ROLES.get(found[0], found[0]), value)
    if value.startswith("data:"):
        return "".join(value.split())
    value = re.sub("^#", f"#{prefix}", value).replace("url(#", f"url(#{prefix}")
    return " ".join(value.split())


def _local(name: str) -> str:
    return name.rpartition("}")[2]
