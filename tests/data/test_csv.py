"""Tables: what columns mean, and every way a file can be wrong."""

import re

import numpy as np
import pytest

from jaxopt_dl.data import load, load_csv


@pytest.fixture
def table(tmp_path):
    def write(text, encoding="utf-8"):
        path = tmp_path / "table.csv"
        path.write_bytes(text.encode(encoding) if isinstance(text, str) else text)
        return path

    return write


def refuses(path, message, **options):
    with pytest.raises(ValueError, match=message) as caught:
        load_csv(path, **options)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)


def test_the_last_column_is_the_target(table):
    data = load(table("a,b,c\n1,2,0.5\n3,4.5,1\n"))
    np.testing.assert_array_equal(data.x, [[1, 2], [3, 4.5]])
    np.testing.assert_array_equal(data.y, np.float32([0.5, 1]))
    assert (data.name, data.feature_names, data.class_names) == ("table", ("a", "b"), None)
    assert (data.x.dtype, data.y.dtype) == (np.float32, np.float32)


def test_a_target_can_be_named(table):
    data = load(table("a,b,c\n1,2,3\n4,0,6\n"), target="b")
    assert (data.feature_names, data.y.tolist()) == (("a", "c"), [2, 0])
    np.testing.assert_array_equal(data.x, [[1, 3], [4, 6]])


def test_integer_literals_are_labels(table):
    data = load_csv(table("a,y\n1,2\n2,0\n"))
    assert (data.y.dtype, data.y.tolist()) == (np.int32, [2, 0])
    assert data.class_names == ("0", "1", "2")


def test_one_decimal_point_makes_a_regression(table):
    data = load_csv(table("a,y\n1,2\n2,0.0\n"))
    assert (data.y.dtype, data.class_names) == (np.float32, None)


def test_names_are_classes_in_sorted_order(table):
    data = load_csv(table("a,y\n1,pear\n2,apple\n3,pear\n"))
    assert (data.y.tolist(), data.class_names) == ([1, 0, 1], ("apple", "pear"))


def test_a_class_may_be_called_none(table):
    assert load_csv(table("a,y\n1,none\n2,flu\n")).class_names == ("flu", "none")


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffa,y\n1,2\n",
        "a,y\r\n1,2\r\n",
        "a , y\n 1 , 2 \n\n",
        '"a","y"\n"1","2"',
        "a,y\n\n1,2\n",
        "a,y\n+1.0e0,+2\n",
    ],
)
def test_common_ways_of_writing_are_read_alike(table, text):
    data = load_csv(table(text))
    assert (data.feature_names, data.x.tolist(), data.y.tolist()) == (("a",), [[1.0]], [2])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "found no lines at all"),
        ("a,b\n", "found one line only"),
        ("1,2\n3,4\n", "must begin with a header row"),
        ("5.1,3.5,setosa\n4.9,3.0,setosa\n", "must begin with a header row"),
        ("a\n1\n", "at least two columns, got one column, 'a'"),
        ("a;b\n1;2\n", "Separate the cells by commas"),
        ("a,a,y\n1,2,3\n", "different names, got 'a' twice"),
        (",a,y\n0,1,2\n", "got an empty name"),
        ("a,b,y\n1,2,3\n4,5\n", "must have 3 cells, as the header, got 2 in line 3"),
        ("a,b,y\n1,2,3,4\n", "got 4 in line 2"),
        ("a,b,y\n1,2,3\n4,,6\n", "no value may be missing, got '' in line 3, column 'b'"),
        ("a,b,y\n1,NA,3\n", "got 'NA' in line 2, column 'b'"),
        ("a,b,y\n1,NA,3\n4,5,6\n,,9\n", "; 2 of 3 rows lack one, in the columns 'a', 'b'"),
        ("a,b,y\n1,nan,3\n", "got 'nan' in line 2, column 'b'"),
        ("a,b,y\n1,2,\n", "got '' in line 2, column 'y'"),
        ("a,b,y\n1,2,NaN\n", "got 'NaN' in line 2, column 'y'"),
        ("a,b,y\n1,2,3\n\n1,red,3\n", "must be numbers, got 'red' in line 4, column 'b'"),
        ("a,b,y\n1,1_000,3\n", "must be numbers, got '1_000' in line 2"),
        ("a,b,y\n1,inf,3\n", "finite in float32, got inf in line 2, column 'b'"),
        ("a,b,y\n1,1e39,3\n", "finite in float32, got 1e39 in line 2, column 'b'"),
        ("a,y\n1,-inf\n", "finite in float32, got -inf in line 2, column 'y'"),
        ("a,y\n1,1.5\n2,oops\n", "all numbers or all names, got 'oops' .* line 3, column 'y'"),
        ("a,y\n1,-1\n2,1\n", r"labels in `y` must lie in \[0, 1000\), got -1"),
        ("a,y\n1,1990\n2,1\n", "got 1990. Number the classes from 0, or store"),
        ("a,y\n1,9223372036854775808\n", "at most 18 digits"),
        (f"a,y\n1,{'9' * 38}\n", "at most 18 digits"),
        ('a,y\n1,"2\n', "must be comma-separated text, got unexpected end of data"),
        (b"a,y\n\xff\xfe,1\n", "must be text in UTF-8"),
    ],
)
def test_a_wrong_file_is_refused_with_the_place(table, text, message):
    refuses(table(text), message)


@pytest.mark.parametrize("rows", ["{},1\n", "1,{}\n"])
@pytest.mark.parametrize("sign", "9x")
def test_a_huge_cell_is_not_repeated_whole(table, rows, sign):
    path = table("a,y\n" + rows.format(sign * 5000) + "2.5,2.5\n")
    with pytest.raises(ValueError, match=re.escape(sign * 40 + "...")) as caught:
        load_csv(path)
    assert len(str(caught.value)) < 400 + len(str(path))


def test_an_unknown_target_is_refused_with_the_nearest_spelling(table):
    refuses(table("width,kind\n1,2\n"), "Did you mean 'kind'", target="kinds")


def test_an_unknown_target_unlike_any_column_is_refused_with_all_of_them(table):
    refuses(table("width,kind\n1,2\n"), "Choose from width, kind", target="zzz")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"found none at .*none\.csv"):
        load_csv(tmp_path / "none.csv")
