"""How the user has to call this program, so that printed commands work when pasted."""

import os
import pathlib
import shlex
import shutil
import sys

NAME = "jaxopt-dl"


def command(*arguments: str | os.PathLike[str]) -> str:
    """Return a command line of this program, quoted for a shell."""
    return f"{program()} {shlex.join(str(argument) for argument in arguments)}"


def program() -> str:
    """Return `jaxopt-dl` where the shell finds ours, else the way to it from here."""
    script = pathlib.Path(sys.executable).with_name(NAME)
    found = shutil.which(NAME)
    if found is not None and pathlib.Path(found) == script:
        return NAME
    if script.exists():
        return shlex.quote(_from_here(script))
    return f"{shlex.quote(_from_here(pathlib.Path(sys.executable)))} -m jaxopt_dl"


def _from_here(path: pathlib.Path) -> str:
    """Return the path relative to the working directory where it lies below it."""
    here = pathlib.Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
