"""Checks of user input, and the one form in which they complain.

Every message reads "who: what must hold, what came. What to do." Shapes and dtypes are known
at trace time and always checked. Values are checked where they are concrete; tracers are let
through, because inside a compiled program there is nobody to raise an error to.
"""

import difflib
import numbers
from collections.abc import Collection, Iterable
from typing import Any, NoReturn

import jax
import jax.core
import jax.numpy as jnp
import numpy as np


def fail(
    who: str,
    rule: str,
    came: str,
    advice: str,
    *,
    kind: type[Exception] = ValueError,
    cause: Exception | None = None,
) -> NoReturn:
    """Raise `kind` with the library's one message form.

    Args:
      who: the public function (and its argument where that is not in `rule`).
      rule: what must hold, without a full stop.
      came: what came instead, without a full stop.
      advice: what to do, a full sentence.
      kind: the exception class.
      cause: the exception that this one explains.
    """
    error = kind(f"{who}: {rule}, {came}. {advice}")
    if cause is None:
        raise error
    raise error from cause


def is_traced(value: Any) -> bool:
    """Whether `value` is a tracer, so that its numbers cannot be looked at."""
    return isinstance(value, jax.core.Tracer)


def check_number(
    who: str,
    name: str,
    value: Any,
    *,
    low: float = -np.inf,
    high: float = np.inf,
    low_open: bool = False,
    high_open: bool = False,
) -> None:
    """Check that `value` is one finite real number between `low` and `high`.

    A number that the default floating-point type stores as zero or infinity is refused too.

    Tracers are let through once their shape and dtype are right.

    Raises:
      TypeError: if it is not a real number (booleans and strings are not).
      ValueError: if it is not scalar, not finite or out of range.
    """
    interval = _interval(low, high, low_open, high_open)
    advice = f"Pass a number in {interval}."
    if isinstance(value, bool | np.bool_) or not isinstance(
        value, numbers.Real | np.ndarray | np.generic | jax.Array
    ):
        fail(who, f"`{name}` must be a number", f"got {_show(value)}", advice, kind=TypeError)
    if isinstance(value, np.ndarray | np.generic | jax.Array):
        if not (np.issubdtype(value.dtype, np.integer) or jnp.issubdtype(value.dtype, np.floating)):
            came = f"got an array of dtype {value.dtype}"
            fail(who, f"`{name}` must be a real number", came, advice, kind=TypeError)
        if value.shape != ():
            came = f"got an array of shape {value.shape}"
            scalar = f"Pass a scalar in {interval}; vmap for several."
            fail(who, f"`{name}` must be one number", came, scalar)
        if is_traced(value):
            return
    number = float(value)
    inside = (number > low if low_open else number >= low) and (
        number < high if high_open else number <= high
    )
    if not (np.isfinite(number) and inside):
        fail(who, f"`{name}` must lie in {interval}", f"got {value!s}", advice)
    stored = jnp.result_type(float)
    limits = jnp.finfo(stored)
    if number and not float(limits.smallest_subnormal) <= abs(number) <= float(limits.max):
        rule = f"`{name}` must fit into {stored}"
        fail(who, rule, f"got {value!s}", "It would be stored as zero or infinity.")


def check_integer(who: str, name: str, value: Any, *, low: int | None = None) -> None:
    """Check that `value` is a Python or NumPy integer, at least `low`.

    Raises:
      TypeError: if it is not an integer (booleans and floats are not).
      ValueError: if it is below `low`.
    """
    least = "an integer" if low is None else f"an integer of at least {low}"
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | np.integer):
        fail(
            who, f"`{name}` must be {least}", f"got {_show(value)}", "Pass an int.", kind=TypeError
        )
    if low is not None and value < low:
        fail(who, f"`{name}` must be at least {low}", f"got {value}", f"Pass {low} or more.")


def check_choice(who: str, name: str, value: Any, allowed: Iterable[Any]) -> None:
    """Check that `value` is one of `allowed`, suggesting the nearest spelling.

    Raises:
      ValueError: naming every allowed value.
    """
    options = list(allowed)
    if any(type(value) is type(option) and value == option for option in options):
        return
    near = difflib.get_close_matches(str(value), [str(option) for option in options], n=1)
    advice = f"Did you mean {near[0]!r}?" if near else f"Choose from {options}."
    listed = ", ".join(repr(option) for option in options)
    fail(who, f"`{name}` must be one of {listed}", f"got {_show(value)}", advice)


