"""The data sets that come with scikit-learn."""

import builtins
import sys

import numpy as np
import pytest

from jaxopt_dl.data import check_finite, load, load_bundled

SHAPES = {
    "breast_cancer": ((569, 30), 2),
    "diabetes": ((442, 10), None),
    "digits": ((1797, 64), 10),
    "iris": ((150, 4), 3),
    "wine": ((178, 13), 3),
}


@pytest.fixture(params=sorted(SHAPES))
def dataset(request):
    return load_bundled(request.param)


def test_shapes_and_classes_are_the_known_ones(dataset):
    shape, classes = SHAPES[dataset.name]
    assert dataset.x.shape == shape and dataset.y.shape == shape[:1]
    assert (dataset.class_names and len(dataset.class_names)) == classes


def test_dtypes_say_what_the_task_is(dataset):
    assert dataset.x.dtype == np.float32
    assert dataset.y.dtype == (np.float32 if dataset.class_names is None else np.int32)


def test_every_label_has_a_name_and_an_example(dataset):
    if dataset.class_names is not None:
        assert np.unique(dataset.y).tolist() == list(range(len(dataset.class_names)))


def test_every_feature_has_a_name(dataset):
    assert len(set(dataset.feature_names)) == dataset.x.shape[1]
    assert all(type(name) is str for name in dataset.feature_names)


def test_all_values_are_finite(dataset):
    check_finite(dataset.name, "x", dataset.x)


def test_digits_are_flat_pictures_with_pixels_between_zero_and_one():
    digits = load_bundled("digits")
    assert digits.image_shape == (8, 8)
    assert (digits.x.min(), digits.x.max()) == (0.0, 1.0)


def test_class_names_belong_to_their_numbers():
    assert load_bundled("breast_cancer").class_names == ("malignant", "benign")
    assert (load_bundled("breast_cancer").y == 0).sum() == 212


def test_load_finds_bundled_names():
    np.testing.assert_array_equal(load("wine").x, load_bundled("wine").x)


@pytest.mark.parametrize("function", [load, load_bundled])
def test_an_unknown_name_is_refused_with_the_nearest_spelling(function):
    with pytest.raises(ValueError, match=r"'iris', 'wine', got 'digit' .*Did you mean 'digits'"):
        function("digit")


def test_without_scikit_learn_the_message_says_what_to_install(monkeypatch):
    for module in [name for name in sys.modules if name.partition(".")[0] == "sklearn"]:
        monkeypatch.delitem(sys.modules, module)
    real = builtins.__import__

    def missing(name, *args, **kwargs):
        if name.partition(".")[0] == "sklearn":
            raise ModuleNotFoundError("No module named 'sklearn'", name="sklearn")
        return real(name, *args, **kwargs)

    monkeypatch.setattr("importlib.import_module", missing)
    message = r"package `scikit-learn`, .* pip install 'jaxopt_dl\[app\]'"
    with pytest.raises(ModuleNotFoundError, match=message):
        load_bundled("iris")
