"""Schedules: functions of the update count that are also pytrees of their numbers.

The first update sees `count == 0`, and lengths are in updates. Inside an optimizer's state the
numbers are data: other values run in the same compiled program, and vmap sweeps them.
"""

from ._decay import exponential, inverse_sqrt, inverse_time
from ._ramp import constant, cosine, linear

__all__ = ["constant", "cosine", "exponential", "inverse_sqrt", "inverse_time", "linear"]
