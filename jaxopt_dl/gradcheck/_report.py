"""What a check found: plain data that knows how to be text, and how to be JSON."""

import dataclasses
import math
from typing import Any

from . import _text
from ._parts import Cause, ComponentReport, Coverage, LeafReport


@dataclasses.dataclass(frozen=True)
class GradientReport:
    """The result of `check_gradients`; `str(report)` is for people, the fields for programs.

    Attributes:
      verdict: "pass", "fail" or "inconclusive".
      relative_error: `|g - r| / (|g| + |r|)` over all compared entries, 0 to 1.
      leaves: one `LeafReport` per floating-point leaf, in the order of the parameters.
      causes: where the errors come from, most affected leaves first.
      coverage: how much was compared with what.
      notes: sentences on everything that needs no action but should be known.
      point: the parameter values the leaves are shown at, one of `coverage.points`.
      method: "full", or "textbook" for the plain algorithm.

    Examples:
      >>> import jax.numpy as jnp
      >>> from jaxopt_dl.gradcheck import check_gradients
      >>> report = check_gradients(lambda x: jnp.sum(x**2), jnp.ones(2), gradient=jnp.ones_like)
      >>> bool(report), report.verdict, report.causes[0].kind
      (False, 'fail', 'gradient')
      >>> print(str(report).splitlines()[0])
      gradient check: FAIL - the gradient is wrong (relative error 3.3e-01)
    """

    verdict: str
    relative_error: float
    leaves: tuple[LeafReport, ...]
    causes: tuple[Cause, ...]
    coverage: Coverage
    notes: tuple[str, ...]
    point: str
    method: str

    def __bool__(self) -> bool:
        """Whether the check passed."""
        return self.verdict == "pass"

    def __str__(self) -> str:
        """Return the report as text of at most 80 columns, worst leaf first."""
        verdict, error = self.verdict, self.relative_error
        return "\n".join(
            [
                *_text.headline(verdict, error, self.leaves, self.causes, self.point),
                *_text.reasons(self.causes),
                "",
                *_text.table(self.leaves),
                "",
                *_text.remarks(self.coverage, self.notes),
            ]
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain dicts, lists, strings and numbers, ready for strict JSON.

        Numbers that are not finite become None, which JSON writes as null: a NaN gradient, the
        infinite bar of an entry that was not differenced.
        """
        return _plain(self)


def _plain(value: Any) -> Any:
    if isinstance(value, str | int):
        return value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, ComponentReport | LeafReport | Cause | Coverage):
        return {name: _plain(part) for name, part in value._asdict().items()}
    if isinstance(value, tuple | list):
        return [_plain(part) for part in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return value
