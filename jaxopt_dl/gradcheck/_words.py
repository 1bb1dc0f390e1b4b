"""Small pieces of sentences: counts, names of entries, lines that fit a terminal."""

import textwrap
from collections.abc import Sequence
from typing import Any

WIDTH = 80
DOTS = "…"


def counted(number: int, one: str, many: str = "") -> str:
    """Write `1 leaf` or `1,200 leaves`.

    Args:
      number: how many.
      one: the noun in the singular.
      many: its plural, if that is not the singular with an s.
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def listed(words: Sequence[str], most: int = 4) -> str:
    """Write `a, b and c`, and how many more there are beyond the first few."""
    shown = list(words[:most])
    if len(words) > most:
        shown.append(f"{len(words) - most:,} more")
    return " and ".join(part for part in (", ".join(shown[:-1]), *shown[-1:]) if part)


def leaf_name(path: str) -> str:
    """Return the path of a leaf, or a word for parameters that are one bare array."""
    return path or "the parameter"


def entry_name(path: str, index: Sequence[int]) -> str:
    """Write one entry as `path[i, j]`."""
    where = f"[{', '.join(map(str, index))}]" if index else ""
    return f"{path or 'entry '}{where}" if where else leaf_name(path)


def kind_of(value: Any) -> str:
    """Describe a value that should not have come: its type, and shape and dtype of an array."""
    if value is None or isinstance(value, bool | int | float | complex | str):
        text = repr(value)
        return text if len(text) <= WIDTH // 2 else f"a {type(value).__name__}"
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"an array of shape {tuple(value.shape)} and dtype {value.dtype}"
    if isinstance(value, tuple | list | dict):
        return f"a {type(value).__name__} of {len(value)}"
    return f"something of type {type(value).__name__}"


def elided(text: str, width: int) -> str:
    """Shorten a path from the middle, `encoder/…/kernel[3, 4]`, so that both ends can be read."""
    if len(text) <= width:
        return text
    first, *rest = text.split("/")
    for kept in range(1, len(rest)):
        shorter = "/".join((first, DOTS, *rest[kept:]))
        if len(shorter) <= width:
            return shorter
    end = (width - 1) * 2 // 3
    return text[: width - 1 - end] + DOTS + text[-end:]


def wrapped(text: str, start: str = "") -> list[str]:
    """Break a sentence into lines of at most `WIDTH`; later ones are indented like the first."""
    room = WIDTH - len(start)
    return textwrap.wrap(
        " ".join(elided(word, room) for word in text.split()),
        WIDTH,
        initial_indent=start,
        subsequent_indent=" " * len(start),
        break_long_words=False,
        break_on_hyphens=False,
    )
