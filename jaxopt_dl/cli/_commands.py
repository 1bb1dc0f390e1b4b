"""The commands: a parsed command line in, an exit code out."""

from ._demo import DEMO, introduce, next_steps
from ._errors import Refusal
from ._flags import Flags, parse_check, parse_demo, parse_train
from ._interrupts import Interrupts


def demo(argv: list[str], interrupts: Interrupts) -> int:
    """Train the demo network and say where to go from there."""
    flags = parse_demo(argv, DEMO)
    if not flags.quiet:
        introduce()
    folder, code = _train(flags, interrupts)
    if not flags.quiet and code == 0:
        next_steps(folder)
    return code


def train(argv: list[str], interrupts: Interrupts) -> int:
    """Train what the file and the flags describe."""
    flags = parse_train(argv)
    if not flags.config.data.source:
        advice = "For example `jaxopt-dl train --data.source digits`, or a file of your own."
        raise Refusal(f"data.source: there must be data to train on, got none. {advice}")
    return _train(flags, interrupts)[1]


def check_grads(argv: list[str], interrupts: Interrupts) -> int:
    """Check the gradient of a case; the exit code is the verdict."""
    flags = parse_check(argv)
    try:
        interrupts.raise_at_once()
        from ._check import check

        code = check(flags)
        interrupts.raise_at_once()
    except KeyboardInterrupt:
        raise KeyboardInterrupt("interrupted; the gradient was not checked.") from None
    return code


def _train(flags: Flags, interrupts: Interrupts):
    # Here, so that everything above answers before jax is imported.
    from ._compile_cache import keep_programs
    from ._run import run

    keep_programs(flags.cache)
    progress = None if flags.quiet or flags.progress == "none" else flags.progress
    return run(flags.config, interrupts, progress=progress, quiet=flags.quiet)
