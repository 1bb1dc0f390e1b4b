"""The trainings that are timed: their data, their batch and the form of their network."""

import pathlib
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

LEARNING_RATE = 1e-3
Run = Callable[[int], float]
"""Trains so many epochs more and returns the lowest dev loss so far."""
DECAY = 0.9
"""Of the running averages of batch norm."""


class Problem(NamedTuple):
    """One training.

    Attributes:
      title: what it is, in words.
      kind: `"mlp"`, `"conv"` or `"residual"`.
      widths: inputs, units or channels of each hidden layer, outputs.
      batch_norm: whether hidden layers are normalized.
      batch_size: rows per update.
      data: inputs and labels to train on.
      dev: inputs and labels to evaluate after each epoch.
    """

    title: str
    kind: str
    widths: tuple[int, ...]
    batch_norm: bool
    batch_size: int
    data: tuple[np.ndarray, np.ndarray]
    dev: tuple[np.ndarray, np.ndarray]

    @property
    def steps(self) -> int:
        """Full batches per epoch; the loops leave out the rows that do not fill another."""
        return len(self.data[0]) // self.batch_size


def make(name: str, *, quick: bool = False) -> Problem:
    """Return the problem with this letter; `quick` cuts the two large data sets."""
    if name == "a":
        title = "digits, 64-128-64-10 with batch norm, batches of 64"
        return Problem(title, "mlp", (64, 128, 64, 10), True, 64, *digits())
    if name == "b":
        title = "60,000 rows, 784-512-512-10, batches of 128"
        data = generated(6_000 if quick else 60_000, 2_000, (784,))
        return Problem(title, "mlp", (784, 512, 512, 10), False, 128, *data)
    if name == "c":
        title = "28 x 28 x 1, convolutions to 16 and 32 channels, batches of 128"
        data = generated(1_280, 256, (28, 28, 1))
        return Problem(title, "conv", (1, 16, 32, 10), False, 128, *data)
    title = "50 residual layers of width 32, batches of 64"
    return Problem(title, "residual", (64, *(32,) * 51, 10), False, 64, *digits())


NAMES = ("a", "b", "c", "d")


def looped(
    problem: Problem,
    step: Callable[[np.ndarray], None],
    measure: Callable[[], float],
    keep: Callable[[], None],
) -> Run:
    """Write the loop once that every form without one of its own needs.

    Args:
      problem: what to train on.
      step: does one update on the rows with these indexes.
      measure: returns the dev loss.
      keep: remembers the parameters of now as the best.
    """
    random = np.random.default_rng(2)
    lowest = np.inf

    def run(epochs: int) -> float:
        nonlocal lowest
        for _ in range(epochs):
            order = random.permutation(len(problem.data[0])).astype(np.int32)
            order = order[: problem.steps * problem.batch_size]
            for rows in order.reshape(problem.steps, problem.batch_size):
                step(rows)
            value = measure()
            if value < lowest:
                lowest = value
                keep()
        return lowest

    return run


def digits() -> tuple[tuple, tuple]:
    """scikit-learn's digits: 23 batches of 64 to train on, the other 325 for dev."""
    from sklearn.datasets import load_digits

    bunch: Any = load_digits()
    order = np.random.default_rng(0).permutation(len(bunch.target))
    x = (bunch.data / 16).astype(np.float32)[order]
    y = bunch.target.astype(np.int32)[order]
    return (x[:1472], y[:1472]), (x[1472:], y[1472:])


def generated(rows: int, dev_rows: int, shape: tuple[int, ...]) -> tuple[tuple, tuple]:
    """Noise around one prototype per class."""
    random = np.random.default_rng(0)
    prototypes = random.normal(size=(10, *shape)).astype(np.float32)

    def draw(count: int) -> tuple[np.ndarray, np.ndarray]:
        y = random.integers(0, 10, count).astype(np.int32)
        noise = random.standard_normal((count, *shape), np.float32)
        return 0.3 * prototypes[y] + noise, y

    return draw(rows), draw(dev_rows)


def save(problem: Problem, file: pathlib.Path) -> None:
    """Write the arrays of a problem, so that a fresh process need not make them."""
    (x, y), (dev_x, dev_y) = problem.data, problem.dev
    np.savez(file, x=x, y=y, dev_x=dev_x, dev_y=dev_y)


def load_digits_problem(file: str) -> Problem:
    """Return problem a with the arrays that `save` wrote."""
    arrays = np.load(file)
    data, dev = (arrays["x"], arrays["y"]), (arrays["dev_x"], arrays["dev_y"])
    return Problem("", "mlp", (64, 128, 64, 10), True, 64, data, dev)
