"""Small pieces: words, numbers, pictures, and figures that take the page's colors."""

import base64
import io
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxopt_dl.report import _history, _text
from jaxopt_dl.report._pictures import is_image, picture
from jaxopt_dl.report._svg import FIRST, INK, draw


def pixels(address: str) -> np.ndarray:
    from matplotlib import image

    raw = base64.b64decode(address.removeprefix("data:image/png;base64,"))
    return np.rint(255 * image.imread(io.BytesIO(raw), format="png")).astype(int)[..., :3]


@settings(deadline=None, max_examples=200)
@given(st.text(st.characters(exclude_categories=())))
def test_visible_text_can_be_encoded_and_holds_nothing_that_acts(text: str):
    shown = _text.visible(text)
    shown.encode("utf-8")
    assert not re.search(
        "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufffe\uffff]", shown
    )


@settings(deadline=None, max_examples=100)
@given(st.text(), st.integers(3, 40))
def test_elided_names_fit_on_one_line(text: str, width: int):
    short = _text.elide(text, width)
    assert len(short) <= width
    assert "\n" not in short


def test_eliding_keeps_what_tells_names_apart():
    assert _text.elide("class number 18", 12) != _text.elide("class number 19", 12)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0, "0"),
        (np.int64(12345), "12345"),
        (np.float32(0.1), "0.1"),
        (-2, "\u22122"),
        (0.97912, "0.9791"),
        (1.5e-7, "1.5e\u221207"),
        (float("inf"), "∞"),
        (-float("inf"), "\u2212∞"),
        (float("nan"), "NaN"),
        (None, "\u2013"),
        (123456.0, "1.235e+05"),
    ],
)
def test_numbers_in_sentences_are_short(value, shown: str):
    assert _text.number(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.999, "0.9990"), (1.0, "1.000"), (4321.0, "4321"), (17, "17"), (3e-3, "0.003000")],
)
def test_numbers_in_columns_have_the_same_digits(value, shown: str):
    assert _text.cell(value) == shown


@settings(deadline=None)
@given(st.sets(st.integers(1, 30)))
def test_ranges_name_exactly_the_integers_given(integers: set[int]):
    listed = _text.ranges(sorted(integers))
    back: set[int] = set()
    for run in filter(None, listed.split(", ")):
        low, _, high = run.partition("\u2013")
        back |= set(range(int(low), int(high or low) + 1))
    assert back == integers


def test_numbers_that_were_not_measured_are_no_gaps():
    rows = [{"epoch": 1, "dev_loss": 2.0}, {"epoch": 2, "dev_loss": None}, {"epoch": 3}]
    line = _history.series(rows, "dev_loss", "dev")
    assert line is not None
    assert line.epochs.tolist() == [1]
    assert line.lost == []


def test_the_loss_comes_first_whatever_the_order_of_columns():
    assert _history.metrics([{"epoch": 1, "train_top5": 1.0, "dev_loss": 2.0}]) == ["loss", "top5"]


@pytest.mark.parametrize(
    ("shape", "image"),
    [((8, 8), True), ((8, 8, 1), True), ((8, 6, 3), True), ((64,), False), ((8, 8, 2), False)],
)
def test_images_are_told_from_vectors_by_shape(shape: tuple[int, ...], image: bool):
    assert is_image(np.zeros(shape)) == image


def test_a_gray_image_is_stretched_and_not_transposed():
    shown = pixels(picture(np.array([[-1.0, 0.0, 1.0], [1.0, 1.0, 1.0]])))
    assert shown[..., 0].tolist() == [[0, 128, 255], [255, 255, 255]]


def test_color_between_0_and_1_is_shown_as_it_is():
    image = np.full((2, 3, 3), 0.2)
    image[0, 1] = (1.0, 0.4, 0.6)
    assert pixels(picture(image))[0].tolist() == [[51, 51, 51], [255, 102, 153], [51, 51, 51]]


def test_bytes_are_shown_as_they_are():
    image = np.array([[0, 7], [16, 200]], np.uint8)
    assert pixels(picture(image))[..., 1].tolist() == [[0, 7], [16, 200]]


def test_pixels_that_are_not_finite_are_black():
    shown = pixels(picture(np.array([[np.nan, 2.0], [np.inf, 4.0]])))
    assert shown[..., 2].tolist() == [[0, 0], [0, 255]]


def test_large_images_are_made_small_and_keep_their_proportions():
    assert pixels(picture(np.zeros((300, 150)))).shape == (60, 30, 3)


def test_drawings_take_the_colors_of_the_page_and_leave_text_alone():
    def paint(figure):
        figure.text(0.5, 0.5, f"{INK} {FIRST}", color=FIRST)

    svg = draw(paint, size=(100, 50), prefix="p-", description="d")
    assert f">{INK} {FIRST}</text>" in svg
    assert "fill: var(--first)" in svg


def test_ids_of_a_drawing_carry_its_prefix():
    def paint(figure):
        figure.add_subplot().plot([1, 2], [1, 2], "o-", label='id="x" url(#y)')
        figure.legend()

    svg = draw(paint, size=(200, 100), prefix="p-", description="d")
    ids = re.findall(r'<[^<>]* id="([^"]*)"', svg)
    assert ids
    assert all(name.startswith("p-") for name in ids)
    assert '>id="x" url(#y)</text>' in svg


def test_a_drawing_carries_no_style_sheet_date_or_maker():
    svg = draw(lambda figure: None, size=(100, 50), prefix="p-", description="d")
    assert not re.search("<style|<metadata|atplotlib|<!--|xmlns", svg)
