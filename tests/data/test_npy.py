"""Arrays mapped into memory, and what is refused."""

import warnings

import numpy as np
import pytest

from jaxopt_dl.data import load, load_npy

X = np.arange(12, dtype=np.uint8).reshape(3, 2, 2)
Y = np.array([1, 0, 1])


@pytest.fixture
def folder(tmp_path):
    def write(x=X, y=Y):
        np.save(tmp_path / "x.npy", x)
        np.save(tmp_path / "y.npy", y)
        return tmp_path

    return write


def refuses(folder, message, kind=ValueError):
    with pytest.raises(kind, match=message) as caught:
        load_npy(folder)
    assert "\n" not in str(caught.value) and str(folder) in str(caught.value)


def test_examples_are_mapped_and_keep_their_dtype(folder):
    data = load(folder())
    assert isinstance(data.x, np.memmap) and data.x.dtype == np.uint8
    assert (data.image_shape, data.class_names) == ((2, 2), ("0", "1"))
    np.testing.assert_array_equal(data.x[[2, 0]], X[[2, 0]])


def test_a_pair_of_files_is_loaded(folder):
    here = folder(y=np.array([0.5, 1.5, 2.5]))
    data = load_npy(here / "x.npy", here / "y.npy")
    assert (data.name, data.class_names, data.y.tolist()) == ("x", None, [0.5, 1.5, 2.5])


def test_examples_are_not_read(folder, tmp_path):
    """64 GiB of zeros, of which the disk holds nothing."""
    here = folder(x=np.zeros((1, 2**20)), y=np.arange(8192) % 3)
    with (here / "x.npy").open("r+b") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": "<f8", "fortran_order": False, "shape": (8192, 2**10, 2**10)}
        )
        file.truncate(file.tell() + 8192 * 2**20 * 8)
    data = load_npy(here)
    assert data.x.shape == (8192, 1024, 1024) and data.x[8191, 1023, 1023] == 0


def test_in_memory_they_are_checked_and_become_float32(folder):
    x = load(folder()).in_memory().x
    assert type(x) is np.ndarray and x.dtype == np.float32
    np.testing.assert_array_equal(x, X)


@pytest.mark.parametrize("bad", [np.nan, 1e300])
def test_in_memory_numbers_that_are_not_finite_are_refused(folder, bad):
    x = np.ones((3, 2))
    x[2, 1] = bad
    with pytest.raises(ValueError, match=r"`x` must be finite, .* \(row 2\), column 'x\[1\]'"):
        load(folder(x)).in_memory()


def test_a_map_cannot_be_written_to(folder):
    with pytest.raises(ValueError, match="read-only"):
        load_npy(folder()).x[0] = 1


@pytest.mark.parametrize("name", ["x.npy", "y.npy"])
def test_no_prefix_of_a_file_is_read(folder, name):
    path = folder() / name
    whole = path.read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        refuses(path.parent, "must be a readable plain array")


def test_a_header_that_promises_too_much_is_refused_without_a_warning(folder):
    here = folder()
    header = {"descr": "<f8", "fortran_order": False, "shape": (4_000_000_000,) * 3}
    with (here / "x.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        refuses(here, "must be a readable plain array of `np.save`, got")
    assert not warned


def test_trailing_bytes_are_refused(folder):
    path = folder() / "x.npy"
    path.write_bytes(path.read_bytes() + b"\0\0")
    refuses(path.parent, r"must end after \(3, 2, 2\) uint8, found 2 bytes more")


def test_objects_are_refused_without_being_unpickled(folder):
    refuses(folder(y=np.array([object()] * 3)), "plain array.*Python objects")


def test_an_archive_with_this_name_is_refused(folder):
    here = folder()
    np.savez(here / "a.npz", x=X)
    (here / "a.npz").rename(here / "x.npy")
    refuses(here, "must be a readable plain array")


def test_bytes_in_the_order_of_other_machines_are_refused(folder):
    refuses(folder(x=X.astype(">f4")), "order of this machine, got >f4")


def test_complex_numbers_are_refused(folder):
    refuses(folder(x=X * 1j), "`x` must hold real numbers", TypeError)


def test_different_numbers_of_rows_are_refused(folder):
    refuses(folder(y=np.arange(4)), "one row per example, got 3 and 4")


def test_examples_without_targets_are_refused(folder):
    with pytest.raises(ValueError, match=r"targets must come .*x\.npy alone"):
        load_npy(folder() / "x.npy")


def test_a_missing_file_is_named(folder):
    here = folder()
    (here / "y.npy").unlink()
    refuses(here, r"found none at .*y\.npy", FileNotFoundError)
