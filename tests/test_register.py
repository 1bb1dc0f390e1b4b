"""The register keeps its word: names can be imported, tests carry its rows and its numbers."""

import importlib
import importlib.util
import inspect
import pathlib
import re

import pytest

from tests.test_docs import anchors

ROOT = pathlib.Path(__file__).resolve().parents[1]
NAME = re.compile(r"(?P<package>\w+)\.(?P<member>\w+)(?:\((?P<options>[\w=, ]+)\))?")


def load():
    spec = importlib.util.spec_from_file_location("register", ROOT / "docs" / "register.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


register = load()
AREAS = register.areas()
ROWS = [row for area, entry in AREAS.items() for row in register.rows_of(area, entry)]
NAMED = [row for row in ROWS if row.names]
TESTS = register.tests_of_rows()

named_row = pytest.mark.parametrize("row", NAMED, ids=lambda row: row.id)


@named_row
def test_its_names_can_be_imported_and_have_the_options(row):
    for name in row.names:
        match = NAME.fullmatch(name)
        assert match, name
        package = match["package"]
        if package in ("jax", "optax"):  # where theirs is the thing itself
            module = importlib.import_module(package)
        else:
            module = importlib.import_module(f"jaxopt_dl.{package}")
            assert match["member"] in module.__all__, name
        parameters = inspect.signature(getattr(module, match["member"])).parameters
        options = [option.strip() for option in (match["options"] or "").split("=")[:-1]]
        assert {option.strip(", ") for option in options} <= set(parameters), name


@named_row
def test_tests_carry_its_id_and_check_its_oracle(row):
    assert row.oracle, "it has names but no oracle"
    assert row.id in TESTS, "no test function carries it in its name or docstring"
    assert register.missing(row, TESTS) == []


@named_row
def test_its_tests_use_its_names(row):
    files = {test.place.partition("::")[0] for test in TESTS[row.id]}
    source = "".join((ROOT / file).read_text(encoding="utf-8") for file in files)
    unused = [name for name in row.names if not _is_used(NAME.match(name)["member"], source)]  # pyright: ignore[reportOptionalSubscript]
    assert unused == []


def _is_used(member: str, source: str) -> bool:
    return re.search(rf"\b{member}\b", source) is not None


@pytest.mark.parametrize("row", [row for row in ROWS if row.finished], ids=lambda row: row.id)
def test_a_row_of_a_finished_area_is_not_open(row):
    assert register.status(row, TESTS) != "open"
    assert not row.doc or row.page, "the page it asks for is not there"


@pytest.mark.parametrize("row", [row for row in ROWS if row.page], ids=lambda row: row.id)
def test_its_page_exists_and_has_the_heading(row):
    file, _, anchor = row.page.partition("#")
    page = ROOT / "docs" / file
    assert page.is_file(), row.page
    assert not anchor or anchor in anchors(page), row.page


@pytest.mark.parametrize("area", AREAS)
def test_an_area_has_all_its_rows(area):
    numbers = sorted(AREAS[area]["rows"])
    assert numbers == [f"{n:02}" for n in range(1, AREAS[area]["size"] + 1)]


def test_the_page_counts_all_systems_questions_pictures_and_errata():
    sizes = {area: entry["size"] for area, entry in AREAS.items()}
    others = {area: sizes.pop(area) for area in ("Q", "PIC", "E")}
    assert (sum(sizes.values()), others) == (228, {"Q": 13, "PIC": 27, "E": 47})
    counted = "315 rows: 228 systems, 13 review questions, 27 pictures, 47 errata."
    assert counted in register.TARGET.read_text(encoding="utf-8")


def test_an_erratum_is_computed_where_its_heading_has_code():
    found = {row.id: register.status(row, TESTS) for row in ROWS if row.id.startswith("E-")}
    assert (found["E-01"], found["E-05"]) == ("computed", "doc")


def test_an_experiment_is_shown_once_its_results_are_there():
    (row,) = (row for row in ROWS if row.id == "INIT-01")
    assert row.experiments == ("X-10", "X-14")
    assert register.status(row, TESTS) == "shown X-10, planned X-14"


def test_the_page_is_that_of_the_table_and_of_the_tests():
    advice = "run: python docs/register.py"
    assert register.TARGET.read_text(encoding="utf-8") == register.write(), advice


def test_ids_are_found_in_names_and_docstrings_only():
    text = "test_gd_01_03_x: see EMA-02, and test_reg_10_y, not x64 or adam_1"
    assert register._carried(text) == ["GD-01", "GD-03", "EMA-02", "REG-10"]
    places = {test.place for tests in TESTS.values() for test in tests}
    assert all("::test_" in place for place in places)


@pytest.mark.parametrize(
    ("source", "text", "held"),
    [
        ("approx(0.9)", "0.9", True),
        ("approx(10.9)", "0.9", False),
        ("approx(0.95)", "0.9", False),
        ("approx(-0.9)", "0.9", True),
        ("[0.9,\n    0.72]", "0.9, 0.72", True),
        ("range(66)", "6", False),
        ("np.linalg.inv(x)", "linalg.inv", True),
        ("66.5", "66", False),
    ],
)
def test_a_number_is_held_only_as_a_whole(source, text, held):
    assert register.holds(source, text) is held
