"""The folder of a run: reserved before the training, filled after it, never overwritten."""

import contextlib
import itertools
import pathlib
from collections.abc import Iterator

from jaxopt_dl import report, train

from ._config import Config
from ._errors import Refusal
from ._names import CONFIG, HISTORY, PAGE, PARAMS
from ._toml import write_config
from ._train import Job, kept


@contextlib.contextmanager
def run_folder(config: Config) -> Iterator[pathlib.Path]:
    """Make a new folder and write the configuration into it, so that all later writing works.

    If nothing else gets written before an error or an interruption, the folder is removed.

    Raises:
      Refusal: if the folder cannot be made or written.
    """
    folder = None
    try:
        folder = _reserve(pathlib.Path(config.out), config.name)
        write_config(folder / CONFIG, config)
    except OSError as error:
        if folder is not None:
            _discard(folder)
        advice = "Choose another folder with --out."
        reason = error.strerror or error
        rule = f"out: runs must be writable in {config.out!r}"
        raise Refusal(f"{rule}, got: {reason}. {advice}") from error
    try:
        yield folder
    except BaseException:
        _discard(folder)
        raise


def save_result(folder: pathlib.Path, job: Job, result: train.FitResult) -> None:
    """Write the parameters and the history.

    `best.params` holds `params`, `state` and `normalizers`, all that prediction needs.
    """
    params, state = kept(result)
    normalizers = {name: n._asdict() for name, n in job.prepared.normalizers.items()}
    everything = {"params": params, "state": state, "normalizers": normalizers}
    train.save_params(folder / PARAMS, everything)
    result.history.write_jsonl(folder / HISTORY)


def save_page(folder: pathlib.Path, page: report.RunPage) -> None:
    """Write the page."""
    report.write_page(folder / PAGE, page)


def _reserve(out: pathlib.Path, name: str) -> pathlib.Path:
    """Make the first free folder of `name`, `name-2`, `name-3`, ...; making it is the test."""
    out.mkdir(parents=True, exist_ok=True)
    for number in itertools.count(1):
        folder = out / (name if number == 1 else f"{name}-{number}")
        with contextlib.suppress(FileExistsError):
            folder.mkdir()
            return folder
    raise AssertionError("unreachable")


def _discard(folder: pathlib.Path) -> None:
    """Remove a folder that holds nothing but its configuration."""
    if {path.name for path in folder.iterdir()} <= {CONFIG}:
        (folder / CONFIG).unlink(missing_ok=True)
        folder.rmdir()
