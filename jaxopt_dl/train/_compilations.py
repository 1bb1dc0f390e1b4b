"""Which programs were compiled: a counter that anybody can read, and a folder that keeps them."""

import contextlib
import os
import pathlib
import tempfile
import threading
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import jax.monitoring
from jax.experimental.compilation_cache import compilation_cache

from jaxopt_dl._core.errors import fail

COMPILED = "/jax/core/compile/backend_compile_duration"
FOUND_IN_FOLDER = "/jax/compilation_cache/cache_hits"


class Compiled(NamedTuple):
    """One program that was made ready to run.

    Attributes:
      name: the function's name; the program of `fit` is `advance`.
      seconds: time the compiler took, or reading the program from the folder.
      cached: whether it was read from the folder of `enable_compile_cache`.

    Examples:
      >>> Compiled("advance", 0.5, cached=False).name
      'advance'
    """

    name: str
    seconds: float
    cached: bool


@contextlib.contextmanager
def compilations() -> Iterator[list[Compiled]]:
    """Watch what JAX compiles on this thread inside a `with` block.

    A training compiles one program, however many calls, epochs and evaluations it makes, and a
    second training of the same form none at all. What breaks that is seen here, such as an
    objective made anew, a number captured by closure or another shape. Operations outside of
    compiled functions are little programs too, each compiled once.

    Yields:
      A list that grows by one `Compiled` per program.

    Examples:
      >>> import jax.numpy as jnp
      >>> double = jax.jit(lambda x: 2 * x)
      >>> one = jnp.ones(3)
      >>> with compilations() as programs:
      ...     _ = double(one), double(one)
      >>> len(programs)
      1
    """
    thread, found, from_folder = threading.get_ident(), [], []

    def heard(event: str, **_: Any) -> None:
        if event == FOUND_IN_FOLDER and threading.get_ident() == thread:
            from_folder.append(True)

    def timed(event: str, duration_secs: float, **about: Any) -> None:
        if event == COMPILED and threading.get_ident() == thread:
            name = str(about.get("fun_name", "")).removeprefix("jit(").removesuffix(")")
            found.append(Compiled(name, duration_secs, bool(from_folder)))
            from_folder.clear()

    jax.monitoring.register_event_listener(heard)
    jax.monitoring.register_event_duration_secs_listener(timed)
    try:
        yield found
    finally:
        jax.monitoring.unregister_event_listener(heard)
        jax.monitoring.unregister_event_duration_listener(timed)


def enable_compile_cache(folder: str | os.PathLike[str]) -> pathlib.Path:
    """Keep compiled programs in a folder, so that the next process need not compile them again.

    It holds for everything this process compiles from now on, small programs included. JAX finds
    a program by its text, the compiler's version and options, and the kind of device; the folder
    may be deleted at any time. Do not share it between computers with different processors.

    Args:
      folder: where to keep them; made if it is missing.

    Returns:
      The folder.

    Raises:
      OSError: if the folder cannot be made or written; nothing is changed then.

    Examples:
      >>> try:  # with a folder that can be written, the next process starts sooner
      ...     enable_compile_cache("/dev/null/programs")
      ... except OSError as error:
      ...     print(str(error).partition(":")[0])
      enable_compile_cache
    """
    place = pathlib.Path(folder).expanduser().absolute()
    try:
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        rule, came = "`folder` must be writable", f"got {place}: {error.strerror or error}"
        fail("enable_compile_cache", rule, came, "Choose another.", kind=OSError, cause=error)
    jax.config.update("jax_compilation_cache_dir", str(place))
    # By default only what takes a second is kept; a training has many programs below that.
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    compilation_cache.reset_cache()  # a folder chosen before is otherwise never left
    return place
