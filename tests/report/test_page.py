"""What the page says, how big it is, and that writing it is safe."""

import functools
import hashlib
import pathlib
import re
import subprocess
import sys
import urllib.parse

import numpy as np
import pytest

from jaxopt_dl.report import _evidence, render_page, write_page
from tests.report.markup import Markup
from tests.report.pages import history, regression_page, run_page


@functools.cache
def ordinary() -> Markup:
    return Markup(render_page(run_page()))


def text_of(page) -> str:
    return Markup(render_page(page)).text


def printed(code: str) -> list[str]:
    """The words another Python process prints, started at the top of the project."""
    root = pathlib.Path(__file__).parents[2]
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, check=True, capture_output=True, text=True, cwd=root
    ).stdout.split()


def test_importing_the_package_imports_no_drawing_library():
    code = (
        "import sys, jaxopt_dl.report;"
        "print({'matplotlib', 'jinja2', 'markupsafe', 'PIL'} & set(sys.modules))"
    )
    assert printed(code) == ["set()"]


@pytest.mark.parametrize("missing", ["matplotlib", "jinja2"])
def test_a_missing_library_says_what_to_install(missing: str, monkeypatch):
    from jaxopt_dl.report import _page

    _page._template.cache_clear()
    gone = [name for name in sys.modules if name.partition(".")[0] == missing]
    for name in [*gone, missing]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ModuleNotFoundError, match=rf"`{missing}`.*pip install 'jaxopt_dl\[app\]'"):
        render_page(run_page())


def test_drawing_leaves_matplotlib_settings_alone_and_never_loads_pyplot():
    code = (
        "import sys, matplotlib;"
        "matplotlib.rcParams.update({'text.usetex': True, 'backend': 'svg'});"
        "before = dict(matplotlib.rcParams);"
        "from jaxopt_dl.report import render_page; from tests.report.pages import run_page;"
        "render_page(run_page());"
        "print('matplotlib.pyplot' in sys.modules, dict(matplotlib.rcParams) == before)"
    )
    assert printed(code) == ["False", "True"]


def test_the_same_page_gives_the_same_text_in_another_process():
    code = (
        "import hashlib; from jaxopt_dl.report import render_page;"
        "from tests.report.pages import run_page;"
        "print(hashlib.sha256(render_page(run_page()).encode()).hexdigest())"
    )
    assert printed(code) == [hashlib.sha256(render_page(run_page()).encode()).hexdigest()]


def test_two_hundred_epochs_and_ten_classes_stay_below_the_limit():
    page = run_page(epochs=200, names=tuple(f"class {k}" for k in range(10)))
    assert len(render_page(page).encode()) < 250_000


def test_a_hundred_classes_and_large_images_stay_below_the_limit():
    noise = np.random.default_rng(0).uniform(size=(224, 224, 3))
    page = run_page(epochs=200, names=tuple(f"class {k}" for k in range(100)))
    large = [example._replace(inputs=noise) for example in page.worst]
    page = run_page(epochs=200, names=page.class_names, worst=large * 3)
    assert len(render_page(page).encode()) < 500_000


def test_the_verdict_says_what_was_reached_when_and_why_it_ended():
    text = text_of(run_page(outcome="The monitored dev metric stopped improving."))
    value = f"{history(12)[8]['dev_accuracy']:.4g}"
    assert f"Dev accuracy {value} at epoch 9, the best of 12 epochs. The monitored" in text


def test_one_epoch_reads_as_one_epoch():
    text = text_of(run_page(epochs=1))
    assert "after 1 epoch." in text
    assert "best and last: epoch 1" in text


def test_no_epoch_at_all_still_makes_a_page():
    assert "No epoch was finished." in text_of(run_page(history=[], best_epoch=None))


def test_no_best_epoch_is_said():
    assert "No best epoch was found in 12 epochs." in text_of(run_page(best_epoch=None))


