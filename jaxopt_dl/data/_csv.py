"""Tables of comma-separated text with a header row."""

import csv
import difflib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxopt_dl._core.errors import fail
from jaxopt_dl._core.files import existing_file

from ._dataset import Dataset
from ._targets import as_float32, as_targets

_MISSING = frozenset({"", "na", "n/a", "nan", "null", "?"})
_LARGEST = float(np.finfo(np.float32).max)
_SHOWN = 5
_SHOWN_LETTERS = 40
_MOST_DIGITS = 18
"""Integers of so many digits fit into 64 bits."""


class _Table(NamedTuple):
    header: list[str]
    rows: list[list[str]]
    lines: list[int]
    """Line of the file each row ends on, counted from 1."""


def load_csv(path: str | os.PathLike[str], *, target: str | None = None) -> Dataset:
    r"""Load a table of comma-separated text: a header row, numeric features, one target column.

    The target column says what the task is. If every value is an integer literal (`3`, not
    `3.0`), they are class labels `0 .. K-1` and stay as they are; if every value is a number,
    they are regression targets; otherwise they are class names, numbered in sorted order.
    Decimal numbers among names raise.
    Blank lines are passed over. There is no guessing at missing values: one raises.

    Args:
      path: a UTF-8 file; the first row names the columns.
      target: name of the target column; the last one by default.

    Returns:
      The data set, named after the file.

    Raises:
      FileNotFoundError: if there is no such file.
      IsADirectoryError: if the path is a folder.
      ValueError: if the file is empty, not text, or has no header or no rows; if names repeat,
        a row has too many or too few cells, a value is missing (also `NA`, `nan`, `null`, `?`),
        a feature is not a finite number in float32, labels are no labels, or `target` is not a
        column. Messages name the file, and the line and column where there is one.

    Examples:
      >>> import tempfile
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     path = Path(folder) / "flowers.csv"
      ...     _ = path.write_text("length,width,kind\n5.1,3.5,setosa\n6.2,2.9,iris\n")
      ...     data = load_csv(path)
      >>> data.feature_names, data.class_names, data.y.tolist()
      (('length', 'width'), ('iris', 'setosa'), [1, 0])
    """
    path = existing_file("load_csv", path)
    who = f"load_csv: {path}"
    table = _read_table(who, path)
    at = _target_column(who, table.header, target)
    features = [column for column in range(len(table.header)) if column != at]
    names = tuple(table.header[column] for column in features)
    x = np.stack([_feature(who, table, column) for column in features], axis=1)
    y, classes = as_targets(who, _target_values(who, table, at))
    return Dataset(path.stem, as_float32(who, "x", x, names), y, names, classes)


def _read_table(who: str, path: Path) -> _Table:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, strict=True)
            numbered = [(reader.line_num, [c.strip() for c in row]) for row in reader if row]
    except csv.Error as error:
        advice = "Repair the quotes around cells."
        fail(who, "must be comma-separated text", f"got {error} in line {reader.line_num}", advice)
    except UnicodeDecodeError as error:
        advice = "Export it again as comma-separated text in UTF-8."
        fail(who, "must be text in UTF-8", f"got {error}", advice)
    if len(numbered) < 2:
        came = "found no lines at all" if not numbered else "found one line only"
        fail(who, "must hold a header row and rows of data", came, "Check how it was written.")
    header = numbered[0][1]
    _check_header(who, header)
    table = _Table(header, [row for _, row in numbered[1:]], [line for line, _ in numbered[1:]])
    for line, row in zip(table.lines, table.rows, strict=True):
        if len(row) != len(header):
            rule = f"every row must have {len(header)} cells, as the header"
            fail(who, rule, f"got {len(row)} in line {line}", "Repair or remove the line.")
    _check_nothing_missing(who, table)
    return table


def _check_nothing_missing(who: str, table: _Table) -> None:
    """Say how many rows lack a value, which columns do, and where the first one is."""
    missing = [
        (row, column)
        for row, cells in enumerate(table.rows)
        for column, cell in enumerate(cells)
        if cell.lower() in _MISSING
    ]
    if not missing:
        return
    rows = len({row for row, _ in missing})
    names = [repr(table.header[column]) for column in sorted({column for _, column in missing})]
    columns = ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
    row, column = missing[0]
    came = f"got {table.rows[row][column]!r}{_where(table.header[column], table.lines[row])}"
    count = f"{rows} of {len(table.rows)} rows lack one, in the columns {columns}"
    advice = "Fill them in or remove the lines."
    fail(who, "no value may be missing", f"{came}; {count}", advice)


