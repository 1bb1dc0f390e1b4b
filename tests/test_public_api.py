"""Promises about public names: complete, documented, with an example, in the contracts' form."""

import importlib
import inspect
import pathlib
import re

import pytest

import jaxopt_dl

PACKAGE = pathlib.Path(jaxopt_dl.__file__).parent
PACKAGES = sorted(set(jaxopt_dl.__all__) - {"__version__"})


def members() -> list[tuple[str, str]]:
    return [
        (package, name)
        for package in PACKAGES
        for name in importlib.import_module(f"jaxopt_dl.{package}").__all__
    ]


def get(package: str, name: str):
    return getattr(importlib.import_module(f"jaxopt_dl.{package}"), name)


def is_type_alias(member) -> bool:
    return not (inspect.isclass(member) or inspect.isroutine(member)) and not callable(member)


def test_the_top_lists_exactly_the_public_packages():
    on_disk = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert set(PACKAGES) == {name for name in on_disk if not name.startswith("_")}


def test_an_unknown_name_at_the_top_says_what_exists():
    with pytest.raises(AttributeError, match="it has"):
        _ = jaxopt_dl.trian  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize("package", PACKAGES)
def test_all_is_sorted_and_complete(package: str):
    module = importlib.import_module(f"jaxopt_dl.{package}")
    assert list(module.__all__) == sorted(module.__all__)
    public = {
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and not inspect.ismodule(value)
    }
    assert public == set(module.__all__)


@pytest.mark.parametrize("package", PACKAGES)
def test_init_only_reexports(package: str):
    source = (PACKAGE / package / "__init__.py").read_text()
    assert not re.search(r"^(def|class|if|for|try)\b", source, re.MULTILINE)


@pytest.mark.parametrize(("package", "name"), members())
def test_every_public_name_is_documented_with_an_example(package: str, name: str):
    member = get(package, name)
    doc = inspect.getdoc(member) or ""
    ours = getattr(member, "__module__", "").startswith("jaxopt_dl")
    if is_type_alias(member):
        return
    assert doc, f"{package}.{name} has no docstring"
    # The types of the ground floor are contracts in prose; what uses them shows examples.
    if ours and not member.__module__.startswith("jaxopt_dl._core"):
        assert ">>>" in doc, f"{package}.{name} has no example"


@pytest.mark.parametrize(("package", "name"), members())
def test_every_argument_is_documented(package: str, name: str):
    member = get(package, name)
    if not inspect.isfunction(member) or not member.__module__.startswith("jaxopt_dl"):
        return
    doc = inspect.getdoc(member) or ""
    names = [n for n in inspect.signature(member).parameters if not n.startswith("_")]
    missing = [n for n in names if not re.search(rf"^\s+\**{n}[:,( ]", doc, re.MULTILINE)]
    shared = re.findall(r"^\s+([\w, ]+):", doc, re.MULTILINE)
    listed = {part.strip() for line in shared for part in line.split(",")}
    assert [n for n in missing if n not in listed] == [], f"{package}.{name}"


@pytest.mark.parametrize(("package", "name"), members())
def test_booleans_and_what_follows_the_first_arguments_are_keyword_only(package: str, name: str):
    member = get(package, name)
    if not inspect.isfunction(member):
        return
    positional = [
        p
        for p in inspect.signature(member).parameters.values()
        if p.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    ]
    assert not any(isinstance(p.default, bool) for p in positional), f"{package}.{name}"
    assert len(positional) <= 5, f"{package}.{name}"
