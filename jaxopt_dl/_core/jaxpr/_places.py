"""The user's line behind an equation, and which files are libraries."""

import functools
import linecache
import sys
import sysconfig
from pathlib import Path
from typing import Any, NamedTuple

from ._equations import Equation

LIBRARIES = ("jax", "jaxlib", "optax", "flax", "equinox", "chex", "jaxtyping", "jaxopt_dl")


class Place(NamedTuple):
    """Where something was written.

    Attributes:
      function: name of the enclosing function, or of the function itself.
      file: path of the file; empty if unknown.
      line: line in that file; 0 if unknown.
    """

    function: str
    file: str
    line: int


def user_place(equation: Equation) -> Place | None:
    """Return where the user wrote an equation, or None where only libraries appear."""
    for frame in _frames(equation):
        if not is_library(frame.file_name) and not _is_standard(frame.file_name):
            return Place(short_name(frame.function_name), frame.file_name, frame.line_num)
    return None


def caller_file(equation: Equation, function: str) -> str:
    """Return the file whose code calls a library function by name, which made an equation.

    Lines of libraries that do not mention it only pass on what they were given, as `vmap` does.
    """
    frames = _frames(equation)
    last = max((i for i, frame in enumerate(frames) if frame.function_name == function), default=-1)
    for frame in frames[last + 1 :]:
        by_name = function in linecache.getline(frame.file_name, frame.line_num)
        if by_name or not is_library(frame.file_name):
            return frame.file_name
    return ""


@functools.cache
def is_library(file: str) -> bool:
    """Whether a file belongs to JAX or to a library whose rules are trusted."""
    return file.startswith(tuple(_library_folders()))


def short_name(name: str) -> str:
    """Return the name of a function without those it is defined in."""
    return name.rpartition("<locals>.")[2]


def _frames(equation: Equation) -> list[Any]:
    traceback = equation.source_info.traceback
    return list(traceback.frames) if traceback is not None else []


def _library_folders() -> list[str]:
    modules = [sys.modules.get(name) for name in LIBRARIES]
    files = [module.__file__ for module in modules if module is not None and module.__file__]
    return [_folder_of(file) for file in files]


@functools.cache
def _folder_of(file: str) -> str:
    """Cached, because every frame of every equation asks for it."""
    return f"{Path(file).parent}/"


def _is_standard(file: str) -> bool:
    """Whether a file belongs to Python itself, as `contextlib` does."""
    folder = sysconfig.get_path("stdlib")
    return file.startswith(f"{folder}/") and "-packages/" not in file
