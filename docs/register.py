"""Write `reference/register.md` from `register.toml`: row, names, oracle, tests, page, status.

Run it from the repository root: `python docs/register.py`.
"""

import ast
import collections
import json
import pathlib
import re
import tomllib
from typing import Any, NamedTuple

ROOT = pathlib.Path(__file__).resolve().parents[1]
TABLE = ROOT / "docs" / "register.toml"
TARGET = ROOT / "docs" / "reference" / "register.md"
RESULTS = ROOT / "docs" / "experiments"

HEAD = """# Register

Everything the library is held to, row by row: what it is called, the numbers from outside it has
to give, the tests that compare it with them, the page that has it. `python docs/register.py` writes
this page from `docs/register.toml`. A test fails when a row of a finished area lacks a name, when
no test function carries the id of the row, or when its numbers are not in those tests.

| status | means |
|---|---|
| done | the names can be imported, and tests that carry the id check the oracle |
| shown | an experiment has measured it, or a page has the picture; linked |
| planned | an experiment will measure it |
| computed | a page tells it and computes it; its code runs in the tests |
| doc | a page tells it, linked where it is written |
| open | not there yet |

"""

STATUSES = ("done", "shown", "planned", "computed", "doc", "open")
KINDS = {"Q": "review questions", "PIC": "pictures", "E": "errata"}
"""What the rows of an area are, where they are not systems: techniques, formulas, rules."""

RULER = "\n" + "|---" * 7 + "|"


class Row(NamedTuple):
    """One row of the register.

    Attributes:
      id: such as `GD-01`.
      says: what it is, in a few words.
      names: public names, `package.name`, with the options the row is about: `optim.ema(debias=)`.
      oracle: what the tests of the row must hold, word for word: numbers from outside, as a rule.
      page: the page that has them or explains it, below `docs`, and its heading.
      experiments: those that show it, or will.
      doc: whether a page is all it asks for.
      note: a correction of the source.
      finished: whether its area is.
    """

    id: str
    says: str
    names: tuple[str, ...]
    oracle: tuple[str, ...]
    page: str
    experiments: tuple[str, ...]
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
            tuple(filter(None, row.get("planned", "").split(", "))),
            "doc" in row,
            row.get("note", ""),
            entry.get("finished", False),
        )
        for number, row in sorted(entry.get("rows", {}).items())
    ]


def status(row: Row, tests: dict[str, list[Test]]) -> str:
    """Return what the page says of a row; the first word is one of `STATUSES`."""
    if row.names:
        return "done" if proofs(row, tests) and not missing(row, tests) else "open"
    there = [name for name in row.experiments if title(name)]
    ahead = [name for name in row.experiments if name not in there]
    parts = [f"shown {', '.join(there)}"] if there else []
    parts += [f"planned {', '.join(ahead)}"] if ahead else []
    if row.doc:
        parts.append("shown" if is_drawn(row) else "computed" if is_computed(row) else "doc")
    return ", ".join(parts) or "open"


def title(experiment: str) -> str:
    """Return what an experiment is called, or "" if it has no results yet."""
    path = RESULTS / f"{experiment}.json"
    return json.loads(path.read_text(encoding="utf-8"))["title"] if path.exists() else ""


def is_drawn(row: Row) -> bool:
    """Return whether its page has a picture named after the row."""
    return f"/{row.id}.svg)" in (ROOT / "docs" / row.page.partition("#")[0]).read_text("utf-8")


def is_computed(row: Row) -> bool:
    """Return whether the row has a heading of its own on its page, and code under it."""
    file, _, anchor = row.page.partition("#")
    if not anchor.startswith(f"{row.id.lower()}-"):
        return False
    text = (ROOT / "docs" / file).read_text(encoding="utf-8")
    sections = re.split(r"^#+ (?=.*\n)", text, flags=re.MULTILINE)
    return any(slug(part.partition("\n")[0]) == anchor and "```python" in part for part in sections)


def slug(heading: str) -> str:
    """Return the anchor of a heading."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


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
    tests, table = tests_of_rows(), areas()
    rows = {area: rows_of(area, entry) for area, entry in table.items()}
    parts = [HEAD + _summary(rows, tests)]
    for area, entry in table.items():
        parts.append(f"## {area}: {entry['title']}\n")
        parts.append("| row | what | names | oracle | tests | page | status |" + RULER)
        parts.append("\n".join(_line(row, tests) for row in rows[area]) + "\n")
    return "\n".join(parts)


def _summary(rows: dict[str, list[Row]], tests: dict[str, list[Test]]) -> str:
    """Return how many rows there are of each kind, and of each status in each area."""
    kinds = collections.Counter({"systems": 0})
    for area, listed in rows.items():
        kinds[KINDS.get(area, "systems")] += len(listed)
    counted = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
    lines = [f"There are {kinds.total()} rows: {counted}.\n"]
    lines.append(f"| area | rows | {' | '.join(STATUSES)} |\n" + "|---" * (2 + len(STATUSES)) + "|")
    lines += [_counts(area, listed, tests) for area, listed in rows.items()]
    lines.append(_counts("all", [row for listed in rows.values() for row in listed], tests))
    return "\n".join(lines) + "\n"


def _counts(name: str, rows: list[Row], tests: dict[str, list[Test]]) -> str:
    found = collections.Counter(status(row, tests).split()[0].strip(",") for row in rows)
    cells = [str(found[word] or "") for word in STATUSES]
    return f"| {name} | {len(rows)} | {' | '.join(cells)} |"


def _line(row: Row, tests: dict[str, list[Test]]) -> str:
    says = f"{row.says} ({row.note})" if row.note else row.says
    places = _listed(test.place for test in proofs(row, tests)) if row.names else ""
    cells = (row.id, says, _listed(row.names), _listed(row.oracle), places, _pages(row))
    return f"| {' | '.join(cells)} | {status(row, tests)} |"


def _pages(row: Row) -> str:
    file, _, anchor = row.page.partition("#")
    name = file.rpartition("/")[2].removesuffix(".md")
    links = [f"[{name}](../{file}{'#' * bool(anchor)}{anchor})"] if row.names or row.doc else []
    links += [
        f"[{name}](../experiments/index.md#{slug(f'{name}: {title(name)}')})"
        for name in row.experiments
        if title(name)
    ]
    return ", ".join(links)


def _listed(texts: Any) -> str:
    return ", ".join(f"`{text}`" for text in texts)


if __name__ == "__main__":
    TARGET.write_text(write(), encoding="utf-8")
