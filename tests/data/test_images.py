"""Folders of pictures, and what is refused."""

import struct
import sys
import zlib

import numpy as np
import pytest
from PIL import Image

from jaxopt_dl.data import load, load_images

RED = np.zeros((2, 3, 3), np.uint8)
RED[..., 0] = 255
RAMP = np.arange(6, dtype=np.uint8).reshape(2, 3) * 50


@pytest.fixture
def folder(tmp_path):
    """A function that writes `class/file` -> array and returns the folder."""

    def write(pictures):
        for name, pixels in pictures.items():
            path = tmp_path / "pets" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)
        return tmp_path / "pets"

    return write


def refuses(folder, message, **options):
    with pytest.raises(ValueError, match=message) as caught:
        load_images(folder, **({"mode": "rgb"} | options))
    assert "\n" not in str(caught.value)


def test_classes_and_pictures_come_in_sorted_order(folder):
    pictures = {"dog/2.png": RAMP, "dog/10.png": RAMP + 1, "cat/z.png": RAMP + 2}
    data = load_images(folder(pictures), mode="grayscale")
    assert (data.name, data.class_names) == ("pets", ("cat", "dog"))
    assert (data.y.dtype, data.y.tolist()) == (np.int32, [0, 1, 1])
    expected = np.stack([RAMP + 2, RAMP + 1, RAMP]) / 255  # "10" sorts before "2"
    np.testing.assert_array_equal(data.x, expected.astype(np.float32))
    assert data.image_shape == (2, 3)


def test_colors_are_kept(folder):
    data = load(folder({"a/1.png": RED}), mode="rgb")
    assert (data.x.shape, data.x.dtype) == ((1, 2, 3, 3), np.float32)
    assert data.x[0, 1, 2].tolist() == [1.0, 0.0, 0.0]


def test_pictures_of_the_other_kind_are_converted(folder):
    here = folder({"a/1.png": RED, "a/2.png": RAMP})
    assert load_images(here, mode="grayscale").x[0, 0, 0] == np.float32(76 / 255)
    rgb = load_images(here, mode="rgb").x[1]
    np.testing.assert_array_equal(rgb, np.stack([RAMP] * 3, axis=-1) / np.float32(255))


@pytest.mark.parametrize("suffix", [".jpg", ".jpeg", ".bmp", ".PNG"])
def test_other_kinds_of_files_are_read(folder, suffix):
    data = load_images(folder({f"a/1{suffix}": np.full((8, 8), 100, np.uint8)}), mode="grayscale")
    np.testing.assert_allclose(data.x, 100 / 255, atol=0.005)


def test_sizes_are_height_and_width(folder):
    here = folder({"a/1.png": RAMP, "a/2.png": np.full((7, 5), 9, np.uint8)})
    data = load_images(here, mode="grayscale", size=(4, 6))
    assert data.x.shape == (2, 4, 6)
    np.testing.assert_array_equal(data.x[1], np.float32(9) / np.float32(255))


def test_a_camera_held_upright_gives_upright_pictures(tmp_path):
    (tmp_path / "a").mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise
    Image.fromarray(RAMP).save(tmp_path / "a" / "1.png", exif=exif)
    x = load_images(tmp_path, mode="grayscale").x[0]
    np.testing.assert_array_equal(x, np.rot90(RAMP, -1) / np.float32(255))


def test_hidden_files_and_those_of_systems_are_passed_over(folder):
    here = folder({"a/1.png": RAMP})
    (here / ".git").mkdir()
    (here / "a" / ".DS_Store").write_bytes(b"\0")
    (here / "a" / "Thumbs.db").write_bytes(b"\0")
    assert load_images(here, mode="grayscale").class_names == ("a",)


def test_other_sizes_are_refused_with_both_files(folder):
    here = folder({"a/1.png": RAMP, "b/2.png": RAMP.T})
    refuses(here, r"one size, got 2 x 3 in .*a/1\.png and 3 x 2 in .*b/2\.png")


