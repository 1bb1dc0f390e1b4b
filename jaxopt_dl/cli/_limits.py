"""What a value of the configuration may be, written beside its type in `Annotated`."""

import dataclasses
import math
import unicodedata
from typing import NoReturn

from ._errors import Refusal

LONGEST_NAME = 100


def refuse(key: str, rule: str, value: object, advice: str) -> NoReturn:
    """Refuse the value of one key of the configuration."""
    raise Refusal(f"{key}: {rule}, got {value!r}. {advice}")


@dataclasses.dataclass(frozen=True)
class Range:
    """A finite number between two others."""

    low: float = -math.inf
    high: float = math.inf
    low_open: bool = False
    high_open: bool = False

    def check(self, key: str, value: float) -> None:
        """Refuse a number outside the range."""
        above = value > self.low if self.low_open else value >= self.low
        below = value < self.high if self.high_open else value <= self.high
        if not (math.isfinite(value) and above and below):
            refuse(key, f"must lie in {self}", value, "Choose a number in this range.")

    def __str__(self) -> str:
        left = "(" if self.low_open or self.low == -math.inf else "["
        right = ")" if self.high_open or self.high == math.inf else "]"
        return f"{left}{self.low:.10g}, {self.high:.10g}{right}"


@dataclasses.dataclass(frozen=True)
class FolderName:
    """A name that is one new folder, and nothing else."""

    def check(self, key: str, value: str) -> None:
        """Refuse a name that leads elsewhere or hides."""
        bad = any(char in '/\\:*?"<>|' or unicodedata.category(char)[0] == "C" for char in value)
        if bad or value != value.strip() or value.startswith(".") or not value:
            rule = 'must be a plain folder name, without / \\ : * ? " < > | or a leading dot'
            refuse(key, rule, value, "Choose for example 'first-try'.")
        if len(value.encode()) > LONGEST_NAME:
            refuse(key, f"must have at most {LONGEST_NAME} bytes", value, "Shorten it.")
