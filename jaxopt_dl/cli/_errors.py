"""What the command line refuses, and how it says so: one sentence, never a traceback."""

import contextlib
from collections.abc import Iterator


class Refusal(ValueError):
    """Input that cannot be used; the message is the whole answer to the user."""


@contextlib.contextmanager
def blame(key: str) -> Iterator[None]:
    """Put the dotted key of the configuration before what the library complains about."""
    try:
        yield
    except Refusal:
        raise
    except (ValueError, TypeError, OSError) as error:
        raise Refusal(f"{key}: {error}") from error


def sentence(error: Exception, *, refused: int, failed: int) -> tuple[str, int]:
    """Return what to print about an error, and the exit code."""
    if isinstance(error, ModuleNotFoundError):
        known = str(error) if "pip install" in str(error) else f"needs the package `{error.name}`"
        return f"{known.rstrip('.')}. Run: pip install 'jaxopt_dl[app]'", refused
    text = " ".join(str(error).split())
    if isinstance(error, Refusal | ValueError | TypeError | OSError):
        return text or type(error).__name__, refused
    return f"{type(error).__name__}: {text} (`--debug` shows the traceback)", failed