def test_the_best_epoch_and_the_end_are_marked_in_every_curve():
    assert ordinary().text.count("best: epoch 9") == 3
    assert ordinary().text.count("end: epoch 12") == 3


def test_axes_are_labeled_with_units():
    assert {"epoch", "loss (nats)", "accuracy", "learning rate"} <= set(ordinary().parts)


def test_a_wide_range_is_drawn_on_a_logarithmic_scale_with_plain_numbers():
    parts = set(Markup(render_page(run_page(epochs=35))).parts)
    assert {"loss (nats), log scale", "0.1", "1"} <= parts


def test_a_narrow_range_is_drawn_on_a_linear_scale():
    rows = [{"epoch": e, "train_loss": 1.0 + 0.1 * e} for e in (1, 2, 3)]
    page = regression_page(history=rows, best_epoch=1, monitored="train_loss")
    assert "loss (nats)" in Markup(render_page(page)).parts


def test_negative_losses_are_drawn_on_a_linear_scale():
    rows = [{"epoch": e, "train_loss": 100.0 - 60.0 * e} for e in (1, 2, 3)]
    page = regression_page(history=rows, best_epoch=3, monitored="train_loss")
    assert "loss (nats)" in Markup(render_page(page)).parts


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_a_number_that_is_not_finite_is_said_and_marked(bad: float):
    rows = history(12)
    for index in (3, 4, 7):
        rows[index]["train_loss"] = bad
    text = text_of(run_page(history=rows))
    assert "Train is not finite in epochs 4\u20135, 8: a gap, marked \u00d7." in text


def test_a_history_without_one_finite_number_is_drawn():
    rows = [{"epoch": e, "train_loss": float("nan")} for e in (1, 2)]
    page = regression_page(history=rows, best_epoch=None, monitored="train_loss")
    text = text_of(page)
    assert "no finite value" in text
    assert "Train is not finite in epochs 1\u20132" in text


def test_an_unknown_learning_rate_is_said_and_not_drawn():
    rows = [{**row, "learning_rate": None} for row in history(12)]
    markup = Markup(render_page(run_page(history=rows)))
    assert "The learning rate is unknown" in markup.text
    assert len(markup.all("svg")) == len(ordinary().all("svg")) - 1


def test_a_known_learning_rate_is_not_called_unknown():
    assert "unknown" not in ordinary().text


def test_a_run_without_a_dev_set_draws_the_training_alone():
    rows = [{k: v for k, v in row.items() if "dev" not in k} for row in history(12)]
    page = run_page(history=rows, monitored="train_loss")
    assert "dev" not in Markup(render_page(page)).parts


def test_a_regression_has_no_classes():
    text = text_of(regression_page())
    assert "Confusion" not in text
    assert "Worst" not in text


def test_every_figure_has_a_text_alternative_with_numbers():
    figures = ordinary().all("svg")
    assert all(figure["role"] == "img" for figure in figures)
    assert all(re.search(r"\d", figure["aria-label"] or "") for figure in figures)
    assert all(re.search(r"\d", image["alt"] or "") for image in ordinary().all("img"))


def test_the_alternative_of_a_curve_quotes_the_best_epoch():
    label = ordinary().all("svg")[0]["aria-label"] or ""
    row = history(12)[8]
    values = f"train {row['train_loss']:.4g}, dev {row['dev_loss']:.4g}"
    assert f"Best epoch 9: {values}." in label


def test_the_table_of_classes_counts_by_hand():
    counts = np.array([[8, 2, 0], [1, 6, 0], [0, 0, 0]])
    rows = _evidence.class_rows(run_page(confusion=counts))
    assert rows[0] == ("cat", 10, "0.800", "0.889", "dog (2)")
    assert rows[1] == ("dog", 7, "0.857", "0.750", "cat (1)")
    assert rows[2] == ("owl", 0, "\u2013", "\u2013", "\u2013")


