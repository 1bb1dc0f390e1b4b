"""Flags by tyro on top of a configuration: each key of the file is a flag of the same name."""

import dataclasses
from typing import Annotated, Literal, TypeVar

import tyro

from ._config import Config
from ._toml import checked, read_config

DEFAULTS = Config()
Switch = Annotated[bool, tyro.conf.FlagCreatePairsOff]
Parsed = TypeVar("Parsed", bound="Flags")


@dataclasses.dataclass(frozen=True)
class Flags:
    """What every training command takes.

    Attributes:
      config: the configuration.
      progress: the display: a bar on a terminal, plain lines elsewhere (auto), or none.
      quiet: print only the path of the page.
      debug: show the traceback of an error.
    """

    config: Annotated[Config, tyro.conf.arg(name="")] = DEFAULTS
    progress: Literal["auto", "bar", "lines", "none"] = "auto"
    quiet: Switch = False
    debug: Switch = False


@dataclasses.dataclass(frozen=True)
class TrainFlags(Flags):
    """Train a dense network on your data, and write a page about it.

    Every key of the file is also a flag, which wins over the file.

    Attributes:
      file: a configuration in TOML, such as runs/demo/config.toml; without it the defaults.
    """

    file: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="[config.toml]")] = ""


@dataclasses.dataclass(frozen=True)
class DemoFlags(Flags):
    """Learn to read the bundled pictures of digits, and write a page about it.

    It is `train` with a configuration of its own; every flag changes one number of it.
    """


def parse_train(argv: list[str]) -> TrainFlags:
    """Parse the flags of `train`; the file, if there is one, gives the defaults."""
    flags = _parse("train", argv, TrainFlags())
    if flags.file:
        flags = _parse("train", argv, TrainFlags(config=read_config(flags.file)))
    return dataclasses.replace(flags, config=checked(flags.config))


def parse_demo(argv: list[str], config: Config) -> DemoFlags:
    """Parse the flags of `demo` on top of its configuration."""
    flags = _parse("demo", argv, DemoFlags(config=config))
    return dataclasses.replace(flags, config=checked(flags.config))


def _parse(command: str, argv: list[str], default: Parsed) -> Parsed:
    return tyro.cli(type(default), prog=f"jaxopt-dl {command}", args=argv, default=default)
