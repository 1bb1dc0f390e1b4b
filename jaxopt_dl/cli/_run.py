"""One training from a configuration to a folder: check, reserve, train, save, tell."""

import pathlib
import sys

from jaxopt_dl import train

from ._build import without_effect
from ._config import Config
from ._interrupts import Interrupts
from ._names import CONFIG, PAGE
from ._output import run_folder, save_page, save_result
from ._program import command
from ._summary import make_page, print_table, summarize
from ._train import Job, Progress, kept, make_job, predictions, run_job

EXIT_CODES = {
    train.Outcome.COMPLETED: 0,
    train.Outcome.STOPPED_EARLY: 0,
    train.Outcome.NON_FINITE: 1,
    train.Outcome.INTERRUPTED: 130,
}


def run(
    config: Config, interrupts: Interrupts, *, progress: Progress, quiet: bool
) -> tuple[pathlib.Path, int]:
    """Train and write everything.

    Returns:
      The folder of the run, and the exit code.

    Raises:
      Refusal: if something cannot be used; nothing was trained then.
      KeyboardInterrupt: if it was interrupted before the first step, or while saving.
    """
    job = make_job(config)
    if not quiet:
        for note in without_effect(config):
            print(f"note: {note}.", flush=True)
    with run_folder(config) as folder:
        if folder.name != config.name and not quiet:
            taken = folder.with_name(config.name)
            print(f"{taken} exists and is kept; this run goes to {folder}.", flush=True)
        result = run_job(job, progress=progress, should_stop=lambda: interrupts.pressed)
        interrupts.hold()
        if result.outcome is train.Outcome.INTERRUPTED and result.steps == 0:
            raise KeyboardInterrupt
        try:
            save_result(folder, job, result)
            summary = _evaluate_and_page(folder, job, result)
        except KeyboardInterrupt:
            said = f"interrupted while saving; {folder} is not complete."
            raise KeyboardInterrupt(said) from None
    code = EXIT_CODES[result.outcome]
    if not quiet:
        print_table(summary)
    elif code:
        print(f"jaxopt-dl: {result.outcome.value}", file=sys.stderr)
    print(folder / PAGE if quiet else f"The page of this run: {folder / PAGE}", flush=True)
    return folder, code


def _evaluate_and_page(folder: pathlib.Path, job: Job, result: train.FitResult):
    outputs = predictions(job, kept(result))
    summary = summarize(job, result, outputs)
    rerun = command("train", folder / CONFIG)
    page = make_page(job, result, outputs, name=folder.name, command=rerun, summary=summary)
    save_page(folder, page)
    return summary
