"""The command line: list experiments, run them, write the gallery."""

import argparse
import sys
import time
from collections.abc import Sequence

from experiments import _catalog, _gallery, _results


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 0, or 2 for bad usage."""
    options = _parser().parse_args(arguments)
    if options.command == "list":
        _list()
    elif options.command == "gallery":
        print(_gallery.write())
    else:
        known = list(_catalog.ids())
        asked = [name if name == "all" else name.upper() for name in map(str.lower, options.ids)]
        unknown = [name for name in asked if name not in (*known, "all")]
        if unknown:
            print(
                f"experiments: no {', '.join(unknown)}; there is {', '.join(known)}.",
                file=sys.stderr,
            )
            return 2
        names = known if "all" in asked else asked
        if options.command == "judge":
            _judge(names)
        else:
            _run(names, quick=options.quick)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m experiments", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="every experiment with its last verdict")
    commands.add_parser("gallery", help="write docs/experiments/index.md from the results")
    judge = commands.add_parser("judge", help="judge and draw stored measurements once more")
    run = commands.add_parser("run", help="measure; writes JSON and picture to docs/experiments")
    for command in (judge, run):
        command.add_argument("ids", nargs="+", metavar="ID", help="such as X-01; or all")
    run.add_argument("--quick", action="store_true", help="smaller, seconds each; writes nothing")
    return parser


def _list() -> None:
    for name in _catalog.ids():
        result = _results.read(name)
        verdict = result["verdict"] if result else "not run yet"
        print(f"{name}  {verdict:14} {_catalog.load(name).title}")


def _run(names: Sequence[str], *, quick: bool) -> None:
    for name in names:
        start = time.perf_counter()
        result = _results.run(_catalog.load(name), quick=quick)
        seconds = time.perf_counter() - start
        print(f"{name}  {result['verdict']} ({seconds:.0f} s): {result['finding']}", flush=True)
    if not quick:
        _gallery.write()


def _judge(names: Sequence[str]) -> None:
    for name in names:
        result = _results.judge_again(_catalog.load(name))
        print(f"{name}  {result['verdict']}: {result['finding']}")
    _gallery.write()


if __name__ == "__main__":
    sys.exit(main())
