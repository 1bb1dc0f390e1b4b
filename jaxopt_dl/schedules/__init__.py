"""Schedules: functions of the update count that are also pytrees of their numbers.

The first update sees `count == 0`, and lengths are in updates. Inside an optimizer's state the
numbers are data: other values run in the same compiled program, and vmap sweeps them.
"""

from ._decay import Exponential, InverseSqrt, InverseTime, exponential, inverse_sqrt, inverse_time
from ._join import Join, Warmup, join, warmup
from ._ramp import Constant, Cosine, Linear, constant, cosine, linear

__all__ = [
    "Constant",
    "Cosine",
    "Exponential",
    "InverseSqrt",
    "InverseTime",
    "Join",
    "Linear",
    "Warmup",
    "constant",
    "cosine",
    "exponential",
    "inverse_sqrt",
    "inverse_time",
    "join",
    "linear",
    "warmup",
]
