"""Contract suites for your own pieces: what the library promises, asserted of what you wrote.

Each `check_*` function runs the suite that the library's own members pass, and raises an
`AssertionError` that says which promise is broken and for which input.
"""

from ._layers import check_layer
from ._losses import check_loss
from ._numbers import check_numbers_are_data
from ._schedules import check_schedule
from ._transformations import check_transformation

__all__ = [
    "check_layer",
    "check_loss",
    "check_numbers_are_data",
    "check_schedule",
    "check_transformation",
]
