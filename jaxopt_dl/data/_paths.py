"""Paths as users give them."""

import os
from pathlib import Path

from jaxopt_dl._core.errors import fail


def existing_file(who: str, path: str | os.PathLike[str]) -> Path:
    """Return `path` as a `Path` to a file that is there.

    Raises:
      FileNotFoundError: if nothing is there.
      ValueError: if it is a folder.
    """
    path = Path(path)
    if path.is_file():
        return path
    if path.exists():
        fail(who, "the path must be a file", f"got the folder {path}", "Name a file in it.")
    came = f"found none at {path}"
    advice = "Check the spelling and the folder."
    fail(who, "the file must exist", came, advice, kind=FileNotFoundError)
