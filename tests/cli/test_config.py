"""Configurations: what a file may hold, and how each mistake in it is named."""

import dataclasses
import tomllib

import pytest

from jaxopt_dl.cli._config import Config, Data, Model, Optimizer, Schedule, Training
from jaxopt_dl.cli._errors import Refusal
from jaxopt_dl.cli._toml import checked, from_mapping, read_config, write_config

OTHER = Config(
    name="other",
    seed=2**32 - 1,
    data=Data(source="my file.csv", target='the "price"', fractions=(0.1, 0.9), normalize=False),
    model=Model(hidden=(), batch_norm=True),
    optimizer=Optimizer(kind="sgd", learning_rate=0.1 + 0.2),
    schedule=Schedule(kind="cosine", final=1e-7),
    training=Training(patience=0),
)


@pytest.mark.parametrize("config", [Config(), OTHER], ids=["default", "other"])
def test_a_written_configuration_reads_back_equal(config, tmp_path):
    write_config(tmp_path / "config.toml", config)
    assert read_config(str(tmp_path / "config.toml")) == config


def test_a_written_configuration_holds_every_key(tmp_path):
    write_config(tmp_path / "config.toml", OTHER)
    written = tomllib.loads((tmp_path / "config.toml").read_text())
    assert written == {**dataclasses.asdict(OTHER)} | {
        "data": {**dataclasses.asdict(OTHER.data), "fractions": [0.1, 0.9], "size": []},
        "model": {**dataclasses.asdict(OTHER.model), "hidden": []},
    }


def test_what_a_file_leaves_out_keeps_its_default():
    config = from_mapping({"optimizer": {"b1": 0.5}})
    assert config == dataclasses.replace(Config(), optimizer=Optimizer(b1=0.5))


def test_an_integer_is_a_number():
    rate = from_mapping({"optimizer": {"learning_rate": 1}}).optimizer.learning_rate
    assert (rate, type(rate)) == (1.0, float)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"optimizer": {"lerning_rate": 0.1}}, ["optimizer.lerning_rate", "0.1", "b1, b2"]),
        ({"optimizer": {"lerning_rate": 0.1}}, ["Did you mean optimizer.learning_rate?"]),
        ({"sed": 3}, ["sed: is no key", "got 3", "Did you mean seed?"]),
        ({"optimiser": {}}, ["optimiser", "Did you mean optimizer?"]),
        ({"optimizer": {"kind": "adm"}}, ["optimizer.kind", "sgd", "'adm'", "Did you mean adam?"]),
        ({"optimizer": {"kind": 3}}, ["optimizer.kind", "rmsprop", "got 3"]),
        ({"optimizer": 3}, ["optimizer", "section", "got 3"]),
        ({"optimizer": {"learning_rate": 0}}, ["optimizer.learning_rate", "(0, inf)", "0"]),
        ({"optimizer": {"learning_rate": "1e-3"}}, ["optimizer.learning_rate", "'1e-3'"]),
        ({"optimizer": {"learning_rate": float("nan")}}, ["optimizer.learning_rate", "nan"]),
        ({"optimizer": {"learning_rate": float("inf")}}, ["optimizer.learning_rate", "inf"]),
        ({"optimizer": {"b2": 1.0}}, ["optimizer.b2", "[0, 1)", "1.0"]),
        ({"model": {"keep_prob": 0}}, ["model.keep_prob", "(0, 1]", "0"]),
        ({"model": {"hidden": [8, 0]}}, ["model.hidden[1]", "[1, inf)", "0"]),
        ({"model": {"hidden": 8}}, ["model.hidden", "list", "8"]),
        ({"model": {"batch_norm": 1}}, ["model.batch_norm", "true or false", "1"]),
        ({"data": {"fractions": [0.8, -0.2]}}, ["data.fractions[1]", "-0.2"]),
        ({"penalty": {"l2": -1}}, ["penalty.l2", "-1"]),
        ({"training": {"epochs": True}}, ["training.epochs", "integer", "True"]),
        ({"training": {"epochs": 1.5}}, ["training.epochs", "integer", "1.5"]),
        ({"training": {"batch_size": 0}}, ["training.batch_size", "0"]),
        ({"seed": 2**32}, ["seed", "4294967295", "4294967296"]),
        ({"seed": -1}, ["seed", "-1"]),
        ({"name": "a/b"}, ["name", "'a/b'"]),
        ({"name": ".hidden"}, ["name", "'.hidden'"]),
        ({"name": ""}, ["name", "''"]),
        ({"name": ".."}, ["name", "'..'"]),
        ({"name": "a\nb"}, ["name", "folder name"]),
        ({"name": "n" * 101}, ["name", "100"]),
    ],
)
def test_a_mistake_is_named_with_key_value_and_what_is_allowed(values, words):
    with pytest.raises(Refusal) as refusal:
        from_mapping(values)
    assert [word for word in words if word not in str(refusal.value)] == []
    assert "\n" not in str(refusal.value)


def test_values_that_did_not_come_from_a_file_are_checked_too():
    with pytest.raises(Refusal, match=r"training\.patience: .*-1"):
        checked(Config(training=Training(patience=-1)))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"seed = 1\nname = first\n", ["must be TOML", "line 2"]),
        (b"seed = 1\nseed = 2\n", ["must be TOML", "line 2"]),
        (b"\xff\xfe", ["UTF-8"]),
        (b"[optimizer]\nkind = 'adm'", ["optimizer.kind", "adam"]),
    ],
)
def test_a_bad_file_is_named(content, words, tmp_path):
    path = tmp_path / "bad.toml"
    path.write_bytes(content)
    with pytest.raises(Refusal) as refusal:
        read_config(str(path))
    assert [word for word in [str(path), *words] if word not in str(refusal.value)] == []


def test_a_byte_order_mark_does_no_harm(tmp_path):
    path = tmp_path / "config.toml"
    path.write_bytes(b"\xef\xbb\xbfseed = 3")
    assert read_config(str(path)).seed == 3


@pytest.mark.parametrize("path", ["missing.toml", "."])
def test_a_file_that_cannot_be_read_is_named(path):
    with pytest.raises(Refusal, match="cannot be read"):
        read_config(path)


def test_the_bundled_names_of_the_help_are_those_there_are():
    from jaxopt_dl.data._bundled import BUNDLED

    assert f"({', '.join(BUNDLED)})" in str(Data.__doc__)
