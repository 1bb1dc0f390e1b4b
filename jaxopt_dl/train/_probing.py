"""Probes inside the compiled program: measured in chosen steps, handed to the host in rows."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxopt_dl._core.errors import fail
from jaxopt_dl._core.types import Array, Probe, ProbeInput

from ._history import Row, shortest

ROOM = 256
"""Most measurements one call of the program can report; longer calls just return earlier."""


class Probed(NamedTuple):
    """What the probes of one call found.

    Attributes:
      steps: updates done before each measurement, `(ROOM,)`.
      values: one column per name, `(ROOM, names)`. One array, as loops pay for every buffer.
      count: how many of them are filled.
    """

    steps: Array
    values: Array
    count: Array


def empty(names: Sequence[str]) -> Probed | None:
    """Return where measurements go, or None where there are no probes."""
    if not names:
        return None
    steps = jnp.zeros((ROOM,), jnp.int32)
    return Probed(steps, jnp.zeros((ROOM, len(names)), float), jnp.zeros((), jnp.int32))


def has_room(probed: Probed | None) -> Array | bool:
    """Return whether one more measurement fits."""
    return True if probed is None else probed.count < ROOM


def measure(probes: Sequence[Probe], seen: ProbeInput) -> dict[str, Array]:
    """Return what the probes find in one step.

    Raises:
      TypeError: if a probe does not return a dict.
      ValueError: if a value is no scalar, or two probes use one name.
    """
    found: dict[str, Array] = {}
    for probe in probes:
        values = probe(seen)
        who = f"the probe {getattr(probe, '__name__', probe)}"
        if not isinstance(values, dict):
            came, advice = f"got {type(values).__name__}", "Return `{'name': value}`."
            fail("fit", f"{who} must return a dict", came, advice, kind=TypeError)
        for name, value in values.items():
            if jnp.shape(value) != ():
                came = f"got shape {jnp.shape(value)} for {name!r}"
                fail("fit", f"{who} must return scalars", came, "Take a norm or a mean.")
            if name in found or name == "step":
                advice = "Rename it, or leave one of the probes out."
                fail("fit", f"{who} must use a name of its own", f"got {name!r} again", advice)
        found |= values
    return found


def record(probes: Sequence[Probe], probed: Probed, step: Array, seen: ProbeInput) -> Probed:
    """Write one row of measurements."""
    place, dtype = probed.count, probed.values.dtype
    row = jnp.stack([jnp.asarray(value, dtype) for value in measure(probes, seen).values()])
    return Probed(probed.steps.at[place].set(step), probed.values.at[place].set(row), place + 1)


def rows_of(probed: Probed | None, names: Sequence[str]) -> list[Row]:
    """Return the measurements of one call as rows, oldest first."""
    if probed is None:
        return []
    steps, values, count = jax.device_get(probed)
    return [
        {"step": int(step), **dict(zip(names, map(shortest, row), strict=True))}
        for step, row in zip(steps[:count], values[:count], strict=True)
    ]
