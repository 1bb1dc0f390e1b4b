"""Files: paths as users give them, and writing that leaves either the old file or the new one."""

import os
import secrets
from collections.abc import Iterable
from pathlib import Path

from jaxopt_dl._core.errors import fail


def existing_file(who: str, path: str | os.PathLike[str]) -> Path:
    """Return `path` as a `Path` to a file that is there.

    Raises:
      FileNotFoundError: if nothing is there.
      IsADirectoryError: if it is a folder.
    """
    path = Path(path)
    if path.is_dir():
        advice = "Name a file in it."
        fail(
            who, "the path must be a file", f"got the folder {path}", advice, kind=IsADirectoryError
        )
    if not path.exists():
        advice = "Check the spelling and the folder."
        fail(who, "the file must exist", f"found none at {path}", advice, kind=FileNotFoundError)
    return path


def writable_file(who: str, path: str | os.PathLike[str]) -> Path:
    """Return `path` as a `Path` in a folder that is there; links are followed.

    Raises:
      FileNotFoundError: if its folder does not exist.
      IsADirectoryError: if it is a folder itself.
    """
    path = Path(os.path.realpath(path))
    if path.is_dir():
        advice = "Add a file name."
        fail(
            who, "the path must be a file", f"got the folder {path}", advice, kind=IsADirectoryError
        )
    if not path.parent.is_dir():
        came = f"found no folder {path.parent}"
        fail(who, "the folder must exist", came, "Make it first.", kind=FileNotFoundError)
    return path


def write_atomically(path: Path, parts: Iterable) -> None:
    """Write a file so that, whatever fails, the path holds the old contents or all of the new.

    The bytes go to a temporary file beside it, reach the disk, and only then take the name.

    Args:
      path: the file, new or old; not a symbolic link, which would be replaced.
      parts: bytes-like objects, written one after the other.

    Raises:
      OSError: if the disk is full, the folder is not writable and the like.
    """
    temporary = path.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        with temporary.open("xb") as file:
            for part in parts:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Make the new name durable; Windows neither offers nor needs this."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
