"""Whole runs inside this process: what is written, what is kept, how bad input is answered."""

import json
import pathlib

import jax
import numpy as np
import pytest
from PIL import Image

from jaxopt_dl import data, train
from jaxopt_dl.cli import main
from jaxopt_dl.cli._config import Config
from jaxopt_dl.cli._summary import _copies
from jaxopt_dl.cli._toml import from_mapping, read_config
from jaxopt_dl.cli._train import make_job, predictions

RUN = pathlib.Path("runs/run")


def files(folder: pathlib.Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def history(folder: pathlib.Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]


def write_npz(x, y, name: str = "mine.npz") -> str:
    np.savez(name, x=np.asarray(x), y=np.asarray(y))
    return name


def toy(rows: int = 40) -> tuple[np.ndarray, np.ndarray]:
    x = np.random.default_rng(0).normal(size=(rows, 3)).astype(np.float32)
    return x, (x[:, 0] > 0).astype(np.int64)


def test_a_run_writes_its_four_files(train_small):
    assert train_small() == 0
    assert files(RUN) == ["best.params", "config.toml", "history.jsonl", "report.html"]
    assert len(history(RUN)) == 3


def test_quiet_prints_only_the_path_of_the_page(train_small, capsys):
    train_small()
    assert capsys.readouterr().out == "runs/run/report.html\n"


def test_a_rerun_of_the_written_configuration_gives_the_same_bytes(train_small):
    train_small("--model.keep-prob", "0.5", "--model.batch-norm", "--seed", "7")
    assert main(["train", str(RUN / "config.toml"), "--quiet"]) == 0
    again = pathlib.Path("runs/run-2")
    for name in ("history.jsonl", "config.toml", "best.params"):
        assert (again / name).read_bytes() == (RUN / name).read_bytes()


def test_another_seed_gives_other_numbers(train_small):
    train_small("--seed", "1")
    train_small("--seed", "2")
    assert history(RUN) != history(pathlib.Path("runs/run-2"))


def test_a_flag_wins_over_the_file(train_small):
    train_small("--seed", "5")
    flags = ("--optimizer.learning-rate", "0.5", "--name", "other", "--quiet")
    assert main(["train", str(RUN / "config.toml"), *flags]) == 0
    config = read_config("runs/other/config.toml")
    assert (config.optimizer.learning_rate, config.seed) == (0.5, 5)


def test_a_switch_of_the_file_can_be_turned_both_ways(train_small):
    train_small("--data.no-normalize")
    assert main(["train", str(RUN / "config.toml"), "--data.normalize", "--quiet"]) == 0
    assert not read_config(str(RUN / "config.toml")).data.normalize
    assert read_config("runs/run-2/config.toml").data.normalize


def test_an_existing_run_is_never_touched(train_small):
    for folder in ("runs/run", "runs/run-2"):
        pathlib.Path(folder).mkdir(parents=True)
        pathlib.Path(folder, "mine.txt").write_text("precious")
    assert train_small() == 0
    assert files(RUN) == files(pathlib.Path("runs/run-2")) == ["mine.txt"]
    assert "best.params" in files(pathlib.Path("runs/run-3"))


def test_a_new_folder_and_a_number_without_effect_are_announced(small, capsys):
    RUN.mkdir(parents=True)
    loud = [flag for flag in small if flag != "--quiet"]
    assert main(["train", *loud, "--optimizer.decay", "0.5"]) == 0
    output = capsys.readouterr().out
    assert "runs/run exists and is kept; this run goes to runs/run-2." in output
    assert "note: optimizer.decay = 0.5 has no effect with optimizer.kind = adam." in output


def test_the_saved_parameters_predict_what_the_history_says(train_small):
    train_small("--training.monitor", "accuracy", "--training.epochs", "8")
    job = make_job(read_config(str(RUN / "config.toml")))
    like = {"params": job.params, "state": job.state}
    saved = train.load_params(RUN / "best.params")
    normalizer = data.Normalizer(**saved.pop("normalizers")["x"])
    assert np.array_equal(normalizer.mean, job.prepared.normalizers["x"].mean)
    best = {"state": {}, **saved}
    assert jax.tree.structure(best) == jax.tree.structure(like)
    found = predictions(job, (best["params"], best["state"]))["dev"].argmax(-1)
    accuracy = np.mean(found == job.prepared.parts["dev"]["y"])
    assert accuracy == pytest.approx(max(row["dev_accuracy"] for row in history(RUN)))


def test_the_normalizer_sees_the_training_set_alone():
    job = make_job(from_mapping({"data": {"source": "iris"}}))
    means = {part: np.abs(batch["x"].mean(0)).max() for part, batch in job.prepared.parts.items()}
    assert means["train"] < 1e-5 < means["dev"]


def test_parts_are_disjoint_and_cover_the_data():
    rows = make_job(from_mapping({"data": {"source": "iris"}})).prepared.rows
    assert sorted(np.concatenate(list(rows.values())).tolist()) == list(range(150))
    assert [len(part) for part in rows.values()] == [90, 30, 30]


def test_two_fractions_leave_out_the_test_set(train_small):
    assert train_small("--data.fractions", "0.8", "0.2") == 0
    assert "Test accuracy" not in (RUN / "report.html").read_text()


def test_a_regression_reports_errors_in_units_of_the_target(small, capsys):
    flags = ["--data.source", "diabetes", "--training.epochs", "30", "--model.hidden", "8"]
    assert main(["train", *flags, "--progress", "none"]) == 0
    output = capsys.readouterr().out
    error = float(output.split("Test error")[1].split("RMSE")[1].split(",")[0])
    assert 35 < error < 80  # guessing the mean has about 77, a good linear fit about 54


def test_a_csv_file_with_text_classes_is_learned():
    x, y = toy(60)
    rows = [
        f"{a},{b},{c},{'yes' if label else 'no'}" for (a, b, c), label in zip(x, y, strict=True)
    ]
    pathlib.Path("mine.csv").write_text("a,b,c,answer\n" + "\n".join(rows))
    flags = ["--training.epochs", "40", "--optimizer.learning-rate", "0.05", "--quiet"]
    assert main(["train", "--data.source", "mine.csv", *flags, "--training.batch-size", "16"]) == 0
    assert max(row["dev_accuracy"] for row in history(RUN)) > 0.8


def test_pictures_from_an_archive_fit_the_network():
    x, y = toy(60)
    source = write_npz(x.reshape(60, 3, 1), y)
    job = make_job(from_mapping({"data": {"source": source}, "training": {"batch_size": 16}}))
    assert predictions(job, (job.params, job.state))["train"].shape == (36, 2)


def test_names_of_classes_cannot_break_the_page():
    x, y = toy(60)
    rows = [
        f"{a},{b},{c},{'<script>x</script>' if label else 'no'}"
        for (a, b, c), label in zip(x, y, strict=True)
    ]
    pathlib.Path("mine.csv").write_text("<b>a</b>,b,c,answer\n" + "\n".join(rows))
    flags = ["--training.epochs", "1", "--training.batch-size", "16", "--quiet"]
    assert main(["train", "--data.source", "mine.csv", *flags]) == 0
    page = (RUN / "report.html").read_text()
    assert "<script>x" not in page and "&lt;script&gt;x" in page


def test_a_run_that_is_not_finite_keeps_what_it_has_and_fails(train_small):
    flags = ("--optimizer.kind", "sgd", "--optimizer.learning-rate", "1e30")
    assert train_small(*flags, "--name", "wild") == 1
    assert "best.params" in files(pathlib.Path("runs/wild"))
    saved = train.load_params("runs/wild/best.params")
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(saved))


def job_of(**values):
    return make_job(from_mapping({"data": values, "training": {"batch_size": 4}}))


def test_examples_that_parts_have_in_common_are_reported():
    x, y = toy()
    assert _copies(job_of(source=write_npz(x, y))) == []
    twice = job_of(source=write_npz([*x, *x], [*y, *y], "twice.npz"))
    assert "of 16 test examples are in train too" in dict(_copies(twice))["Copies"]


def test_a_folder_of_mapped_arrays_is_read_into_memory():
    x, y = toy()
    np.save("x.npy", x.astype(np.float64))
    np.save("y.npy", y)
    found = job_of(source="./", normalize=False).prepared
    np.testing.assert_array_equal(found.parts["dev"]["x"], x[found.rows["dev"]])
    assert found.parts["dev"]["x"].dtype == np.float32


def test_a_folder_of_pictures_is_read_as_the_configuration_says():
    for name, level in (("night", 0), ("day", 255)):
        (pathlib.Path("sky") / name).mkdir(parents=True)
        for index in range(10):
            Image.new("RGB", (3, 3), (level, 0, index)).save(f"sky/{name}/{index}.png")
    found = job_of(source="sky", mode="grayscale", size=[4, 5]).prepared
    assert found.parts["test"]["x"].shape == (4, 4, 5) and found.classes == ("day", "night")


def test_not_finite_numbers_of_mapped_arrays_are_refused(refused):
    x, y = toy()
    x[3, 1] = np.nan
    np.save("x.npy", x)
    np.save("y.npy", y)
    line = refused("train", "--data.source", "./")
    assert "data.source: " in line and "1 of 40 rows (row 3), column 'x[1]'" in line


def test_a_refused_run_leaves_no_folder(refused):
    refused("train", "--data.source", "missing.csv")
    assert not pathlib.Path("runs").exists()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ([], ["data.source", "got none"]),
        (["--data.source", "irs"], ["data.source", "'irs'", "Did you mean 'iris'?"]),
        (["--data.source", "missing.csv"], ["data.source", "missing.csv"]),
        (["--data.source", "missing.npz"], ["data.source", "missing.npz"]),
        (["--data.source", "."], ["data.source"]),
        (["--data.source", "iris", "--data.target", "x"], ["data.source", "`target`"]),
        (["--data.source", "iris", "--data.mode", "rgb"], ["data.source", "`mode`"]),
        (["--data.source", "iris", "--data.size", "28"], ["data.size", "height and width", "28"]),
        (["--data.source", "iris", "--data.fractions", "1"], ["data.fractions", "[1.0]"]),
        (["--data.source", "iris", "--data.fractions", "0.5", "0.4"], ["data.fractions", "0.9"]),
        (
            ["--data.source", "iris", "--data.fractions", "0.999", "0.0005", "0.0005"],
            ["data.fractions", "at least one example", "of 150 examples"],
        ),
        (
            ["--data.source", "iris", "--training.batch-size", "91"],
            ["training.batch_size", "90 examples", "91"],
        ),
        (
            ["--data.source", "diabetes", "--training.monitor", "accuracy"],
            ["training.monitor", "regression"],
        ),
        (["--data.source", "iris", "--optimizer.learning-rate", "-1"], ["optimizer.learning_rate"]),
        (["--data.source", "iris", "--name", "../up"], ["name", "'../up'"]),
        (["missing.toml"], ["missing.toml", "cannot be read"]),
    ],
)
def test_bad_input_gets_one_sentence(flags, words, refused):
    line = refused("train", *flags)
    assert [word for word in words if word not in line] == []


