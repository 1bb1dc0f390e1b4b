"""What an experiment is: a claim, how it is tested, and what would count as an answer."""

import enum
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from matplotlib.figure import Figure

Measured = Mapping[str, Any]
"""What a run measured, in the types that JSON knows: numbers, words, lists and dicts of them."""


class Verdict(enum.StrEnum):
    """The answer, by a criterion that was fixed before."""

    CONFIRMED = "confirmed"
    MIXED = "mixed"
    NOT_CONFIRMED = "not confirmed"


class Answer(NamedTuple):
    """A verdict and the figures it rests on.

    Attributes:
      verdict: the word.
      finding: one or two sentences with the decisive numbers.
    """

    verdict: Verdict
    finding: str


class Experiment(NamedTuple):
    """One claim and its test.

    Attributes:
      id: such as "X-01".
      title: a few words.
      claim: what is commonly said.
      setup: data, model, what is varied.
      criterion: what must be seen to confirm the claim.
      seeds: how many repeats with other random numbers; 1 where nothing is random.
      measure: `(seeds, quick) -> measured`; quick runs are smaller and decide nothing.
      judge: `measured -> Answer`.
      draw: `measured -> Figure`.
      caption: what the picture shows, for those who cannot see it too.
    """

    id: str
    title: str
    claim: str
    setup: str
    criterion: str
    seeds: int
    measure: Callable[[int, bool], Measured]
    judge: Callable[[Measured], Answer]
    draw: Callable[[Measured], Figure]
    caption: str


def verdict_of(*conditions: bool) -> Verdict:
    """Return confirmed if all conditions hold, not confirmed if none does, else mixed."""
    if all(conditions):
        return Verdict.CONFIRMED
    return Verdict.MIXED if any(conditions) else Verdict.NOT_CONFIRMED
