"""The command line `jaxopt-dl`: demo, train and check-grads; importing it imports no jax."""

from ._main import main

__all__ = ["main"]
