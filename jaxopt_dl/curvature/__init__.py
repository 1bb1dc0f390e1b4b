"""The shape of a loss around given parameters: curvature, critical points, slices of the landscape.

It takes any scalar function over pytrees and knows nothing of layers or training.
"""

from ._critical import CriticalPoint, classify_critical_point, hessian_index, newton_step
from ._gradient import gradient_norm, may_be_critical
from ._landscape import filter_normalized, loss_along, loss_plane, random_direction
from ._products import hessian, hessian_vector_product
from ._spectrum import (
    ExtremeEigenvalues,
    Tridiagonal,
    condition_number,
    extreme_eigenvalues,
    lanczos,
)

__all__ = [
    "CriticalPoint",
    "ExtremeEigenvalues",
    "Tridiagonal",
    "classify_critical_point",
    "condition_number",
    "extreme_eigenvalues",
    "filter_normalized",
    "gradient_norm",
    "hessian",
    "hessian_index",
    "hessian_vector_product",
    "lanczos",
    "loss_along",
    "loss_plane",
    "may_be_critical",
    "newton_step",
    "random_direction",
]