def test_the_caption_of_the_matrix_names_the_most_frequent_confusion():
    counts = np.array([[8, 2, 0], [1, 6, 0], [0, 0, 5]])
    text = text_of(run_page(confusion=counts))
    assert "19 of 22 test examples right, accuracy 0.8636." in text
    assert "Most frequent confusion: cat taken for dog, 2 times." in text


def test_a_perfect_matrix_says_so():
    assert "No confusions." in text_of(run_page(confusion=np.diag([3, 4, 5])))


def test_an_empty_matrix_is_drawn():
    assert "The test set is empty." in text_of(run_page(confusion=np.zeros((3, 3), int)))


@pytest.mark.parametrize(("classes", "numbers"), [(2, True), (16, True), (17, False)])
def test_numbers_are_written_only_where_they_can_be_read(classes: int, numbers: bool):
    counts = np.diag(np.full(classes, 7531))
    page = regression_page(class_names=[f"c{k}" for k in range(classes)], confusion=counts)
    drawn = re.findall(r"<text[^>]*>7531</text>", render_page(page))
    assert len(drawn) == (classes if numbers else 0)
    assert ("Numbers are left out" in text_of(page)) != numbers


def test_a_hundred_classes_are_drawn():
    counts = np.diag(np.arange(100))
    page = regression_page(class_names=[f"c{k}" for k in range(100)], confusion=counts)
    assert "c99" in text_of(page)


def test_worst_examples_beyond_the_shown_ones_are_counted():
    page = run_page()
    assert "12 of 20 are shown." in text_of(run_page(worst=[*page.worst, *page.worst]))


def test_the_csv_link_holds_every_number_unrounded():
    link = next(a["href"] for a in ordinary().all("a"))
    head, _, body = (link or "").partition(",")
    lines = urllib.parse.unquote(body).splitlines()
    assert head == "data:text/csv;charset=utf-8"
    assert lines[0].split(",") == list(history(12)[0])
    assert [float(x) for x in lines[5].split(",")] == list(history(12)[4].values())


def test_a_long_history_shows_part_of_the_rows_and_says_so():
    text = text_of(regression_page(history=history(1000), best_epoch=123))
    # Every fifth of 1000 rows, then the best and the last one.
    assert "202 of 1000 epochs are shown" in text


def test_configuration_versions_seed_and_command_are_there():
    text = ordinary().text
    for part in ("norm.decay 0.9", "hidden [64, 32]", "optax 0.2.8", "Seed 3", "train config.toml"):
        assert part in text


def test_write_page_replaces_the_file_and_leaves_nothing_beside_it(tmp_path):
    target = tmp_path / "report.html"
    target.write_text("old")
    write_page(target, run_page())
    assert target.read_text(encoding="utf-8") == render_page(run_page())
    assert list(tmp_path.iterdir()) == [target]


def test_a_page_that_cannot_be_drawn_keeps_the_old_file(tmp_path, monkeypatch):
    target = tmp_path / "report.html"
    target.write_text("old")
    monkeypatch.setattr("jaxopt_dl.report._page.render_page", lambda page: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_page(target, run_page())
    assert target.read_text() == "old"


def test_writing_into_a_missing_folder_says_so(tmp_path):
    with pytest.raises(FileNotFoundError, match="write_page: the folder must exist"):
        write_page(tmp_path / "none" / "report.html", run_page())


def test_augmented_images_are_shown_row_by_row():
    page = render_page(run_page())
    assert page.count('alt="Training image 2') == 5
    assert page.count('alt="Training image 1, change') == 4
    assert "--columns: 5" in page
    assert "What the network saw" not in render_page(run_page(augmented=()))


@pytest.mark.parametrize(
    "rows",
    [[np.zeros((1, 4))], [np.zeros((2, 3, 3)), np.zeros((1, 3, 3))], [np.zeros((2, 3, 3, 2))]],
)
def test_augmented_images_must_be_a_table_of_images(rows):
    with pytest.raises(ValueError, match="augmented"):
        run_page(augmented=rows)
