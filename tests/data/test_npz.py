"""Archives of arrays: what they mean, and what is refused."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from jaxopt_dl.data import load, load_npz

X = np.arange(6.0).reshape(3, 2)


@pytest.fixture
def archive(tmp_path):
    def write(**arrays):
        path = tmp_path / "mine.npz"
        np.savez(path, **arrays)
        return path

    return write


def refuses(path, message, kind=ValueError):
    with pytest.raises(kind, match=message) as caught:
        load_npz(path)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)


def test_floats_are_regression_targets(archive):
    data = load(archive(x=X, y=np.array([0.5, 1.5, 2.0])))
    assert (data.x.dtype, data.y.dtype, data.class_names) == (np.float32, np.float32, None)
    assert (data.name, data.image_shape) == ("mine", None)
    np.testing.assert_array_equal(data.x, X)


def test_integers_stay_the_labels_they_are(archive):
    data = load_npz(archive(x=X, y=np.array([2, 0, 2], np.int64)))
    assert (data.y.dtype, data.y.tolist()) == (np.int32, [2, 0, 2])
    assert data.class_names == ("0", "1", "2")


def test_booleans_are_labels(archive):
    assert load_npz(archive(x=X, y=np.array([True, False, True]))).y.tolist() == [1, 0, 1]


def test_strings_are_classes_in_sorted_order(archive):
    data = load_npz(archive(x=X, y=np.array(["b", "a", "b"])))
    assert (data.y.tolist(), data.class_names) == ([1, 0, 1], ("a", "b"))


def test_several_targets_of_a_regression_stay_together(archive):
    assert load_npz(archive(x=X, y=X)).y.shape == (3, 2)


def test_pictures_keep_their_shape(archive):
    images = np.full((3, 4, 5, 2), 255, np.uint8)
    data = load_npz(archive(x=images, y=np.arange(3)))
    assert (data.x.shape, data.image_shape, data.x.max()) == ((3, 4, 5, 2), (4, 5, 2), 255.0)
    assert len(data.feature_names) == 40 and data.feature_names[-1] == "x[3, 4, 1]"


def test_big_endian_arrays_are_read(archive):
    np.testing.assert_array_equal(load_npz(archive(x=X.astype(">f8"), y=np.arange(3))).x, X)


@pytest.mark.parametrize(("missing", "kept"), [("x", "y"), ("y", "x")])
def test_a_missing_array_is_named(archive, missing, kept):
    refuses(archive(**{kept: X}), f"lacks {missing}")


def test_objects_are_refused_without_being_unpickled(archive):
    refuses(archive(x=X, y=np.array([object()] * 3)), "plain arrays, got Object arrays")


def test_different_numbers_of_rows_are_refused(archive):
    refuses(archive(x=X, y=np.arange(4)), "one row per example, got 3 and 4")


@pytest.mark.parametrize("shape", [(0, 2), (0, 0), (0, 3, 0)])
def test_empty_data_is_refused(archive, shape):
    refuses(archive(x=np.zeros(shape), y=np.zeros(0)), "must hold examples and features")


@pytest.mark.parametrize(("x", "y"), [(X[:, 0], np.arange(3)), (X, np.array(1))])
def test_missing_axes_are_refused(archive, x, y):
    refuses(archive(x=x, y=y), r"`x` must be \(n, features\)")


def test_one_hot_labels_are_refused_with_the_way_out(archive):
    refuses(archive(x=X, y=np.eye(3, dtype=int)), r"argmax\(axis=1\)")


@pytest.mark.parametrize("label", [-1, 2**31, 2**40, 1000])
def test_labels_that_are_none_are_refused(archive, label):
    refuses(archive(x=X, y=np.array([0, 1, label])), rf"must lie in \[0, 1000\), got {label}\.")


def test_unsigned_labels_do_not_wrap(archive):
    refuses(archive(x=X, y=np.array([0, 1, 2**64 - 1], np.uint64)), "got 18446744073709551615")


def test_nan_is_refused_with_its_place(archive):
    x = X.copy()
    x[1, 1] = np.nan
    refuses(archive(x=x, y=np.arange(3)), r"1 of 3 rows \(row 1\), column 'x\[1\]'")


def test_nan_in_the_targets_is_refused(archive):
    refuses(archive(x=X, y=np.array([0.0, np.nan, 1.0])), "`y` must be finite")


def test_numbers_beyond_float32_are_refused(archive):
    refuses(archive(x=X * 1e300, y=np.arange(3)), r"\(as float32\): `x` must be finite")


@pytest.mark.parametrize("name", ["x", "y"])
def test_complex_numbers_are_refused(archive, name):
    arrays = {"x": X, "y": np.arange(3), name: X * 1j}
    refuses(archive(**arrays), f"`{name}` must hold real numbers", TypeError)


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04"])
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "mine.npz"
    path.write_bytes(content)
    refuses(path, "must be a NumPy archive")


def test_a_single_array_is_refused(tmp_path):
    path = tmp_path / "mine.npz"
    buffer = io.BytesIO()
    np.save(buffer, X)
    path.write_bytes(buffer.getvalue())
    refuses(path, "must be a NumPy archive")


def test_a_flipped_byte_in_the_numbers_is_refused(archive):
    path = archive(x=np.random.default_rng(0).normal(size=(50, 2)), y=np.arange(50))
    damaged = bytearray(path.read_bytes())
    damaged[400] ^= 1
    path.write_bytes(damaged)
    refuses(path, "must be a readable archive of plain arrays")


def test_an_archive_of_other_things_is_refused(tmp_path):
    path = tmp_path / "mine.npz"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("x.npy", "text")
        file.writestr("y.npy", "text")
    refuses(path, r"`x` must be \(n, features\)")


def test_a_header_that_promises_too_much_is_refused(tmp_path):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f8", "fortran_order": False, "shape": (2**40, 2**10)}
    )
    path = tmp_path / "mine.npz"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("x.npy", header.getvalue() + bytes(64))
        file.writestr("y.npy", header.getvalue())
    refuses(path, "must be a readable archive of plain arrays")


def test_a_missing_file_is_named(tmp_path):
    refuses(tmp_path / "none.npz", "the file must exist, found none", FileNotFoundError)


def test_a_folder_is_refused(tmp_path):
    refuses(tmp_path, "must be a file, got the folder", IsADirectoryError)


@pytest.mark.parametrize("source", ["data.txt", Path("data"), "folder/data"])
def test_load_refuses_other_kinds_of_files(source):
    with pytest.raises(ValueError, match=r"must end in \.npz or \.csv"):
        load(source)


def test_load_refuses_a_target_where_there_are_no_columns(archive):
    with pytest.raises(ValueError, match=r"`target` names a column of a \.csv file"):
        load(archive(x=X, y=np.arange(3)), target="y")
