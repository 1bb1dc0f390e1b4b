"""The front door: choose a command, turn whatever goes wrong into one sentence and an exit code."""

import difflib
import sys
import traceback

from jaxopt_dl import __version__

from ._errors import Refusal, sentence
from ._interrupts import Interrupts

COMMANDS = {
    "demo": "learn the bundled pictures of digits and write a page about it",
    "train": "train a network on your data, from a file or from flags",
    "check-grads": "check the gradient of your own function, and find what is wrong with it",
}

HELP_WORDS = ("-h", "--help", "help")
FAILED, REFUSED, INTERRUPTED = 1, 2, 130


def main(argv: list[str] | None = None) -> int:
    """Run one command of the command line.

    Args:
      argv: the arguments after the program's name; None takes those of the process.

    Returns:
      The exit code: 0 after a finished training or for a right gradient, 1 after a training
      that failed or for a wrong gradient, 2 for input that cannot be used, 3 for a gradient
      that could not be decided, 130 after Ctrl-C.

    Examples:
      >>> main(["trian"])  # says on standard error: Did you mean `train`?
      2
    """
    arguments = sys.argv[1:] if argv is None else list(argv)
    try:
        with Interrupts() as interrupts:
            return _dispatch(arguments, interrupts)
    except KeyboardInterrupt as stop:
        return _say(str(stop) or "interrupted before training; nothing was written.", INTERRUPTED)
    except SystemExit as stop:  # the parser of flags has already said why
        return stop.code if isinstance(stop.code, int) else REFUSED
    except Exception as error:
        if "--debug" in arguments:
            traceback.print_exc()
        return _say(*sentence(error, refused=REFUSED, failed=FAILED))


def _dispatch(arguments: list[str], interrupts: Interrupts) -> int:
    if not arguments or arguments[0] in HELP_WORDS:
        print(_help())
        return 0
    command, *rest = arguments
    if command == "--version":
        print(f"jaxopt-dl {__version__}")
        return 0
    if command not in COMMANDS:
        near = difflib.get_close_matches(command, COMMANDS, n=1)
        advice = f"Did you mean `{near[0]}`?" if near else "`jaxopt-dl --help` lists them."
        raise Refusal(f"`{command}` is no command; there are {', '.join(COMMANDS)}. {advice}")
    # Imported only now, so that the help above costs nothing.
    from . import _commands

    return getattr(_commands, command.replace("-", "_"))(rest, interrupts)


def _help() -> str:
    rows = "\n".join(f"  {name:13}{summary}" for name, summary in COMMANDS.items())
    return f"""usage: jaxopt-dl COMMAND [options]

Train networks in JAX: compiled runs, proven gradients, failures that explain themselves.

commands:
{rows}

`jaxopt-dl COMMAND --help` lists the options of one command.
`jaxopt-dl --version` prints the version; `--debug` after a command shows tracebacks."""


def _say(message: str, code: int) -> int:
    print(f"jaxopt-dl: {message}", file=sys.stderr)
    return code
