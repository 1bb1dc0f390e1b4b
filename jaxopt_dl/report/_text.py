"""Words and numbers of the page: names made harmless, numbers made short."""

import math
import unicodedata
from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np

DASH, MINUS, CROSS = "\u2013", "\u2212", "\u00d7"

# Embeddings, overrides and isolates reorder the text that follows them.
_BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_NOT_IN_XML = frozenset("\ufffe\uffff")


def visible(text: object) -> str:
    r"""Write characters that act instead of showing (controls, bidi overrides) as `\u....`.

    Newlines and tabs are kept. The result can always be encoded and put into XML.
    """
    return "".join(f"\\u{ord(char):04x}" if _acts(char) else char for char in str(text))


def _acts(char: str) -> bool:
    if char in "\n\t":
        return False
    return unicodedata.category(char) in ("Cc", "Cs") or char in _BIDI or char in _NOT_IN_XML


def elide(text: object, width: int) -> str:
    """Put a name on one line of at most `width` characters; both its ends are kept.

    Examples:
      >>> elide("class number 19", 10)
      'class…r 19'
    """
    line = visible(" ".join(str(text).split()))
    if len(line) <= width:
        return line
    tail = (width - 1) // 2
    return line[: width - 1 - tail] + "…" + line[len(line) - tail :]


def number(value: Any) -> str:
    """Write a number in a sentence: four significant digits at most; None, not measured, as a dash.

    Examples:
      >>> number(0.03), number(1800), number(None), number(float("nan"))
      ('0.03', '1800', '–', 'NaN')
    """
    return _digits(value, ".4g")


def cell(value: Any) -> str:
    """Write a number in a column: always four significant digits, so that columns align.

    Examples:
      >>> cell(0.03), cell(1800)
      ('0.03000', '1800')
    """
    return _digits(value, "#.4g")


def _digits(value: Any, form: str) -> str:
    if value is None:
        return DASH
    plain = np.asarray(value).item()
    if isinstance(plain, int):
        text = str(plain)
    elif math.isnan(plain):
        text = "NaN"
    else:
        text = f"{plain:{form}}".replace("inf", "∞").removesuffix(".")
    return text.replace("-", MINUS)


def words(column: str) -> str:
    """Turn the name of a column into words: `dev_accuracy` reads "dev accuracy"."""
    return column.replace("_", " ")


def capital(sentence: str) -> str:
    """Start a sentence with a capital letter, leaving the rest as it is."""
    return sentence[:1].upper() + sentence[1:]


def ranges(integers: Sequence[int]) -> str:
    """List increasing integers, runs of them joined.

    Examples:
      >>> ranges([3, 4, 5, 9])
      '3–5, 9'
    """
    runs = [
        [number for _, number in run]
        for _, run in groupby(enumerate(integers), lambda pair: pair[1] - pair[0])
    ]
    return ", ".join(DASH.join(map(str, run[:1] + run[1:][-1:])) for run in runs)