def check_callable(who: str, name: str, value: Any) -> None:
    """Check that `value` can be called.

    Raises:
      TypeError: otherwise.
    """
    if not callable(value):
        fail(
            who,
            f"`{name}` must be a function",
            f"got {_show(value)}",
            "Pass the function itself.",
            kind=TypeError,
        )


def check_shape(who: str, name: str, value: Any, expected: tuple[int | None, ...]) -> None:
    """Check the shape of an array; None in `expected` matches any size.

    Raises:
      ValueError: naming both shapes.
    """
    shape = tuple(np.shape(value))
    if len(shape) == len(expected) and all(
        want is None or have == want for have, want in zip(shape, expected, strict=True)
    ):
        return
    wanted = "(" + ", ".join("any" if size is None else str(size) for size in expected)
    wanted += ",)" if len(expected) == 1 else ")"
    fail(
        who,
        f"`{name}` must have shape {wanted}",
        f"got {shape}",
        "Reshape it; nothing is broadcast silently.",
    )


def check_same_shape(who: str, first: str, a: Any, second: str, b: Any) -> None:
    """Check that two arrays have one shape, so that `(n,)` never meets `(n, 1)`.

    Raises:
      ValueError: naming both shapes.
    """
    if np.shape(a) != np.shape(b):
        fail(
            who,
            f"`{first}` and `{second}` must have the same shape",
            f"got {tuple(np.shape(a))} and {tuple(np.shape(b))}",
            "Reshape one of them; nothing is broadcast silently.",
        )


def check_floating(who: str, name: str, value: Any) -> None:
    """Check that an array holds floating-point numbers.

    Raises:
      TypeError: naming the dtype that came.
    """
    dtype = jnp.result_type(value)
    if not jnp.issubdtype(dtype, np.floating):
        advice = "Convert it first, for example with `.astype(jnp.float32)`."
        rule = f"`{name}` must hold floating-point numbers"
        fail(who, rule, f"got dtype {dtype}", advice, kind=TypeError)


def check_key(who: str, key: Any) -> None:
    """Check that `key` is one JAX PRNG key, typed or legacy.

    Raises:
      TypeError: if it is not a key.
      ValueError: if it is an array of several keys.
    """
    advice = "Pass `key=jax.random.key(seed)`."
    dtype = getattr(key, "dtype", None)
    if dtype is not None and jnp.issubdtype(dtype, jax.dtypes.prng_key):
        if key.shape != ():
            rule = "`key` must be one PRNG key"
            fail(who, rule, f"got {key.shape} of them", "Use vmap for several keys.")
        return
    legacy = dtype is not None and dtype == np.uint32 and np.ndim(key) == 1
    if not legacy:
        fail(who, "`key` must be a PRNG key", f"got {_show(key)}", advice, kind=TypeError)


def check_known_keys(who: str, name: str, keys: Collection[str], allowed: Collection[str]) -> None:
    """Check that every key of a mapping is an allowed one.

    Raises:
      ValueError: naming the first unknown key and its nearest spelling.
    """
    for key in keys:
        if key in allowed:
            continue
        near = difflib.get_close_matches(str(key), list(allowed), n=1)
        advice = f"Did you mean {near[0]!r}?" if near else "Remove it."
        listed = ", ".join(sorted(allowed))
        fail(who, f"`{name}` may hold only: {listed}", f"got {key!r}", advice)


def require(who: str, module: str, extra: str, *, package: str | None = None) -> Any:
    """Import an optional dependency, or say what to install.

    Args:
      who: what needs it.
      module: the import name, such as `"matplotlib"`.
      extra: the extra of this package that brings it.
      package: the name under which it is installed, where that is not the import name.

    Raises:
      ModuleNotFoundError: with the command that installs it.
    """
    import importlib

    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        top = module.partition(".")[0]
        if error.name is not None and error.name.partition(".")[0] != top:
            raise
        raise ModuleNotFoundError(
            f"{who}: needs the package `{package or top}`, which is not installed. "
            f"Run: pip install 'jaxopt_dl[{extra}]'",
            name=error.name,
        ) from None


def _interval(low: float, high: float, low_open: bool, high_open: bool) -> str:
    left = "(" if low_open or low == -np.inf else "["
    right = ")" if high_open or high == np.inf else "]"
    return f"{left}{low:g}, {high:g}{right}"


def _show(value: Any) -> str:
    text = repr(value)
    text = text if len(text) <= 60 else text[:57] + "..."
    return f"{text} ({type(value).__name__})"
