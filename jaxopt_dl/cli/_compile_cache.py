"""Compiled programs kept between runs, in the user's folder of caches."""

import contextlib
import os
import pathlib
import platform
import sys

from jaxopt_dl import train

from ._errors import Refusal

VARIABLE = "JAXOPT_DL_CACHE"


def keep_programs(choice: str) -> None:
    """Keep what is compiled from now on, as the flag and then the environment say.

    The folder chosen here is a convenience: where it cannot be written, runs go on without it.

    Raises:
      Refusal: if a folder that was asked for cannot be used.
    """
    asked = choice if choice != "auto" else os.environ.get(VARIABLE, "auto")
    if asked == "auto":
        if "JAX_COMPILATION_CACHE_DIR" not in os.environ:  # which JAX itself follows
            with contextlib.suppress(OSError, RuntimeError):  # RuntimeError: there is no home
                train.enable_compile_cache(default_folder())
    elif asked != "none":
        _use(asked)


def default_folder() -> pathlib.Path:
    """Return the folder of this computer; homes are shared by computers whose processors differ."""
    home = pathlib.Path.home()
    if sys.platform == "win32":
        base = pathlib.Path(os.environ.get("LOCALAPPDATA", home / "AppData" / "Local"))
    elif sys.platform == "darwin":
        base = home / "Library" / "Caches"
    else:
        base = pathlib.Path(os.environ.get("XDG_CACHE_HOME", home / ".cache"))
    return base / "jaxopt_dl" / f"programs-{platform.node() or 'here'}"


def _use(asked: str) -> None:
    try:
        train.enable_compile_cache(asked)
    except OSError as error:
        reason = error.__cause__ or error
        advice = "Choose another folder, or --cache none."
        raise Refusal(f"cache: {asked!r} must be writable, got: {reason}. {advice}") from error