def _check_header(who: str, header: list[str]) -> None:
    if len(header) < 2:
        came = f"got one column, {header[0]!r}"
        fail(who, "must have at least two columns", came, "Separate the cells by commas.")
    if any(_is_number(name) for name in header):
        came = "got a number in the first row"
        fail(who, "must begin with a header row", came, "Put the names of the columns there.")
    repeated = sorted({name for name in header if header.count(name) > 1})
    if repeated or "" in header:
        came = f"got {repeated[0]!r} twice" if repeated else "got an empty name"
        fail(who, "columns must have different names", came, "Rename the column.")


def _target_column(who: str, header: list[str], target: str | None) -> int:
    if target is None:
        return len(header) - 1
    if target in header:
        return header.index(target)
    near = difflib.get_close_matches(str(target), header, n=1)
    advice = f"Did you mean {near[0]!r}?" if near else f"Choose from {', '.join(header)}."
    fail(who, "`target` must be the name of a column", f"got {target!r}", advice)


def _target_values(who: str, table: _Table, column: int) -> np.ndarray:
    """Return integers, floats or strings, as the cells of the column read."""
    name = table.header[column]
    cells = [row[column] for row in table.rows]
    numbers = [_number(who, name, *at) for at in zip(table.lines, cells, strict=True)]
    if all(_is_integer(cell) for cell in cells):
        return np.array([_label(who, name, *at) for at in zip(table.lines, cells, strict=True)])
    if all(number is not None for number in numbers):
        return np.array(numbers, np.float64)
    _check_not_mixed(who, table, column, numbers)
    return np.array(cells)


def _check_not_mixed(who: str, table: _Table, column: int, numbers: Sequence[float | None]) -> None:
    """Refuse a measured quantity with one word in it, which would pass as many class names."""
    if not any(
        number is not None and not _is_integer(row[column])
        for number, row in zip(numbers, table.rows, strict=True)
    ):
        return
    at = numbers.index(None)
    came = f"got {_shortened(table.rows[at][column])!r} among numbers"
    came += _where(table.header[column], table.lines[at])
    fail(who, "targets must be all numbers or all names", came, "Repair or remove the line.")


def _feature(who: str, table: _Table, column: int) -> np.ndarray:
    name = table.header[column]
    values = np.empty(len(table.rows))
    for index, (line, row) in enumerate(zip(table.lines, table.rows, strict=True)):
        number = _number(who, name, line, row[column])
        if number is None:
            came = f"got {_shortened(row[column])!r}{_where(name, line)}"
            advice = "Encode the column as numbers, or name it as the target."
            fail(who, "features must be numbers", came, advice)
        values[index] = number
    return values


def _number(who: str, name: str, line: int, cell: str) -> float | None:
    """Return the number a cell holds, or None if it is text."""
    if not _is_number(cell):
        return None
    number = float(cell)
    if not abs(number) <= _LARGEST:
        came = f"got {_shortened(cell)}{_where(name, line)}"
        fail(who, "numbers must be finite in float32", came, "Rescale the column or repair it.")
    return number


def _label(who: str, name: str, line: int, cell: str) -> int:
    if len(cell.lstrip("+-0")) > _MOST_DIGITS:
        came = f"got {_shortened(cell)}{_where(name, line)}"
        advice = "Number the classes from 0, or write decimal points for regression."
        fail(who, f"class labels must have at most {_MOST_DIGITS} digits", came, advice)
    return int(cell)


def _shortened(cell: str) -> str:
    return cell if len(cell) <= _SHOWN_LETTERS else f"{cell[:_SHOWN_LETTERS]}..."


def _where(name: str, line: int) -> str:
    return f" in line {line}, column {name!r}"


def _is_integer(cell: str) -> bool:
    digits = cell[1:] if cell[:1] in ("+", "-") else cell
    return digits.isascii() and digits.isdigit()


def _is_number(cell: str) -> bool:
    """Whether a cell reads as a number; Python alone would also take `1_000`."""
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell
