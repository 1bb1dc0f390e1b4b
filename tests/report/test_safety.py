"""No name a user gives changes the page's structure, fetches anything or disappears."""

import functools
import re

import pytest

from jaxopt_dl.report import render_page
from tests.report.markup import Markup
from tests.report.pages import HOSTILE, hostile_page, run_page

OURS = {
    "html", "head", "meta", "link", "title", "style", "body", "header", "main", "section", "p",
    "h1", "h2", "h3", "bdi", "dl", "dt", "dd", "div", "figure", "figcaption", "img", "details",
    "summary", "a", "table", "thead", "tbody", "tr", "th", "td", "pre", "code",
    "svg", "g", "defs", "path", "use", "text", "image", "clippath", "rect",
}  # fmt: skip
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


@functools.cache
def hostile() -> Markup:
    return Markup(render_page(hostile_page()))


@functools.cache
def ordinary() -> Markup:
    return Markup(render_page(run_page()))


def test_only_elements_of_the_template_and_the_drawings_appear():
    assert {tag for tag, _ in hostile().elements} <= OURS


def test_hostile_names_leave_the_nesting_intact():
    assert hostile().mismatched == []
    assert hostile().open == []


def test_no_element_carries_an_event_handler():
    names = {name for _, attributes in hostile().elements for name in attributes}
    assert [name for name in names if name.startswith("on")] == []


def test_hostile_names_add_no_kind_of_attribute():
    def kinds(markup):
        return {(tag, name) for tag, attributes in markup.elements for name in attributes}

    assert kinds(hostile()) <= kinds(ordinary()) | {("text", "transform")}


@pytest.mark.parametrize("name", ["src", "href"])
def test_every_address_is_data_or_inside_the_page(name: str):
    found = [a[name] for _, a in hostile().elements if name in a]
    assert found
    assert all((address or "").startswith(("data:", "#")) for address in found)


def test_styles_fetch_nothing():
    html = render_page(hostile_page())
    styles = re.findall(r"<style>.*?</style>", html, re.DOTALL)
    styles += [attributes.get("style") or "" for _, attributes in hostile().elements]
    assert [style for style in styles if re.search(r"url\((?!#)|@import", style)] == []


@pytest.mark.parametrize("name", [n for n in HOSTILE if "\x00" not in n and "\u202e" not in n])
def test_hostile_text_is_shown_as_it_is(name: str):
    assert " ".join(name.split()) in hostile().text


def test_characters_that_act_are_written_out():
    html = render_page(hostile_page())
    assert not set(html) & set("\x00\x07\ud800\u202e\u202c")
    assert r"\u202eright to left\u202c" in hostile().text
    assert r"null\u0000 bell\u0007 \ud800 half a pair" in hostile().text


def test_the_title_is_text():
    html = render_page(hostile_page())
    title = re.findall(r"<title>(.*?)</title>", html, re.DOTALL)
    assert title[0].startswith("&lt;script&gt;")


@pytest.mark.parametrize("name", [r"$\alpha$", "$", "a$b", "$x$ and $"])
def test_dollar_signs_in_figures_are_no_mathematics(name: str):
    html = render_page(run_page(names=("cat", name, "owl")))
    assert re.search(rf"<text[^>]*>{re.escape(name)}</text>", html)


def test_the_policy_forbids_everything_but_inline_styles_and_data_images():
    policies = [m["content"] for m in hostile().all("meta") if "http-equiv" in m]
    assert policies == [POLICY]


def test_ids_are_unique_and_every_reference_is_answered():
    html = render_page(run_page())
    ids = [a["id"] for _, a in Markup(html).elements if "id" in a]
    used = set(re.findall(r"""(?:href="#|url\(#)([\w.-]+)""", html))
    assert len(ids) == len(set(ids))
    assert used
    assert used <= set(ids)
