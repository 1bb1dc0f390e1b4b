"""Write `reference/register.md` from `register.toml`: row, public name, test, page, status.

Run it from the repository root: `python docs/register.py`.
"""

import ast
import pathlib
import re
import tomllib
from typing import Any, NamedTuple

ROOT = pathlib.Path(__file__).resolve().parents[1]
TABLE = ROOT / "docs" / "register.toml"
TARGET = ROOT / "docs" / "reference" / "register.md"

HEAD = """# Register

Everything the library is held to, row by row: what it is called, the test that compares it with a
number from outside, the page that has it. `python docs/register.py` writes this page from
`docs/register.toml`, and a test fails when a row of a finished area lacks its name or its test.

| status | means |
|---|---|
| done | the names can be imported, and a test carries the id of the row |
| planned | an experiment will show it |
| doc | it asks for a page only, linked where it is written |
| open | not there yet |
"""


class Row(NamedTuple):
    """One row of the register.

    Attributes:
      id: such as `GD-01`.
      says: what it is, in a few words.
      names: public names, `package.name`.
      page: the page that has them or explains it, below `docs`.
      planned: what will show it.
      doc: whether a page is all it asks for.
      finished: whether its area is.
    """

    id: str
    says: str
    names: tuple[str, ...]
    page: str
    planned: str
    doc: bool
    finished: bool


def areas() -> dict[str, dict[str, Any]]:
    """Return the table as it is written."""
    return tomllib.loads(TABLE.read_text(encoding="utf-8"))


def rows_of(area: str, entry: dict[str, Any]) -> list[Row]:
    """Return the rows of one area, sorted."""
    return [
        Row(
            f"{area}-{number}",
            row["says"],
            tuple(row.get("names", ())),
            row["doc"] if "doc" in row else row.get("page", entry.get("page", "")),
            row.get("planned", ""),
            "doc" in row,
            entry.get("finished", False),
        )
        for number, row in sorted(entry.get("rows", {}).items())
    ]


def status(row: Row, tests: dict[str, list[str]]) -> str:
    """Return `done`, `planned ...`, `doc` or `open`."""
    if row.names:
        return "done" if tests.get(row.id) else "open"
    return f"planned {row.planned}" if row.planned else "doc" if row.doc else "open"


def tests_of_rows() -> dict[str, list[str]]:
    """Return row id -> the tests that mention it, as `tests/file.py::name`."""
    found: dict[str, list[str]] = {}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        if path.name == "test_register.py":
            continue
        source = path.read_text(encoding="utf-8")
        spans = _test_spans(source)
        for line, text in enumerate(source.splitlines(), start=1):
            name = next((name for name, first, last in spans if first <= line <= last), "")
            place = str(path.relative_to(ROOT)) + (f"::{name}" if name else "")
            for mention in _mentions(text):
                found.setdefault(mention, [])
                if place not in found[mention]:
                    found[mention].append(place)
    return found


def _mentions(text: str) -> list[str]:
    """Return the rows a line mentions: `GD-01`, or `act_01_03` for two of an area."""
    pairs = re.findall(r"(?<![A-Za-z])([A-Za-z]{2,5})((?:[-_]\d\d(?!\d))+)", text)
    return [f"{area.upper()}-{n}" for area, numbers in pairs for n in re.findall(r"\d\d", numbers)]


def _test_spans(source: str) -> list[tuple[str, int, int]]:
    """Return name, first and last line of every test, its decorators included."""
    spans = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            spans.append((node.name, first, node.end_lineno or node.lineno))
    return spans


def write() -> str:
    """Return the page."""
    tests = tests_of_rows()
    parts = [HEAD]
    for area, entry in areas().items():
        parts.append(f"## {area}: {entry['title']}\n")
        rows = rows_of(area, entry)
        if not entry.get("finished"):
            parts.append("Open; what is there already:\n" if rows else "Open.\n")
        if rows:
            parts.append("| row | what | names | test | page | status |\n|---|---|---|---|---|---|")
            parts.append("\n".join(_line(row, tests) for row in rows) + "\n")
    return "\n".join(parts)


def _line(row: Row, tests: dict[str, list[str]]) -> str:
    names = ", ".join(f"`{name}`" for name in row.names)
    places = tests.get(row.id, []) if row.names else []
    test = f"`{places[0]}`" if places else ""
    title = row.page.rpartition("/")[2].removesuffix(".md")
    page = f"[{title}](../{row.page})" if row.page and not row.planned else ""
    return f"| {row.id} | {row.says} | {names} | {test} | {page} | {status(row, tests)} |"


if __name__ == "__main__":
    TARGET.write_text(write(), encoding="utf-8")