@pytest.mark.parametrize(
    ("x", "y", "words"),
    [
        (np.where(np.eye(9), np.nan, 1.0), np.arange(9) % 2, ["9 of 9 rows"]),
        ([[1.0, 2], [np.nan, 3], [4, 5], [np.inf, 6]], [0, 1, 0, 1], ["2 of 4 rows", "x[0]"]),
        (np.ones((4, 2)), [0, 1, -1, 1], ["labels", "-1"]),
        (np.ones((4, 2)), [0, 1, 5000, 1], ["labels", "5000"]),
        (np.ones((4, 2)), [0, 1, 0], ["4 and 3"]),
        (np.ones((0, 2)), np.ones(0, int), ["(0, 2)"]),
        (np.ones((4, 2)), [0.5, 1.0, np.nan, 2.0], ["`y`", "1 of 4 rows"]),
    ],
)
def test_bad_data_gets_one_sentence(x, y, words, refused):
    line = refused("train", "--data.source", write_npz(x, y))
    assert [word for word in ["data.source", *words] if word not in line] == []


@pytest.mark.parametrize("out", ["taken", "taken/below"])
def test_an_unwritable_folder_is_refused_before_training(out, small, refused, monkeypatch):
    monkeypatch.setattr("jaxopt_dl.cli._run.run_job", lambda *_, **__: pytest.fail("it trained"))
    pathlib.Path("taken").write_text("a file, not a folder")
    line = refused("train", *small, "--out", out)
    assert line.startswith("out: ") and repr(out) in line and "--out" in line


def test_features_that_do_not_match_the_saved_model_are_named(train_small):
    train_small()
    other = make_job(from_mapping({"data": {"source": "wine"}, "model": {"hidden": [4]}}))
    like = {"params": other.params, "state": other.state, "normalizers": {}}
    with pytest.raises(ValueError, match="00_dense/kernel"):
        train.load_params(RUN / "best.params", like=like)


def test_an_error_while_saving_leaves_what_was_saved(train_small, monkeypatch, capsys):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("jaxopt_dl.cli._run.save_page", fail)
    assert train_small() == 2
    assert files(RUN) == ["best.params", "config.toml", "history.jsonl"]
    assert "No space left on device" in capsys.readouterr().err


def test_debug_shows_the_traceback(small, capsys):
    assert main(["train", *small, "--data.source", "missing.csv", "--debug"]) == 2
    assert "Traceback" in capsys.readouterr().err


def test_an_unexpected_error_fails_without_a_traceback(small, capsys, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("the device is gone")

    monkeypatch.setattr("jaxopt_dl.cli._run.run_job", fail)
    assert main(["train", *small]) == 1
    error = capsys.readouterr().err
    assert "RuntimeError: the device is gone (`--debug`" in error and "Traceback" not in error
    assert not RUN.exists()


def test_the_default_configuration_is_checked_like_any_other():
    assert from_mapping({}) == Config()


def test_one_class_alone_is_refused_before_training(refused):
    x, y = toy()
    line = refused("train", "--data.source", write_npz(x, np.zeros_like(y)))
    assert line.startswith("data.source: must hold at least two classes")
    assert not pathlib.Path("runs").exists()


def test_a_quiet_run_that_fails_says_why_on_standard_error(train_small, capsys):
    assert train_small("--optimizer.kind", "sgd", "--optimizer.learning-rate", "1e38") == 1
    assert "NaN or infinite" in capsys.readouterr().err


def test_augmented_images_are_trained_on_and_shown(train_small):
    source = ("--data.source", "digits", "--training.epochs", "1")
    changes = ("--augment.rotate", "20", "--augment.cutout", "2")
    assert train_small(*source, "--name", "plain") == 0
    assert train_small(*source, "--name", "turned", *changes) == 0
    assert history(RUN.with_name("turned")) != history(RUN.with_name("plain"))
    page = RUN.with_name("turned").joinpath("report.html").read_text()
    assert page.count(", change ") == 28
    assert "What the network saw" not in RUN.with_name("plain").joinpath("report.html").read_text()


def test_augmenting_what_is_no_image_is_refused(refused):
    said = refused("train", "--data.source", "iris", "--augment.hflip", "0.5")
    assert said.startswith("augment: needs images")
