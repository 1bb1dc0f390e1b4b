"""The command line, `jaxopt-dl demo` and `jaxopt-dl train`; importing it imports no jax."""

from ._main import main

__all__ = ["main"]
