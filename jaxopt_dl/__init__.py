"""Deep-learning optimization in JAX: proven gradients, composable optimizers, compiled runs.

The public namespaces are packages, imported when first used::

    from jaxopt_dl import nn, losses, optim, schedules, data, gradcheck, train
"""

import importlib
import typing

__version__ = "0.1.0"

if typing.TYPE_CHECKING:
    from jaxopt_dl import (
        cli,
        curvature,
        data,
        gradcheck,
        losses,
        nn,
        optim,
        report,
        schedules,
        telemetry,
        testing,
        train,
    )

__all__ = [
    "__version__",
    "cli",
    "curvature",
    "data",
    "gradcheck",
    "losses",
    "nn",
    "optim",
    "report",
    "schedules",
    "telemetry",
    "testing",
    "train",
]


def __getattr__(name: str):
    if name in __all__:
        return importlib.import_module(f"jaxopt_dl.{name}")
    raise AttributeError(f"module 'jaxopt_dl' has no attribute {name!r}; it has: {sorted(__all__)}")


def __dir__() -> list[str]:
    return sorted(__all__)
