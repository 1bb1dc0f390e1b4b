"""The IDX format: what its bytes mean, and what is refused."""

import gzip
import math
import struct

import numpy as np
import pytest

from jaxopt_dl.data import load, load_idx, read_idx

CODES = {"u1": 0x08, "i1": 0x09, ">i2": 0x0B, ">i4": 0x0C, ">f4": 0x0D, ">f8": 0x0E}
IMAGES = np.arange(5 * 3 * 4).reshape(5, 3, 4) * 4
LABELS = np.array([2, 0, 1, 1, 0])


def encoded(array, dtype="u1"):
    array = np.asarray(array)
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, CODES[dtype], array.ndim, *array.shape)
    return header + array.astype(dtype).tobytes()


@pytest.fixture
def files(tmp_path):
    """A function that writes images and labels and returns the path of the images."""

    def write(images=IMAGES, labels=LABELS, dtype="u1"):
        path = tmp_path / "train-images-idx3-ubyte"
        path.write_bytes(encoded(images, dtype))
        (tmp_path / "train-labels-idx1-ubyte").write_bytes(encoded(labels))
        return path

    return write


def refuses(path, message):
    with pytest.raises(ValueError, match=message) as caught:
        read_idx(path)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)


@pytest.fixture
def file(tmp_path):
    def write(content, name="some-idx1-ubyte"):
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write


@pytest.mark.parametrize("dtype", CODES)
def test_every_type_of_numbers_is_read(file, dtype):
    values = np.array([[1, -2, 3], [100, 0, -128]]) if dtype != "u1" else np.array([[0, 255, 7]])
    array = read_idx(file(encoded(values, dtype)))
    assert array.dtype == np.dtype(dtype).newbyteorder("=") and array.dtype.isnative
    np.testing.assert_array_equal(array, values)


def test_images_and_labels_become_a_data_set(files):
    data = load_idx(files())
    assert (data.name, data.image_shape) == ("train-images-idx3-ubyte", (3, 4))
    assert (data.x.dtype, data.y.dtype) == (np.float32, np.int32)
    np.testing.assert_array_equal(data.x, (IMAGES / 255).astype(np.float32))
    assert data.y.tolist() == [2, 0, 1, 1, 0] and data.class_names == ("0", "1", "2")


def test_numbers_other_than_bytes_are_not_scaled(files):
    np.testing.assert_array_equal(load_idx(files(IMAGES * 7, dtype=">i2")).x, IMAGES * 7)


@pytest.mark.parametrize("name", ["train-images-idx3-ubyte.gz", "train-images.idx3-ubyte"])
def test_the_name_of_the_labels_follows_and_gzip_is_read(tmp_path, name):
    pack = gzip.compress if name.endswith(".gz") else bytes
    (tmp_path / name).write_bytes(pack(encoded(IMAGES)))
    labels = name.replace("images", "labels").replace("idx3", "idx1")
    (tmp_path / labels).write_bytes(pack(encoded(LABELS)))
    np.testing.assert_array_equal(load(str(tmp_path / name)).y, LABELS)


def test_labels_of_any_name_can_be_passed(files, file):
    assert load_idx(files(), file(encoded([0, 0, 0, 0, 3]))).y.tolist() == [0, 0, 0, 0, 3]


def test_compression_is_seen_by_the_contents(file):
    np.testing.assert_array_equal(read_idx(file(gzip.compress(encoded(LABELS)))), LABELS)


def test_no_prefix_of_a_file_is_read(file):
    whole = encoded(np.arange(12).reshape(3, 4))
    for length in range(len(whole)):
        refuses(file(whole[:length]), "read_idx: ")


def test_no_prefix_of_a_compressed_file_is_read(file):
    whole = gzip.compress(encoded(np.arange(12).reshape(3, 4)))
    for length in range(len(whole)):
        refuses(file(whole[:length]), "read_idx: ")


def test_a_flipped_bit_in_compressed_data_is_refused(file):
    content = bytearray(gzip.compress(encoded(np.arange(200))))
    content[len(content) // 2] ^= 1
    refuses(file(content), "must be whole|must hold|header|must begin")


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_trailing_bytes_are_refused(file, pack):
    refuses(
        file(pack(encoded(LABELS) + b"\0")), r"must hold the 5 bytes .* \(5,\) uint8, found more"
    )


def test_garbage_after_compressed_data_is_refused(file):
    refuses(file(gzip.compress(encoded(LABELS)) + b"more"), "must be whole, got Not a gzipped file")


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("sizes", [[2**32 - 1] * 4, [10**6, 28, 28], [2**32 - 1] * 200])
def test_a_header_that_promises_too_much_takes_no_memory(file, pack, sizes, monkeypatch):
    content = struct.pack(f">BBBB{len(sizes)}I", 0, 0, 0x0E, len(sizes), *sizes) + bytes(100)
    path = file(pack(content))
    monkeypatch.setattr(np, "frombuffer", _small(np.frombuffer))
    refuses(path, "must hold the .* bytes of its header, .* got a file of")


@pytest.mark.parametrize(
    ("code", "sizes"), [(8, [1] * 255), (4 + 8, [0, 2**32 - 1, 2**32 - 1, 2**32 - 1])]
)
def test_a_header_that_is_of_no_array_is_refused(file, code, sizes):
    header = struct.pack(f">BBBB{len(sizes)}I", 0, 0, code, len(sizes), *sizes)
    path = file(header + bytes(math.prod(sizes)))
    refuses(path, f"the header must be that of an array, got {len(sizes)} axes")


def _small(function):
    def guarded(buffer, dtype):
        assert len(buffer) < 2000
        return function(buffer, dtype)

    return guarded


def test_another_kind_of_file_is_refused(file):
    refuses(file(b"\x89PNG\r\n\x1a\n"), "must begin with .* got the bytes 89 50 4e 47")


def test_an_empty_file_is_refused(file):
    refuses(file(b""), "got the bytes of an empty file")


def test_an_unknown_type_of_numbers_is_refused(file):
    refuses(file(b"\0\0\x0a\1\0\0\0\1\0"), "must be one of 0x08, .* got 0x0a")


def test_a_file_that_is_only_called_compressed_is_refused(file):
    refuses(file(encoded(LABELS), "labels.gz"), "must be compressed by gzip, got another")


def test_other_numbers_of_images_and_labels_are_refused(files):
    with pytest.raises(ValueError, match="one row per example, got 5 and 4"):
        load_idx(files(labels=LABELS[:4]))


def test_no_examples_are_refused(files):
    with pytest.raises(ValueError, match="must hold examples"):
        load_idx(files(IMAGES[:0], LABELS[:0]))


def test_labels_given_as_images_are_refused(files):
    images = files()
    with pytest.raises(ValueError, match=r"`x` must be \(n, features\)"):
        load_idx(images.with_name("train-labels-idx1-ubyte"), images)


def test_a_name_without_images_asks_for_the_labels(file):
    with pytest.raises(ValueError, match="Pass the file of the labels"):
        load_idx(file(encoded(IMAGES)))


def test_labels_that_are_not_there_are_named(files):
    images = files()
    images.with_name("train-labels-idx1-ubyte").unlink()
    with pytest.raises(FileNotFoundError, match="train-labels-idx1-ubyte"):
        load_idx(images)
