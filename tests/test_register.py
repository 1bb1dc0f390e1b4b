"""The register keeps its word: names can be imported, tests exist and mention their rows."""

import importlib
import importlib.util
import pathlib

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]


def load():
    spec = importlib.util.spec_from_file_location("register", ROOT / "docs" / "register.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


register = load()
AREAS = register.areas()
ROWS = [row for area, entry in AREAS.items() for row in register.rows_of(area, entry)]
TESTS = register.tests_of_rows()

SIZES = dict(GD=24, EMA=6, MOM=9, RMS=7, ADAM=8, SCHED=8, OPT=6)
SIZES |= dict(ACT=7, RISK=12, BP=12, INIT=21, VAN=7, BN=9, REG=13, DROP=11, LAND=11)
"""How many rows an area has, so that a finished one cannot lose any."""


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_its_names_can_be_imported(row):
    for name in row.names:
        package, _, member = name.rpartition(".")
        if package in ("jax", "optax"):  # where theirs is the thing itself
            assert hasattr(importlib.import_module(package), member), name
        else:
            assert member in importlib.import_module(f"jaxopt_dl.{package}").__all__, name


@pytest.mark.parametrize("row", [row for row in ROWS if row.finished], ids=lambda row: row.id)
def test_a_row_of_a_finished_area_is_not_open(row):
    missing = "no test mentions it" if row.names else "it has neither names, plan nor page"
    assert register.status(row, TESTS) != "open", missing


@pytest.mark.parametrize("row", [row for row in ROWS if row.page], ids=lambda row: row.id)
def test_its_page_exists(row):
    assert (ROOT / "docs" / row.page).is_file(), row.page


@pytest.mark.parametrize("area", [name for name, entry in AREAS.items() if entry.get("finished")])
def test_a_finished_area_has_all_its_rows(area):
    numbers = sorted(AREAS[area]["rows"])
    assert numbers == [f"{n:02}" for n in range(1, SIZES[area] + 1)]


def test_the_page_is_that_of_the_table_and_of_the_tests():
    advice = "run: python docs/register.py"
    assert register.TARGET.read_text(encoding="utf-8") == register.write(), advice


def test_a_mention_is_found_in_names_strings_and_comments():
    text = 'def test_gd_01_03_x(): "see EMA-02"  # and test_reg_10_y, not x64 or adam_1'
    assert register._mentions(text) == ["GD-01", "GD-03", "EMA-02", "REG-10"]
