"""Wrong data is refused when the page is put together, in the one message form."""

import numpy as np
import pytest

from tests.report.pages import history, run_page

ROW = {"epoch": 1, "train_loss": 0.5}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"history": [ROW, ROW]}, "epochs in `history` must increase, got 1 after 1"),
        ({"history": [{**ROW, "epoch": 0}]}, "must be at least 1, got 0"),
        ({"best_epoch": 13}, "`best_epoch` must be an epoch of `history`, got 13"),
        ({"monitored": "dev_acc"}, "`monitored` must be a column of `history`, got 'dev_acc'"),
        ({"confusion": np.zeros((3, 2), int)}, r"must have shape \(k, k\).*got \(3, 2\) for 3"),
        ({"class_names": ("one", "two")}, r"got \(3, 3\) for 2 names"),
        ({"confusion": -np.eye(3, dtype=int)}, "must hold counts, got -1"),
    ],
)
def test_bad_values_raise(fields: dict, message: str):
    with pytest.raises(ValueError, match=f"RunPage: .*{message}"):
        run_page(**fields)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"history": [{"train_loss": 1.0}]}, "must be an integer"),
        ({"history": [{"epoch": 1, "train_loss": "0.5"}]}, "must be one number or None, got '0.5'"),
        ({"history": [{"epoch": 1, "train_loss": np.zeros(2)}]}, "must be one number or None"),
        ({"confusion": np.eye(3)}, "must hold integers, got dtype float64"),
    ],
)
def test_bad_types_raise(fields: dict, message: str):
    with pytest.raises(TypeError, match=f"RunPage: .*{message}"):
        run_page(**fields)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"true": 3}, "worst.*true.* below the number of `class_names`, 3, got 3"),
        ({"predicted": -1}, "predicted.* at least 0, got -1"),
        ({"probability": 1.5}, r"probability.* must lie in \[0, 1\], got 1.5"),
        ({"probability": float("nan")}, "got nan"),
        ({"inputs": np.zeros((0, 3))}, r"must not be empty, got shape \(0, 3\)"),
    ],
)
def test_bad_examples_raise(changes: dict, message: str):
    example = run_page().worst[0]._replace(**changes)
    with pytest.raises(ValueError, match=f"RunPage: .*{message}"):
        run_page(worst=[example])


def test_numpy_and_jax_numbers_are_numbers():
    import jax.numpy as jnp

    row = {"epoch": np.int64(1), "train_loss": jnp.float32(0.5), "dev_loss": np.float32(0.25)}
    assert run_page(history=[row], best_epoch=1, monitored="dev_loss").history == [row]


def test_a_page_cannot_be_changed():
    with pytest.raises(AttributeError):
        run_page().name = "other"  # pyright: ignore[reportAttributeAccessIssue]


def test_epochs_may_be_missing_from_the_history():
    rows = [row for row in history(12) if row["epoch"] % 3 == 0]
    assert len(run_page(history=rows).history) == 4
