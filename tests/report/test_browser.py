"""The page in a real browser: figures rendered, console clean, nothing requested, no scrolling."""

import dataclasses
import pathlib
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from jaxopt_dl.report import write_page
from tests.report.pages import hostile_page, regression_page, run_page

pytestmark = pytest.mark.browser

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
PAGES = {"ordinary": run_page, "regression": regression_page, "hostile": hostile_page}
WIDTHS, SCHEMES = (1280, 390), ("light", "dark")
BOXES = """selector => [...document.querySelectorAll(selector)].map(element => {
    const box = element.getBoundingClientRect();
    return [box.left, box.right, box.width, box.height];
})"""
OPEN = "open => document.querySelectorAll('details').forEach(d => d.open = open)"
INKS = "[...document.querySelectorAll('figure svg text')].map(t => getComputedStyle(t).fill)"
PAPER = "getComputedStyle(document.body).backgroundColor"


@dataclasses.dataclass
class Visit:
    """An open page and what happened while it opened."""

    page: Any
    address: str
    width: int
    scheme: str
    console: list[str]
    requests: list[str]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no chromium on the path; Debian's package `chromium` brings it")
    reason = "playwright is not installed; the dependency group `test` brings it"
    driver = pytest.importorskip("playwright.sync_api", reason=reason)
    with driver.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield running
        running.close()


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, pathlib.Path]:
    folder = tmp_path_factory.mktemp("pages")
    found = {name: folder / f"{name}.html" for name in PAGES}
    for name, make in PAGES.items():
        write_page(found[name], make())
    return found


CASES = [(name, width, scheme) for name in PAGES for width in WIDTHS for scheme in SCHEMES]


@pytest.fixture(scope="module", params=CASES, ids=lambda case: "-".join(map(str, case)))
def visit(request, browser, files) -> Iterator[Visit]:
    name, width, scheme = request.param
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    seen = Visit(page, files[name].as_uri(), width, scheme, [], [])
    page.on("console", lambda message: seen.console.append(message.text))
    page.on("pageerror", lambda error: seen.console.append(str(error)))
    page.on("dialog", lambda dialog: seen.console.append(dialog.message))
    page.on("request", lambda asked: seen.requests.append(asked.url))
    page.goto(seen.address, wait_until="load")
    yield seen
    context.close()


def test_every_figure_is_rendered_inside_the_window(visit: Visit):
    boxes = visit.page.evaluate(BOXES, "figure svg, figure img")
    assert boxes
    for left, right, width, height in boxes:
        assert width > 100
        assert height > 80
        assert left >= 0
        assert right <= visit.width


def test_every_line_and_label_of_the_figures_is_rendered(visit: Visit):
    boxes = visit.page.evaluate(BOXES, "figure svg text, figure svg g[clip-path], figure svg use")
    assert len(boxes) > 20
    assert all(width > 0 or height > 0 for _, _, width, height in boxes)


def test_pictures_are_decoded(visit: Visit):
    sizes = visit.page.evaluate("[...document.images].map(i => i.complete && i.naturalWidth)")
    assert all(sizes)


def test_the_console_is_clean(visit: Visit):
    assert visit.console == []


def test_nothing_is_requested_but_the_file_itself(visit: Visit):
    outside = [url for url in visit.requests if not url.startswith("data:")]
    assert outside == [visit.address]


@pytest.mark.parametrize("opened", [False, True], ids=["closed", "opened"])
def test_the_page_never_scrolls_sideways(visit: Visit, opened: bool):
    visit.page.evaluate(
        "open => document.querySelectorAll('details').forEach(d => d.open = open)", opened
    )
    assert visit.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_figures_follow_the_color_scheme(visit: Visit):
    paper = _brightness(visit.page.evaluate(PAPER))
    inks = [_brightness(ink) for ink in visit.page.evaluate(INKS)]
    assert all((ink < paper) == (visit.scheme == "light") for ink in inks)
    assert min(abs(ink - paper) for ink in inks) > 300


def test_text_in_figures_is_readable(visit: Visit):
    heights = visit.page.evaluate(
        "[...document.querySelectorAll('figure.curve svg text')].map(t => {"
        "const matrix = t.getScreenCTM();"
        "return parseFloat(getComputedStyle(t).fontSize) * Math.hypot(matrix.a, matrix.b); })"
    )
    assert min(heights) >= 9.5


def test_a_page_on_paper_is_light(visit: Visit):
    visit.page.emulate_media(media="print")
    paper = visit.page.evaluate(PAPER)
    visit.page.emulate_media(media="screen")
    assert _brightness(paper) == 3 * 255


def _brightness(color: str) -> int:
    """Red plus green plus blue of `rgb(r, g, b)`, 0 to 765."""
    return sum(map(int, color.removeprefix("rgb(").removesuffix(")").split(", ")))
