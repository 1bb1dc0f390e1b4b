"""One gradient check from a case to an exit code: load, check, print."""

import contextlib
import json
import sys
from typing import Any

from jaxopt_dl.gradcheck import GradientReport, check_gradients

from ._cases import blame_case, current_folder_importable, load_case
from ._flags import CheckFlags

EXIT_CODES = {"pass": 0, "fail": 1, "inconclusive": 3}


def check(flags: CheckFlags) -> int:
    """Check the case and print the report.

    Raises:
      Refusal: if there is nothing to check, or the case or the check of it raises.
    """
    # What the case prints is not part of the report.
    with current_folder_importable(), contextlib.redirect_stdout(sys.stderr):
        arguments: dict[str, Any] = {"progress": not flags.quiet}
        arguments |= load_case(flags.case) | _chosen(flags)
        with blame_case(flags.case):
            report = check_gradients(**arguments)
    print(_text(report, flags), flush=True)
    return EXIT_CODES[report.verdict]


def _chosen(flags: CheckFlags) -> dict[str, Any]:
    """The options given on the command line, which win over those of the case."""
    chosen: dict[str, Any] = {"components": flags.components, "seed": flags.seed}
    if flags.points is not None:
        chosen["points"] = () if flags.points == "given" else flags.points
    return {name: value for name, value in chosen.items() if value is not None}


def _text(report: GradientReport, flags: CheckFlags) -> str:
    if flags.json:
        return json.dumps(report.to_dict(), indent=2, allow_nan=False)
    text = str(report)
    return text.splitlines()[0] if flags.quiet else text
