"""Write `reference/register.md` from `register.toml`: row, names, oracle, test, page, status.

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

Everything the library is held to, row by row: what it is called, the numbers from outside it has
to give, the tests that compare it with them, the page that has it. `python docs/register.py` writes
this page from `docs/register.toml`. A test fails when a row of a finished area lacks a name, when
no test function carries the id of the row, or when its numbers are not in those tests.

| status | means |
|---|---|
| done | the names can be imported, and tests that carry the id check the oracle |
| planned | an experiment will show it |
| doc | it asks for a page only, linked where it is written |
| open | not there yet |
"""

RULER = "\n" + "|---" * 7 + "|"


class Row(NamedTuple):
    """One row of the register.

    Attributes:
      id: such as `GD-01`.
      says: what it is, in a few words.
      names: public names, `package.name`, with the options the row is about: `optim.ema(debias=)`.
      oracle: what the tests of the row must hold, word for word: numbers from outside, as a rule.
      page: the page that has them or explains it, below `docs`, and its heading.
      planned: what will show it.
      doc: whether a page is all it asks for.
      note: a correction of the source.
      finished: whether its area is.
    """

    id: str
    says: str
    names: tuple[str, ...]
    oracle: tuple[str, ...]
    page: str
    planned: str
    doc: bool
    note: str
    finished: bool


class Test(NamedTuple):
    """A test function that carries the id of a row in its name or its docstring.

    Attributes:
      place: `tests/file.py::name`.
      source: its text, decorators included.
    """

    place: str
    source: str


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
            tuple(row.get("oracle", ())),
            row["doc"] if "doc" in row else row.get("page", entry.get("page", "")),
            row.get("planned", ""),
            "doc" in row,
            row.get("note", ""),
            entry.get("finished", False),
        )
        for number, row in sorted(entry.get("rows", {}).items())
    ]


def status(row: Row, tests: dict[str, list[Test]]) -> str:
    """Return `done`, `planned ...`, `doc` or `open`."""
    if row.names:
        return "done" if proofs(row, tests) and not missing(row, tests) else "open"
    planned = f"planned {row.planned}" if row.planned else ""
    return ", ".join(filter(None, (planned, "doc" if row.doc else ""))) or "open"


def proofs(row: Row, tests: dict[str, list[Test]]) -> list[Test]:
    """Return the tests of a row that hold one of its numbers."""
    return [t for t in tests.get(row.id, []) if any(holds(t.source, text) for text in row.oracle)]


def missing(row: Row, tests: dict[str, list[Test]]) -> list[str]:
    """Return the parts of the oracle that no test of the row holds."""
    sources = [test.source for test in tests.get(row.id, [])]
    return [text for text in row.oracle if not any(holds(source, text) for source in sources)]


def holds(source: str, text: str) -> bool:
    """Return whether a test holds a text; a number must not be a part of a longer one."""
    words = r"\s*".join(map(re.escape, text.split()))
    return re.search(rf"(?<!\w)(?<!\d\.){words}(?!\w|\.\d)", source) is not None


def tests_of_rows() -> dict[str, list[Test]]:
    """Return row id -> the tests that carry it in their name or docstring."""
    found: dict[str, list[Test]] = {}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        text = path.read_text(encoding="utf-8")
        for function in ast.walk(ast.parse(text)):
            if isinstance(function, ast.FunctionDef) and function.name.startswith("test_"):
                test = Test(f"{path.relative_to(ROOT)}::{function.name}", _source(text, function))
                for row in _carried(f"{function.name} {ast.get_docstring(function) or ''}"):
                    found.setdefault(row, []).append(test)
    return found


def _carried(text: str) -> list[str]:
    """Return the rows a name or a sentence carries: `GD-01`, or `act_01_03` for two of an area."""
    pairs = re.findall(r"(?<![A-Za-z])([A-Za-z]{2,5})((?:[-_]\d\d(?!\d))+)", text)
    named = [f"{area.upper()}-{n}" for area, numbers in pairs for n in re.findall(r"\d\d", numbers)]
    return list(dict.fromkeys(named))


def _source(text: str, function: ast.FunctionDef) -> str:
    first = min([function.lineno, *(d.lineno for d in function.decorator_list)])
    return "\n".join(text.splitlines()[first - 1 : function.end_lineno])


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
            parts.append("| row | what | names | oracle | tests | page | status |" + RULER)
            parts.append("\n".join(_line(row, tests) for row in rows) + "\n")
    return "\n".join(parts)


def _line(row: Row, tests: dict[str, list[Test]]) -> str:
    says = f"{row.says} ({row.note})" if row.note else row.says
    places = _listed(test.place for test in proofs(row, tests)) if row.names else ""
    file, _, anchor = row.page.partition("#")
    title = file.rpartition("/")[2].removesuffix(".md")
    shown = row.page and (row.names or row.doc)
    page = f"[{title}](../{file}{'#' * bool(anchor)}{anchor})" if shown else ""
    cells = (row.id, says, _listed(row.names), _listed(row.oracle), places, page)
    return f"| {' | '.join(cells)} | {status(row, tests)} |"


def _listed(texts: Any) -> str:
    return ", ".join(f"`{text}`" for text in texts)


if __name__ == "__main__":
    TARGET.write_text(write(), encoding="utf-8")
