"""Cases for `check-grads`: from `module:function` to the arguments of a gradient check."""

import contextlib
import difflib
import importlib
import inspect
import os
import pkgutil
import sys
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

from jaxopt_dl.gradcheck import check_gradients

from ._errors import Refusal

ARGUMENTS = tuple(inspect.signature(check_gradients).parameters)
FORM = "Write module:function, for example cases:softplus for `def softplus()` in cases.py."


@contextlib.contextmanager
def current_folder_importable() -> Iterator[None]:
    """Find modules in the current folder first, as `python -m` does."""
    folder = str(Path.cwd())
    sys.path.insert(0, folder)
    importlib.invalidate_caches()
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):
            sys.path.remove(folder)


def load_case(name: str) -> dict[str, Any]:
    """Import a case, call it, and return the arguments of `check_gradients`.

    Raises:
      Refusal: if the name leads nowhere, or the case fails or returns something else.
    """
    module, colon, attribute = name.rpartition(":")
    if not (colon and module and attribute):
        _refuse("must have the form module:function", name or "nothing", FORM)
    if module.endswith(".py") or os.sep in module:
        dotted = module.removesuffix(".py").strip(f".{os.sep}").replace(os.sep, ".")
        _refuse("must name a module, not a file", name, f"Write {dotted}:{attribute}.")
    if module.startswith("."):
        _refuse("must name a module by its full name", name, f"Write {name.lstrip('.')}.")
    case = _case_in(_module(module), attribute)
    with blame_case(name):
        returned = case()
    return _arguments(name, returned)


@contextlib.contextmanager
def blame_case(name: str) -> Iterator[None]:
    """Refuse whatever somebody's code raises, so that it is not taken for a wrong gradient."""
    try:
        yield
    except (Refusal, KeyboardInterrupt):
        raise
    except BaseException as error:
        text = " ".join(str(error).split())
        if text.startswith(f"{check_gradients.__name__}: "):  # it says what to do
            raise Refusal(f"{name}: {text}") from error
        what = f"{type(error).__name__}: {text}".removesuffix(": ")
        raise Refusal(f"{name} raised {what} (`--debug` shows the traceback)") from error


def _module(name: str) -> ModuleType:
    try:
        with blame_case(name):
            return importlib.import_module(name)
    except Refusal as refusal:
        missing = refusal.__cause__
        if not isinstance(missing, ModuleNotFoundError) or not _leads_to(name, missing.name):
            raise
    there = [module.name for module in pkgutil.iter_modules([str(Path.cwd())])]
    advice = "It must lie in the current folder or be installed."
    _refuse("must name a module", f"{missing.name!r}, which was not found", advice, name, there)


def _leads_to(name: str, missing: str | None) -> bool:
    """Whether the missing module is the one asked for, or a package it would be in."""
    return missing is not None and f"{name}.".startswith(f"{missing}.")


def _case_in(module: ModuleType, attribute: str) -> Any:
    if not hasattr(module, attribute):
        there = [n for n, value in vars(module).items() if callable(value) and n[0] != "_"]
        came = f"{attribute!r}, which {module.__name__} does not have"
        _refuse("must name a function of the module", came, FORM, attribute, there)
    case = getattr(module, attribute)
    if not callable(case):
        came = f"{attribute!r}, which is of type {type(case).__name__}"
        _refuse("must be a function", came, FORM)
    if needed := _required(case):
        advice = "Make the data inside it, or write a function without arguments that calls it."
        _refuse("must take no arguments", f"{attribute}({', '.join(needed)})", advice)
    return case


def _required(case: Any) -> list[str]:
    try:
        parameters = inspect.signature(case).parameters.values()
    except (ValueError, TypeError):  # some built-in functions do not tell
        return []
    optional = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [p.name for p in parameters if p.default is p.empty and p.kind not in optional]


def _arguments(name: str, returned: Any) -> dict[str, Any]:
    advice = "Return (function, params), or a dict of arguments of check_gradients."
    if isinstance(returned, tuple) and len(returned) == 2 and callable(returned[0]):
        return {"function": returned[0], "params": returned[1]}
    if not isinstance(returned, Mapping):
        came = f"{name}, which returned {_kind_of(returned)}"
        _refuse("must return what to check", came, advice)
    if lacking := [key for key in ("function", "params") if key not in returned]:
        came = f"{name}, which returned a dict without {' and '.join(map(repr, lacking))}"
        _refuse("must return what to check", came, advice)
    for key in returned:
        if key not in ARGUMENTS:
            came = f"{name}, which returned a dict with {key!r}"
            advice = f"There are {', '.join(ARGUMENTS)}."
            _refuse("must return arguments of check_gradients", came, advice, str(key), ARGUMENTS)
    return dict(returned)


def _kind_of(returned: Any) -> str:
    if inspect.iscoroutine(returned):
        returned.close()  # nobody will await it, and Python would complain
    if isinstance(returned, tuple | list):
        inside = ", ".join(type(part).__name__ for part in returned)
        return f"a {type(returned).__name__} of {inside or 'nothing'}"
    return f"something of type {type(returned).__name__}"


def _refuse(
    rule: str, came: str, advice: str, wrong: str = "", choices: Collection[str] = ()
) -> NoReturn:
    """Raise a `Refusal`, with the nearest of the choices as its advice where one is near."""
    near = difflib.get_close_matches(wrong, choices, n=1)
    raise Refusal(f"case: {rule}, got {came}. {f'Did you mean {near[0]!r}?' if near else advice}")
