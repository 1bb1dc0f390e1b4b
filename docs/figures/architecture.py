"""Draw `architecture.svg` from the floor table of the architecture test.

Run it from the repository root: `python docs/figures/architecture.py`.
"""

import ast
import pathlib
import re
import textwrap
from collections.abc import Iterator

ROOT = pathlib.Path(__file__).resolve().parents[2]
TARGET = pathlib.Path(__file__).with_suffix(".svg")

WIDTH, MARGIN, GAP = 720, 12, 10
LABEL = 52
COLUMNS = 3
LINE = 16
CHARACTER = 7.3
"""Width a character of the small text may take."""

# Cards bring their own ground, so that the picture reads on a light page and on a dark one.
STYLE = """
  .floor { fill: #2d6a8e; } .ground { fill: #47555f; } .top { fill: #6b4a86; }
  text { font-family: system-ui, sans-serif; fill: #fff; }
  .name { font-size: 17px; font-weight: 600; } .says { font-size: 12.5px; }
  .level { font-size: 17px; font-weight: 600; fill: #7d8a94; }
  path { stroke: #7d8a94; stroke-width: 2; fill: none; }
"""


def floors() -> dict[str, int]:
    """Return the table `package -> floor` that the test holds the code to."""
    tree = ast.parse((ROOT / "tests" / "test_architecture.py").read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "FLOORS":
            return ast.literal_eval(node.value)
    raise LookupError("tests/test_architecture.py has no table FLOORS")


def summary(package: str, width: float) -> list[str]:
    """Return how a package's docstring begins, wrapped to a card of this width."""
    source = (ROOT / "jaxopt_dl" / package / "__init__.py").read_text(encoding="utf-8")
    doc = ast.get_docstring(ast.parse(source)) or ""
    sentence = re.split(r"[.;]( |$)", " ".join(doc.split()))[0]
    return textwrap.wrap(sentence.replace("`", ""), int((width - 24) / CHARACTER))


def rows(table: dict[str, int]) -> Iterator[tuple[int, list[str]]]:
    """Yield floors from the top with at most `COLUMNS` packages each."""
    for floor in sorted(set(table.values()), reverse=True):
        names = [name for name, at in table.items() if at == floor]
        for start in range(0, len(names), COLUMNS):
            yield floor, names[start : start + COLUMNS]


def card(name: str, floor: int, x: float, y: float, width: float, height: float) -> list[str]:
    """Return one package as a box with its name and what it says of itself."""
    kind = "ground" if floor == 0 else "floor" if floor <= 2 else "top"
    lines = [
        f'<rect class="{kind}" x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="8"/>',
        f'<text class="name" x="{x + 12:g}" y="{y + 24:g}">{name}</text>',
    ]
    for number, text in enumerate(summary(name, width)):
        top = y + 44 + number * LINE
        lines.append(f'<text class="says" x="{x + 12:g}" y="{top:g}">{text}</text>')
    return lines


def draw() -> str:
    """Return the whole picture as SVG."""
    body, y, last = [], float(MARGIN), None
    for floor, names in rows(floors()):
        inner = WIDTH - LABEL - MARGIN
        width = (inner - GAP * (len(names) - 1)) / len(names)
        height = 44 + LINE * max(len(summary(name, width)) for name in names)
        if floor != last:
            body.append(f'<text class="level" x="30" y="{y + 24:g}">{floor}</text>')
        for index, name in enumerate(names):
            body += card(name, floor, LABEL + index * (width + GAP), y, width, height)
        y, last = y + height + GAP, floor
    bottom = y - GAP
    body.append(f'<path d="M14 {MARGIN} V{bottom:g} m-6 -9 l6 9 l6 -9"/>')
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {bottom + MARGIN:g}" '
            'role="img" aria-label="The floors of jaxopt_dl; imports point down">',
            f"<style>{STYLE}</style>",
            *body,
            "</svg>\n",
        ]
    )


if __name__ == "__main__":
    TARGET.write_text(draw(), encoding="utf-8")
