"""The documentation keeps its word: code runs, links lead on, every public name is listed."""

import contextlib
import importlib
import importlib.util
import io
import itertools
import json
import pathlib
import re
import shlex
import sys
import types
from typing import NamedTuple

import jax
import pytest

import jaxopt_dl
from docs.figures import pictures
from jaxopt_dl.cli import _demo, _flags, _toml, main

ROOT = pathlib.Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
DOCS = ROOT / "docs"
PAGES = [README, *(path for path in sorted(DOCS.rglob("*.md")) if "_build" not in path.parts)]
PACKAGES = sorted(set(jaxopt_dl.__all__) - {"__version__"})

FENCE = re.compile(r"^```(\S*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PARSERS = {
    "demo": lambda flags: _flags.parse_demo(flags, _demo.DEMO),
    "train": _flags.parse_train,
    "check-grads": _flags.parse_check,
}
LINK = re.compile(r"\]\(([^)\s]+)\)")


class Block(NamedTuple):
    """A fenced block: its language, its text, its first line, and what it should print."""

    language: str
    text: str
    line: int
    prints: str | None


def name_of(path: pathlib.Path) -> str:
    return str(path.relative_to(ROOT))


def blocks_of(page: pathlib.Path, language: str) -> list[Block]:
    """Return the blocks in one language; a text block right after one is what it prints."""
    source = page.read_text(encoding="utf-8")
    found = list(FENCE.finditer(source))
    blocks = []
    for match, after in itertools.zip_longest(found, found[1:]):
        follows = after and after[1] == "text" and not source[match.end() : after.start()].strip()
        line = source.count("\n", 0, match.start(2))
        blocks.append(Block(match[1], match[2], line, after[2] if after and follows else None))
    return [block for block in blocks if block.language == language]


def pages_with(language: str) -> list[pathlib.Path]:
    return [page for page in PAGES if blocks_of(page, language)]


@pytest.fixture
def run(tmp_path, monkeypatch, compile_cache):
    """A function that executes a page and returns what each block printed.

    It works in an empty folder, and with JAX as a reader has it, without strict promotion.
    """

    def execute(page: pathlib.Path) -> list[str]:
        module = types.ModuleType("page")
        monkeypatch.setitem(sys.modules, "page", module)
        printed = []
        for block in blocks_of(page, "python"):
            # Empty lines in front, so that a traceback shows the line of the page.
            code = compile("\n" * block.line + block.text, str(page), "exec")
            with contextlib.redirect_stdout(io.StringIO()) as output:
                exec(code, vars(module))
            printed.append(output.getvalue())
        return printed

    monkeypatch.chdir(tmp_path)
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield execute


@pytest.mark.parametrize(
    "page", [page for page in pages_with("python") if page != README], ids=name_of
)
def test_code_of_a_page_runs_and_prints_what_the_page_says(page, run):
    blocks = blocks_of(page, "python")
    for block, printed in zip(blocks, run(page), strict=True):
        assert block.prints in (None, printed), f"{name_of(page)}:{block.line}"


def test_code_of_the_readme_runs_and_trains_a_good_network(run):
    accuracy = re.search(r"test accuracy (\S+)\n$", run(README)[0])
    assert accuracy and float(accuracy[1]) >= 0.95


@pytest.mark.parametrize("page", [README, DOCS / "tutorials" / "first-network.md"], ids=name_of)
def test_pages_that_rebuild_the_demo_use_its_numbers(page):
    code = "".join(block.text for block in blocks_of(page, "python"))
    model, training = _demo.DEMO.model, _demo.DEMO.training
    assert f"keep_prob={model.keep_prob}" in code
    assert f"epochs={training.epochs}" in code and f"batch_size={training.batch_size}" in code
    assert f"patience={training.patience}" in code and training.monitor == "loss"
    assert f"l2_penalty(params, {_demo.DEMO.penalty.l2}," in code
    assert all(re.search(rf"\b{units}\b", code) for units in model.hidden)
    numbers = re.search(r"inverse_time\((\S+), (\S+),", code)
    rates = _demo.DEMO.optimizer.learning_rate, _demo.DEMO.schedule.rate
    assert numbers and tuple(map(float, numbers.groups())) == rates


@pytest.mark.slow
def test_the_library_example_of_the_readme_starts_as_the_demo_does(run, tmp_path):
    """The first epoch is the same to rounding; later ones are not, since training is chaotic."""
    run(README)
    assert main(["demo", "--quiet", "--out", str(tmp_path)]) == 0
    lines = (tmp_path / "demo" / "history.jsonl").read_text(encoding="utf-8").splitlines()
    result = sys.modules["page"].result  # pyright: ignore[reportAttributeAccessIssue]
    assert json.loads(lines[0]) == pytest.approx(result.history.rows[0], rel=1e-4)


def test_the_library_example_of_the_readme_has_at_most_25_lines():
    lines = blocks_of(README, "python")[0].text.splitlines()
    assert len([line for line in lines if line.strip()]) <= 25


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_relative_links_lead_to_files_and_headings(page):
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link


def anchors(page: pathlib.Path) -> set[str]:
    source = FENCE.sub("", page.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ (.+)$", source, re.MULTILINE)
    slugs = {re.sub(r"[^\w -]", "", text.lower()).replace(" ", "-") for text in headings}
    return slugs | set(re.findall(r"^\((\S+)\)=$", source, re.MULTILINE))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_pictures_come_from_the_project_itself(page):
    assert not re.search(r"!\[[^]]*\]\(https?:|<img", page.read_text(encoding="utf-8"))


def shell_lines(page: pathlib.Path) -> list[list[str]]:
    text = "".join(block.text for block in blocks_of(page, "sh"))
    return [words for line in text.splitlines() if (words := shlex.split(line, comments=True))]


@pytest.mark.parametrize("page", pages_with("sh"), ids=name_of)
def test_commands_of_a_page_can_be_given(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for path in (pathlib.Path("runs/demo/config.toml"), pathlib.Path("config.toml")):
        path.parent.mkdir(parents=True, exist_ok=True)
        _toml.write_config(path, _demo.DEMO)
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for command, first, *rest in shell_lines(page):
        if command == "make":
            assert first in targets
        elif command == "jaxopt-dl":
            try:
                PARSERS[first](rest)
            except SystemExit as stop:
                assert stop.code == 0, (first, *rest)


@pytest.mark.parametrize("package", PACKAGES)
def test_the_reference_lists_every_public_name_once(package):
    tables = blocks_of(DOCS / "reference" / f"{package}.md", "{names}")
    listed = [name for table in tables for name in table.text.split()]
    public = importlib.import_module(f"jaxopt_dl.{package}").__all__
    assert sorted(listed) == sorted(public)
    assert f"\n{package}\n" in (DOCS / "reference" / "index.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", pictures.PICTURES)
def test_a_picture_can_be_drawn_and_is_on_a_page(name):
    figure = pictures.PICTURES[name]()
    assert all(axes.lines or axes.patches or axes.collections for axes in figure.axes)
    assert (DOCS / "figures" / f"{name}.svg").exists()
    shown = [page for page in PAGES if f"/{name}.svg)" in page.read_text(encoding="utf-8")]
    assert len(shown) == 1


def test_the_picture_of_the_architecture_is_that_of_the_floor_table():
    path = DOCS / "figures" / "architecture.py"
    spec = importlib.util.spec_from_file_location("architecture", path)
    assert spec and spec.loader
    figure = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(figure)
    advice = "run: python docs/figures/architecture.py"
    assert figure.TARGET.read_text(encoding="utf-8") == figure.draw(), advice
