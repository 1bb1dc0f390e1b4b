"""Reading traced programs: walk them, evaluate them with changes, find the user's source line.

This is the only package that touches jaxprs, so that what differs between JAX releases differs
here and nowhere else.
"""

from ._equations import (
    CALLS,
    RULES,
    Equation,
    LinearSolve,
    Loop,
    Program,
    body_of,
    inner_programs,
    input_types,
    is_literal,
    linear_solve_of,
    loop_of,
    output_types,
    scan_counts,
)
from ._evaluate import Replacement, bind, evaluate, evaluate_each, evaluate_with_marks
from ._places import Place, caller_file, is_library, user_place
from ._propagate import propagate
from ._rules import definition, has_given_derivative, name_of
from ._tapped import evaluate_with_taps
from ._taps import Tap, Taps, find_taps
from ._walk import Site, first_difference, scoped_equations, walk

__all__ = [
    "CALLS",
    "RULES",
    "Equation",
    "LinearSolve",
    "Loop",
    "Place",
    "Program",
    "Replacement",
    "Site",
    "Tap",
    "Taps",
    "bind",
    "body_of",
    "caller_file",
    "definition",
    "evaluate",
    "evaluate_each",
    "evaluate_with_marks",
    "evaluate_with_taps",
    "find_taps",
    "first_difference",
    "has_given_derivative",
    "inner_programs",
    "input_types",
    "is_library",
    "is_literal",
    "linear_solve_of",
    "loop_of",
    "name_of",
    "output_types",
    "propagate",
    "scan_counts",
    "scoped_equations",
    "user_place",
    "walk",
]
