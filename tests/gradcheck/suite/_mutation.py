"""Plant a bug by editing one place in the source of a correct function.

The mutant keeps the name, the file and the line numbers of the original, so that a report about
it can be compared with the definition a reader sees.
"""

import inspect
import textwrap
from collections.abc import Callable


def mutated(function: Callable, old: str, new: str) -> Callable:
    """Return `function` with its only occurrence of `old` replaced by `new` of as many lines."""
    lines, first = inspect.getsourcelines(function)
    source = textwrap.dedent("".join(lines))
    if source.count(old) != 1:
        raise ValueError(f"suite: {function.__name__} must contain once: {old!r}")
    if old.count("\n") != new.count("\n"):
        raise ValueError(f"suite: a mutation must keep the line numbers, got {old!r} -> {new!r}")
    code = compile(
        "\n" * (first - 1) + source.replace(old, new),
        inspect.getsourcefile(function) or "",
        "exec",
    )
    names: dict[str, Callable] = {}
    exec(code, function.__globals__, names)
    return names[function.__name__]
