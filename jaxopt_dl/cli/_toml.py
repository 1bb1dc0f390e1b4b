"""Configurations as files: read with every mistake named, written so that a rerun is exact."""

import dataclasses
import difflib
import pathlib
import tomllib
import typing
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from ._config import Config
from ._errors import Refusal
from ._limits import refuse

KINDS = {bool: "true or false", int: "an integer", float: "a number", str: "a text in quotes"}


def read_config(path: str) -> Config:
    """Read a configuration; what the file leaves out keeps its default.

    Raises:
      Refusal: naming the file, and the line or the key.
    """
    try:
        text = pathlib.Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        advice = "`jaxopt-dl train --help` lists the flags; a file is not needed."
        raise Refusal(f"{path}: cannot be read, {error.strerror or error}. {advice}") from error
    except UnicodeDecodeError as error:
        raise Refusal(f"{path}: must be text in UTF-8, got other bytes. Save it so.") from error
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        advice = 'Write for example `seed = 1`, and texts in "quotes".'
        raise Refusal(f"{path}: must be TOML, got: {error}. {advice}") from error
    try:
        return from_mapping(values)
    except Refusal as refusal:
        raise Refusal(f"{path}: {refusal}") from refusal


def write_config(path: pathlib.Path, config: Config) -> None:
    """Write every value, so that defaults of other versions change nothing."""
    import tomli_w

    values = dataclasses.asdict(config)
    path.write_text(tomli_w.dumps(values), encoding="utf-8", newline="\n")


def from_mapping(values: Mapping[str, Any]) -> Config:
    """Check every key and value of a nested mapping and make the configuration.

    Raises:
      Refusal: naming the dotted key, the value and what is allowed.
    """
    return _section("", values, Config)


def checked(config: Config) -> Config:
    """Check the values of a configuration that did not come from a file."""
    return from_mapping(dataclasses.asdict(config))


def _section(key: str, values: Any, kind: type) -> Any:
    if not isinstance(values, Mapping):
        refuse(key, "must be a section", values, f"Write [{key}] and its keys below.")
    hints = typing.get_type_hints(kind, include_extras=True)
    for name, value in values.items():
        if name not in hints:
            _refuse_unknown(_dotted(key, name), value, _dotted(key, ""), list(hints))
    read = {name: _value(_dotted(key, name), value, hints[name]) for name, value in values.items()}
    return kind(**read)


def _value(key: str, value: Any, hint: Any) -> Any:
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if dataclasses.is_dataclass(hint):
        return _section(key, value, typing.cast(type, hint))
    if origin is Annotated:
        value = _value(key, value, inner[0])
        for limit in inner[1:]:
            limit.check(key, value)
        return value
    if origin is Literal:
        return _choice(key, value, inner)
    if origin is tuple:
        if not isinstance(value, list | tuple):
            refuse(key, "must be a list", value, "Write for example [1, 2].")
        return tuple(_value(f"{key}[{i}]", item, inner[0]) for i, item in enumerate(value))
    return _scalar(key, value, hint)


def _scalar(key: str, value: Any, kind: type) -> Any:
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        refuse(key, f"must be {KINDS[kind]}", value, "Change it.")
    return value


def _choice(key: str, value: Any, options: tuple[str, ...]) -> str:
    if value not in options:
        rule = f"must be one of {', '.join(options)}"
        refuse(key, rule, value, _nearest(str(value), options, "Choose one of them."))
    return value


def _refuse_unknown(key: str, value: Any, prefix: str, allowed: list[str]) -> typing.NoReturn:
    near = _nearest(key, [prefix + name for name in allowed], "Remove it.")
    shown = value if not isinstance(value, Mapping) else "a section"
    refuse(key, f"is no key; there are {', '.join(allowed)}", shown, near)


def _nearest(word: str, options: typing.Sequence[str], otherwise: str) -> str:
    near = difflib.get_close_matches(word, options, n=1)
    return f"Did you mean {near[0]}?" if near else otherwise


def _dotted(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name