def test_no_prefix_of_a_picture_is_read(folder):
    path = folder({"a/1.png": RED, "a/2.png": RED}) / "a" / "2.png"
    whole = path.read_bytes()
    for length in range(len(whole) - 4):  # these are the checksum of the mark of the end
        path.write_bytes(whole[:length])
        refuses(path.parents[1], r"2\.png: must be a whole picture")


def test_a_flipped_bit_in_the_pixels_is_refused(folder):
    noise = np.random.default_rng(0).integers(0, 255, (20, 20), np.uint8)
    path = folder({"a/1.png": noise}) / "a" / "1.png"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    refuses(path.parents[1], r"1\.png: must be a whole picture")


def test_a_picture_that_promises_too_much_is_refused(folder):
    """A header of 100 000 x 100 000 pixels."""
    path = folder({"a/1.png": RAMP}) / "a" / "1.png"
    content = bytearray(path.read_bytes())
    content[16:24] = struct.pack(">II", 100_000, 100_000)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    path.write_bytes(content)
    refuses(path.parents[1], "must be a whole picture, got Image size .* exceeds limit")


def test_sixteen_bits_are_refused(folder):
    refuses(folder({"a/1.png": RAMP.astype(np.uint16) * 200}), "8 bits per channel, got mode I;16")


@pytest.mark.parametrize(("alpha", "held"), [(255, True), (254, False)])
def test_transparency_is_refused(folder, alpha, held):
    pixels = np.dstack([RED, np.full((2, 3), 255, np.uint8)])
    pixels[1, 1, 3] = alpha
    here = folder({"a/1.png": pixels})
    if held:
        np.testing.assert_array_equal(load_images(here, mode="rgb").x[0], RED / 255)
    else:
        refuses(here, "must not be transparent")


def test_a_file_of_another_kind_is_refused(folder):
    here = folder({"a/1.png": RAMP})
    (here / "a" / "notes.txt").write_text("blurred")
    refuses(here, r"nothing but .*, got notes\.txt")


def test_a_text_called_picture_is_refused(folder):
    here = folder({"a/1.png": RAMP})
    (here / "a" / "0.png").write_text("no picture")
    refuses(here, r"0\.png: must be a whole picture, got cannot identify")


def test_an_empty_class_is_refused(folder):
    here = folder({"a/1.png": RAMP})
    (here / "b").mkdir()
    refuses(here, "b: a class must have pictures, found none")


def test_an_empty_folder_is_refused(tmp_path):
    refuses(tmp_path, "a folder for every class, found none")


def test_pictures_without_a_class_are_refused(folder):
    here = folder({"a/1.png": RAMP})
    (here / "a" / "1.png").rename(here / "1.png")
    refuses(here, r"folders of their classes, got 1\.png")


def test_a_missing_folder_and_a_file_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="the folder must exist"):
        load_images(tmp_path / "none", mode="rgb")
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError, match="must be a folder"):
        load_images(tmp_path / "file", mode="rgb")


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"mode": "gray"}, ValueError, "must be one of 'grayscale', 'rgb'"),
        ({"size": 28}, TypeError, r"must be \(height, width\)"),
        ({"size": (28.0, 28)}, TypeError, "size: height` must be an integer"),
        ({"size": (28, 0)}, ValueError, "size: width` must be at least 1"),
    ],
)
def test_bad_options_are_refused(folder, options, kind, message):
    with pytest.raises(kind, match=message):
        load_images(folder({"a/1.png": RAMP}), **({"mode": "rgb"} | options))


def test_load_asks_for_the_mode_of_pictures(folder):
    with pytest.raises(ValueError, match="`mode` must come with pictures"):
        load(folder({"a/1.png": RAMP}))


def test_load_refuses_a_mode_where_there_are_no_pictures():
    with pytest.raises(ValueError, match="`mode` is for pictures"):
        load("iris", mode="rgb")


def test_without_pillow_it_says_what_to_install(folder, monkeypatch):
    here = folder({"a/1.png": RAMP})
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(ModuleNotFoundError, match="needs the package `pillow`"):
        load_images(here, mode="rgb")
