"""The command line: `jaxopt-dl demo`, `jaxopt-dl train`. Importing it imports neither jax nor tyro."""

from ._main import main

__all__ = ["main"]
