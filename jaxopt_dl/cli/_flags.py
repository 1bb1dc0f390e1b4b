"""Flags by tyro on top of a configuration: each key of the file is a flag of the same name."""

import dataclasses
from typing import Annotated, Any, Literal, TypeVar

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
      cache: a folder that keeps compiled programs for the next run; auto chooses one in your
        folder of caches unless the variable JAXOPT_DL_CACHE names another, none keeps nothing.
      quiet: print only the path of the page.
      debug: show the traceback of an error.
    """

    config: Annotated[Config, tyro.conf.arg(name="")] = DEFAULTS
    progress: Literal["auto", "bar", "lines", "none"] = "auto"
    cache: Annotated[str, tyro.conf.arg(metavar="{auto,none}|FOLDER")] = "auto"
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


def _as_the_case_says(metavar: str, otherwise: str) -> Any:
    """Describe a flag that is None unless it is given."""
    hint = f"(default: that of the case, else {otherwise})"
    return tyro.conf.arg(metavar=metavar, help_behavior_hint=hint)


@dataclasses.dataclass(frozen=True)
class CheckFlags:
    """Check the gradient of your own function, and say which leaf, entry and line is wrong.

    Exit codes: 0 right, 1 wrong, 3 undecided, 2 nothing could be checked.

    Attributes:
      case: a function without arguments that returns (function, params), or a dict of
        arguments of check_gradients; cases:softplus is `def softplus()` in cases.py here.
      components: how many entries to difference one by one: all, a number, or auto, which is
        all up to 4096 parameters and a sample above.
      points: where to look: at the given parameters alone, or also further away (auto).
      seed: of every random choice.
      json: print everything as JSON, with null for what is not a finite number.
      quiet: print only the verdict, and no progress.
      debug: show the traceback of an error.
    """

    case: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="module:function")]
    components: Annotated[
        Literal["auto", "all"] | int | None, _as_the_case_says("{auto,all}|INT", "auto")
    ] = None
    points: Annotated[
        Literal["auto", "given"] | None, _as_the_case_says("{auto,given}", "auto")
    ] = None
    seed: Annotated[int | None, _as_the_case_says("INT", "0")] = None
    json: Switch = False
    quiet: Switch = False
    debug: Switch = False


def parse_check(argv: list[str]) -> CheckFlags:
    """Parse the flags of `check-grads`."""
    return tyro.cli(CheckFlags, prog="jaxopt-dl check-grads", args=argv)


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
