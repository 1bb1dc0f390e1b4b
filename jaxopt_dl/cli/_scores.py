"""How good the predictions are, with the evidence a page shows."""

import numpy as np

from jaxopt_dl import data
from jaxopt_dl.report import Example

from ._train import Job

EXAMPLES = 12


def scores(job: Job, outputs: dict[str, np.ndarray]) -> dict[str, str]:
    """Return one line of text for each part: accuracy, or errors in units of the target."""
    return {part: _score(job, part, outputs[part]) for part in outputs}


def accuracy(job: Job, part: str, outputs: np.ndarray) -> float:
    """Return the share of examples of a part whose largest logit is that of their class."""
    return float(np.mean(outputs.argmax(-1) == job.prepared.parts[part]["y"]))


def confusion(job: Job, part: str, outputs: np.ndarray) -> np.ndarray:
    """Count true against predicted classes, `(k, k)`."""
    counts = np.zeros((job.prepared.outputs,) * 2, np.int64)
    np.add.at(counts, (job.prepared.parts[part]["y"], outputs.argmax(-1)), 1)
    return counts


def worst(job: Job, part: str, outputs: np.ndarray) -> list[Example]:
    """Return the wrongly classified examples the network was surest of, the surest first."""
    if not np.isfinite(outputs).all():
        return []
    prepared = job.prepared
    probabilities = _softmax(outputs)
    predicted, true = outputs.argmax(-1), prepared.parts[part]["y"]
    surest = np.argsort(-probabilities.max(-1), kind="stable")
    wrong = [index for index in surest if predicted[index] != true[index]][:EXAMPLES]
    inputs = prepared.dataset.x[prepared.rows[part]]
    shape = prepared.dataset.image_shape or inputs.shape[1:]
    return [
        Example(
            inputs[index].reshape(shape),
            int(true[index]),
            int(predicted[index]),
            float(probabilities[index].max()),
        )
        for index in wrong
    ]


def _score(job: Job, part: str, outputs: np.ndarray) -> str:
    if job.prepared.classes is None:
        return _regression_score(job, part, outputs)
    share = accuracy(job, part, outputs)
    return f"{share:.4f} ± {data.error_rate_stderr(share, len(outputs)):.4f}"


def _regression_score(job: Job, part: str, outputs: np.ndarray) -> str:
    targets = job.prepared.dataset.y[job.prepared.rows[part]].reshape(outputs.shape)
    squared = np.mean(np.square(outputs.astype(np.float64) - targets), axis=0)
    variance = np.var(targets.astype(np.float64), axis=0)
    explained = np.mean(1 - squared / np.where(variance > 0, variance, np.nan))
    parts = [] if np.isnan(explained) else [f"R² {explained:.4f}"]
    return ", ".join([f"RMSE {np.sqrt(squared[0]):.5g}", *parts] if len(squared) == 1 else parts)


def _softmax(logits: np.ndarray) -> np.ndarray:
    wide = logits.astype(np.float64)
    powers = np.exp(wide - wide.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)
