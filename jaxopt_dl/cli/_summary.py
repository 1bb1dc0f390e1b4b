"""What a run says about itself: the table of the terminal, and the page."""

import dataclasses
import datetime
import importlib.metadata
import platform

import jax
import numpy as np

from jaxopt_dl import __version__, data, report, train
from jaxopt_dl._core import trees

from ._scores import confusion, scores, worst
from ._train import Job

PACKAGES = ("jax", "jaxlib", "optax", "numpy")


def summarize(
    job: Job, result: train.FitResult, outputs: dict[str, np.ndarray]
) -> list[tuple[str, str]]:
    """Return `(label, text)` rows, the same for the terminal and the page."""
    measure = "error" if job.prepared.classes is None else "accuracy"
    found = [
        (f"{part.capitalize()} {measure}", text) for part, text in scores(job, outputs).items()
    ]
    last = len(result.history)
    best = f"{result.best_epoch} of {last} (by {job.monitored})" if result.best_epoch else "none"
    return [
        *found,
        ("Best epoch", best),
        ("Data", _describe_data(job)),
        *_copies(job),
        ("Parameters", f"{trees.size(job.params)}"),
        ("Device", _device()),
        ("Compile time", f"{result.compile_seconds:.2f} s"),
        ("Run time", f"{result.run_seconds:.2f} s for {result.steps} steps"),
    ]


def make_page(
    job: Job,
    result: train.FitResult,
    outputs: dict[str, np.ndarray],
    *,
    name: str,
    command: str,
    summary: list[tuple[str, str]],
) -> report.RunPage:
    """Put together what the page is drawn from; `evaluated_on` is the last part there is."""
    part = list(outputs)[-1]
    evidence = {}
    if job.prepared.classes is not None:
        evidence = {
            "units": {"loss": "nats"},
            "class_names": job.prepared.classes,
            "confusion": confusion(job, part, outputs[part]),
            "worst": worst(job, part, outputs[part]),
            "evaluated_on": part,
        }
    if job.augmenting:
        evidence["augmented"] = job.augmenting.sheet(job.key)
    return report.RunPage(
        name=name,
        created=datetime.datetime.now().astimezone().isoformat(" ", "seconds"),
        command=command,
        outcome=result.outcome.value,
        history=result.history.rows,
        best_epoch=result.best_epoch or None,
        monitored=job.monitored,
        summary=summary,
        config=dataclasses.asdict(job.config),
        versions=_versions(),
        seed=job.config.seed,
        **evidence,
    )


def print_table(summary: list[tuple[str, str]]) -> None:
    """Print the table."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(show_header=False, box=box.SIMPLE)
    for label, text in summary:
        table.add_row(Text(label, "bold"), Text(text))
    Console().print(table)


def _describe_data(job: Job) -> str:
    prepared = job.prepared
    sizes = ", ".join(f"{len(rows)} {part}" for part, rows in prepared.rows.items())
    features = int(np.prod(prepared.dataset.x.shape[1:]))
    noun = "classes" if prepared.classes is not None else "targets"
    targets = f"{prepared.outputs} {noun}" if prepared.outputs > 1 else "1 target"
    return f"{prepared.dataset.name}: {sizes}; {features} features, {targets}"


def _copies(job: Job) -> list[tuple[str, str]]:
    """Say which parts have examples in common, if there are any: they measure memory."""
    rows, x = job.prepared.rows, job.prepared.dataset.x
    common = data.find_duplicates({part: x[index] for part, index in rows.items()})
    texts = [
        f"{pair.count} of {len(rows[pair.second])} {pair.second} examples are in {pair.first} too"
        for pair in common
        if pair.count
    ]
    return [("Copies", "; ".join(texts))] if texts else []


def _device() -> str:
    device = jax.devices()[0]
    return device.platform if device.device_kind == device.platform else device.device_kind


def _versions() -> dict[str, str]:
    others = {name: importlib.metadata.version(name) for name in PACKAGES}
    return {"jaxopt_dl": __version__, "python": platform.python_version(), **others}
