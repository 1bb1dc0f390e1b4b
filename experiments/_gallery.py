"""The gallery: one page with every experiment, its picture and its answer."""

from pathlib import Path

from experiments import _catalog, _results
from experiments._experiment import Experiment

HEAD = """# Experiments

Claims about training networks, each held against a measurement. Question, setup and criterion
were fixed before anything was measured; where one was changed afterwards, the answer says so. "Not
confirmed" is an answer like any other. This page is written by `python -m experiments gallery` from
the files beside it, and those by

```sh
python -m experiments run all
```
"""


def write(folder: Path = _results.FOLDER) -> Path:
    """Write the page and return its path."""
    page = folder / "index.md"
    page.write_text(text(folder), encoding="utf-8")
    return page


def text(folder: Path = _results.FOLDER) -> str:
    """Return the page."""
    experiments = [_catalog.load(name) for name in _catalog.ids()]
    results = {e.id: _results.read(e.id, folder) for e in experiments}
    done = [e for e in experiments if results[e.id]]
    rows = [f"| [{e.id}](#{_anchor(e)}) | {e.title} | {results[e.id]['verdict']} |" for e in done]
    table = ["| | claim | answer |", "|---|---|---|", *rows]
    sections = [_section(e, results[e.id]) for e in done]
    return "\n".join([HEAD, *table, "", *sections])


def _section(experiment: Experiment, result: dict) -> str:
    repeats = f"{result['seeds']} seeds" if result["seeds"] > 1 else "nothing is random"
    return f"""({_anchor(experiment)})=
## {experiment.id}: {experiment.title}

**Claim.** {experiment.claim}

**Setup.** {experiment.setup} ({repeats}; jax {result["environment"]["jax"]} on
{result["environment"]["device"]}.)

**Confirmed if** {experiment.criterion}

**Answer: {result["verdict"]}.** {result["finding"]}

![{experiment.caption}]({experiment.id}.svg)

{experiment.caption} Figures: `docs/experiments/{experiment.id}.json`.
"""


def _anchor(experiment: Experiment) -> str:
    return experiment.id.lower()
