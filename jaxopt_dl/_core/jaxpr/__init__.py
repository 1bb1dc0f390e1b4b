"""Reading traced programs: walk them, evaluate them with changes, find the user's source line.

This is the only file that touches jaxprs, so that what differs between JAX releases differs
here and nowhere else.
"""

import functools
import linecache
import re
import sys
import sysconfig
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import Literal
from jax.interpreters import ad

Program: TypeAlias = Any
"""A jaxpr with its constants, as `jax.make_jaxpr` returns it."""
Equation: TypeAlias = Any
Replacement: TypeAlias = Callable[[Equation, list], Sequence[Any]]
"""`(equation, input values) -> output values`."""

LIBRARIES = ("jax", "jaxlib", "optax", "flax", "equinox", "chex", "jaxtyping", "jaxopt_dl")
WRAPPERS = ("wrapped_fun", "fn_wrapped", "fn_wrapper")
"""Functions that `jax.custom_gradient` and `equinox.filter_custom_vjp` put around the user's."""
WRAPPING_FILE = "custom_derivatives.py"
PARTS_OF_A_RULE = ("bwd", "jvp_jaxpr_fun", "fwd_jaxpr_thunk")
"""Parameters of a custom rule that hold the functions it is made of."""
RULES = ("custom_jvp_call", "custom_vjp_call")
TAKERS = ("custom_linear_solve", "linear_call")
"""Operations of JAX that are differentiated by functions given to them."""
HIGH_LEVEL = "call_hi_primitive"
"""What newer releases of JAX make of an operation with rules of its own, such as `custom_root`."""
CALLS = ("jit", "pjit", "closed_call", "core_call", "remat2", "checkpoint")


class Place(NamedTuple):
    """Where something was written.

    Attributes:
      function: name of the enclosing function, or of the function itself.
      file: path of the file; empty if unknown.
      line: line in that file; 0 if unknown.
    """

    function: str
    file: str
    line: int


class Site(NamedTuple):
    """One equation of a program, and the nearest line of user code.

    Attributes:
      equation: the equation.
      place: where the user wrote it; inside library code, the call that led there.
      inside: the rules it lies in, outermost first.
    """

    equation: Equation
    place: Place
    inside: tuple[Equation, ...]


def walk(program: Program, place: Place | None = None, inside: tuple = ()) -> Iterator[Site]:
    """Yield every equation of a program, outer ones before those inside them."""
    for equation in program.eqns:
        here = user_place(equation) or place or Place("unknown", "", 0)
        yield Site(equation, here, inside)
        deeper = (*inside, equation) if equation.primitive.name in RULES else inside
        for inner in inner_programs(equation):
            yield from walk(inner, here, deeper)


def inner_programs(equation: Equation) -> list[Program]:
    """Return the programs an equation calls, such as the branches of a `cond`."""
    found = []
    for value in equation.params.values():
        parts = value if isinstance(value, tuple | list) else [value]
        found += [part for part in parts if hasattr(part, "eqns") or hasattr(part, "jaxpr")]
    return [part for part in found if hasattr(getattr(part, "jaxpr", part), "eqns")]


def body_of(equation: Equation) -> Program | None:
    """Return the program that a call or a custom rule runs forward, None for other equations."""
    if equation.primitive.name not in (*RULES, *CALLS):
        return None
    return next(iter(inner_programs(equation)), None)


def input_types(equation: Equation) -> list[Any]:
    """Return shape and dtype of every input."""
    return [atom.aval for atom in equation.invars]


def output_types(equation: Equation) -> list[Any]:
    """Return shape and dtype of every output."""
    return [variable.aval for variable in equation.outvars]


def scoped_equations(program: Program, scope: str = "") -> Iterator[tuple[str, Equation]]:
    """Yield every equation with its named scope, such as `block/00_dense`; calls are entered.

    Scopes are those of `jax.named_scope` (and of Flax modules); empty outside all of them.
    """
    for equation in program.eqns:
        own = str(equation.source_info.name_stack)
        here = "/".join(part for part in (scope, own) if part)
        body = body_of(equation) if equation.primitive.name in CALLS else None
        if body is None:
            yield here, equation
        else:
            yield from scoped_equations(body, here)


def scan_counts(equation: Equation) -> tuple[int, int]:
    """Return the number of constants and of carried values of a `scan`."""
    params = equation.params
    if "num_consts" in params:
        return params["num_consts"], params["num_carry"]
    consts, carry, _ = params["ft_in"].unpack()
    return len(consts), len(carry)


class Loop(NamedTuple):
    """A `while` equation taken apart.

    Attributes:
      test: whether to go on; its inputs are `tested` constants and the state. Under `vmap` it
        answers for every lane, and the state leads with the axes of the answer.
      body: one step; its inputs are `looped` constants and the state.
      tested: number of constants of the test, which come first among the equation's inputs.
      looped: number of constants of the body, which come next; the first state is the rest.
    """

    test: Program
    body: Program
    tested: int
    looped: int


def loop_of(equation: Equation) -> Loop:
    """Take a `while` equation apart."""
    params = equation.params
    parts = params["cond_jaxpr"], params["body_jaxpr"]
    return Loop(*parts, params["cond_nconsts"], params["body_nconsts"])


class LinearSolve(NamedTuple):
    """A `custom_linear_solve` equation and its inputs taken apart.

    Attributes:
      apply: the matrix as a program, after its `applied` constants.
      solve: the solver as a program, after its `solved` constants.
      applied: values of these constants.
      solved: values of these constants.
      right: the right-hand side.
    """

    apply: Program
    solve: Program
    applied: list
    solved: list
    right: list


def linear_solve_of(equation: Equation, values: Sequence[Any]) -> LinearSolve:
    """Take a `custom_linear_solve` equation apart."""
    lengths, programs = equation.params["const_lengths"], equation.params["jaxprs"]
    before = lengths.matvec + lengths.vecmat
    end = before + lengths.solve + lengths.transpose_solve
    return LinearSolve(
        programs.matvec,
        programs.solve,
        list(values[: lengths.matvec]),
        list(values[before : before + lengths.solve]),
        list(values[end:]),
    )


def user_place(equation: Equation) -> Place | None:
    """Return where the user wrote an equation, or None where only libraries appear."""
    for frame in _frames(equation):
        if not is_library(frame.file_name) and not _is_standard(frame.file_name):
            return Place(_short(frame.function_name), frame.file_name, frame.line_num)
    return None


def caller_file(equation: Equation, function: str) -> str:
    """Return the file whose code calls a library function by name, which made an equation.

    Lines of libraries that do not mention it only pass on what they were given, as `vmap` does.
    """
    frames = _frames(equation)
    last = max((i for i, frame in enumerate(frames) if frame.function_name == function), default=-1)
    for frame in frames[last + 1 :]:
        by_name = function in linecache.getline(frame.file_name, frame.line_num)
        if by_name or not is_library(frame.file_name):
            return frame.file_name
    return ""


def definition(equation: Equation, place: Place) -> Place:
    """Return where a custom rule is defined, as well as that is known.

    That is where its function is, or where the user's rule for a library's function is.

    Args:
      equation: a call of a custom rule.
      place: where it is called.
    """
    body = body_of(equation)
    written = _source(getattr(body, "jaxpr", body)) or place
    if written.function in WRAPPERS or Path(written.file).name == WRAPPING_FILE:
        inner = (user_place(equation) for equation in getattr(body, "eqns", ()))
        return next((found for found in inner if found is not None), written)
    if is_library(written.file):
        parts = [_source(equation.params.get(name)) for name in PARTS_OF_A_RULE]
        own = (part for part in parts if part is not None and not is_library(part.file))
        return next(own, written)
    return written


def _source(traced: Any) -> Place | None:
    """Where the function behind something traced is defined; None if that is unknown."""
    info = str(getattr(getattr(traced, "debug_info", None), "func_src_info", "") or "")
    name, _, where = info.rpartition(" at ")
    file, _, line = where.rpartition(":")
    return Place(_short(name), file, int(line) if line.isdigit() else 0) if file else None


def name_of(equation: Equation) -> str:
    """Return what a person calls an operation: its primitive, or the function with the rule."""
    name = equation.primitive.name
    if name in RULES:
        return definition(equation, Place(name, "", 0)).function
    own = type(equation.params.get("_prim")).__name__
    return re.sub("(?<=[a-z])(?=[A-Z])", "_", own).lower() if name == HIGH_LEVEL else name


def has_given_derivative(equation: Equation) -> bool:
    """Whether a user supplies the derivative of an operation, other than by a custom rule.

    As the functions given to `custom_root` or `linear_call`, or as a primitive of the user's own.
    """
    primitive = equation.primitive
    if primitive.name in RULES:
        written = definition(equation, Place("", "", 0))
        return is_library(written.file) and written.function.startswith("_")
    rules = [table.get(primitive) for table in (ad.primitive_jvps, ad.primitive_transposes)]
    return primitive.name in (*TAKERS, HIGH_LEVEL) or any(
        not is_library(file) for rule in rules for file in _files_in(rule)
    )


def _files_in(part: Any) -> Iterator[str]:
    """Files of the functions that a differentiation rule of a primitive is made of."""
    if isinstance(part, functools.partial):
        part = (part.func, *part.args)
    if isinstance(part, tuple | list):
        for inner in part:
            yield from _files_in(inner)
    elif hasattr(part, "__code__"):
        yield part.__code__.co_filename


def first_difference(one: Program, other: Program) -> Site | None:
    """Return the first equation in which two programs differ, None where they are the same.

    Constants count by value, so that two traces of a function that draws new numbers differ.
    """
    pairs = zip(walk(one), walk(other), strict=False)
    unequal = _unequal_constants(one, other)
    for mine, theirs in pairs:
        if mine.equation.primitive is not theirs.equation.primitive:
            return mine
        atoms = zip(mine.equation.invars, theirs.equation.invars, strict=False)
        if any(_differs(a, b, unequal) for a, b in atoms) or _own_params(mine) != _own_params(
            theirs
        ):
            return mine
    return None


@functools.cache
def is_library(file: str) -> bool:
    """Whether a file belongs to JAX or to a library whose rules are trusted."""
    return file.startswith(tuple(_library_folders()))


def evaluate(
    program: Program, values: Sequence[Any], replace: Mapping[int, Replacement]
) -> list[Any]:
    """Run a program with some equations replaced; it stays traceable and differentiable.

    Args:
      program: what to run.
      values: its inputs.
      replace: from `id(equation)` to what happens instead. Replaced equations are found inside
        calls, `scan`, `cond` and rules that are themselves entered; programs that hold none
        of them run untouched, custom rules included.
    """
    return _Run(replace).run(program, values)[0]


def evaluate_each(program: Program, values: Sequence[Any], step: Replacement) -> list[Any]:
    """Run a program with something else in place of every equation that calls nothing inside.

    Args:
      program: what to run. Calls, `scan`, `cond` and the bodies of custom rules are entered.
      values: its inputs.
      step: what happens instead of an equation; `bind` runs it as it stands.
    """
    return _Run({}, step=step).run(program, values)[0]


def evaluate_with_marks(
    program: Program, values: Sequence[Any], mark: Callable[[Equation, list, list], Any]
) -> tuple[list[Any], dict[int, Any]]:
    """Run a program and ask a yes-or-no question at every equation that calls nothing inside.

    Args:
      program: what to run.
      values: its inputs.
      mark: `(equation, inputs, outputs) -> boolean scalar`.

    Returns:
      The outputs, and by `id(equation)` whether the answer ever was yes.
    """
    return _Run({}, mark=mark).run(program, values)


def propagate(
    program: Program,
    inputs: Sequence[Any],
    transfer: Callable[[Equation, Place, list], Sequence[Any]],
    *,
    join: Callable[[Any, Any], Any],
    nothing: Any,
    place: Place | None = None,
) -> list[Any]:
    """Push facts about values through a program without running it.

    Args:
      program: what to analyze.
      inputs: one fact per input.
      transfer: `(equation, place, facts of its inputs) -> facts of its outputs`, for equations
        that are not entered. Calls, `scan`, `while` and `cond` are entered; custom rules are not.
      join: combines two facts about one value; repeated joins must come to an end.
      nothing: the fact about constants.
      place: where the program is called.

    Returns:
      One fact per output.
    """
    inner = getattr(program, "jaxpr", program)
    known = dict.fromkeys(inner.constvars, nothing)
    known.update(zip(inner.invars, inputs, strict=True))
    deeper = {"join": join, "nothing": nothing}
    for equation in inner.eqns:
        here = user_place(equation) or place or Place("unknown", "", 0)
        facts = [nothing if isinstance(a, Literal) else known[a] for a in equation.invars]

        def through(part: Program, given: Sequence[Any], at: Place = here) -> list[Any]:
            return propagate(part, given, transfer, place=at, **deeper)

        outputs = _through_call(equation, facts, through, join)
        outputs = transfer(equation, here, facts) if outputs is None else outputs
        known.update(zip(equation.outvars, outputs, strict=True))
    return [nothing if isinstance(a, Literal) else known[a] for a in inner.outvars]


def _through_call(
    equation: Equation, facts: list, through: Callable, join: Callable
) -> list[Any] | None:
    """Facts behind an equation that is entered; None if it is not."""
    name, params = equation.primitive.name, equation.params
    if name in CALLS:
        return through(inner_programs(equation)[0], facts)
    if name == "cond":
        found = [through(branch, facts[1:]) for branch in params["branches"]]
        joined = found[0]
        for other in found[1:]:
            joined = [join(a, b) for a, b in zip(joined, other, strict=True)]
        return [join(fact, facts[0]) for fact in joined]
    if name == "scan":
        consts, carry = scan_counts(equation)
        return _repeat(
            lambda state: through(
                params["jaxpr"], [*facts[:consts], *state, *facts[consts + carry :]]
            ),
            facts[consts : consts + carry],
            join,
        )
    if name == "while":
        test, body, tested, looped = loop_of(equation)
        fixed = facts[tested : tested + looped]
        start = facts[tested + looped :]
        ends = _repeat(lambda state: through(body, [*fixed, *state]), start, join)
        stop = through(test, [*facts[:tested], *ends])[0]
        return [join(fact, stop) for fact in ends]
    return None


def _repeat(step: Callable[[list], list], state: list, join: Callable) -> list[Any]:
    """Join facts over the rounds of a loop until they no longer change."""
    while True:
        outputs = step(state)
        joined = [join(a, b) for a, b in zip(state, outputs[: len(state)], strict=True)]
        if joined == state:
            return [*joined, *outputs[len(state) :]]
        state = joined


class _Run:
    """One way of evaluating: what is replaced, what is marked, what happens at every equation."""

    def __init__(
        self,
        replace: Mapping[int, Replacement],
        *,
        mark: Callable | None = None,
        step: Replacement | None = None,
    ):
        self._replace = replace
        self._mark = mark
        self._each = step
        self._everywhere = mark is not None or step is not None
        self._enters: dict[int, bool] = {}

    def run(self, program: Program, values: Sequence[Any]) -> tuple[list[Any], dict[int, Any]]:
        inner = getattr(program, "jaxpr", program)
        known = dict(zip(inner.constvars, getattr(program, "consts", ()), strict=True))
        known.update(zip(inner.invars, values, strict=True))
        marks: dict[int, Any] = {}

        def read(atom: Any) -> Any:
            return atom.val if isinstance(atom, Literal) else known[atom]

        for equation in inner.eqns:
            outputs, found = self._step(equation, [read(atom) for atom in equation.invars])
            known.update(zip(equation.outvars, outputs, strict=True))
            marks = _either(marks, found)
        return [read(atom) for atom in inner.outvars], marks

    def _step(self, equation: Equation, values: list) -> tuple[Sequence[Any], dict[int, Any]]:
        if id(equation) in self._replace:
            return self._replace[id(equation)](equation, values), {}
        if self._enters_inside(equation):
            name = equation.primitive.name
            if name == "scan":
                return self._scan(equation, values)
            if name == "cond":
                return self._cond(equation, values)
            if name in CALLS or (self._each is not None and name in RULES):
                return self.run(inner_programs(equation)[0], values)
        outputs = (self._each or bind)(equation, values)
        if self._mark is None:
            return outputs, {}
        return outputs, {id(equation): self._mark(equation, values, outputs)}

    def _enters_inside(self, equation: Equation) -> bool:
        if id(equation) not in self._enters:
            self._enters[id(equation)] = any(
                self._everywhere or id(inner) in self._replace or self._enters_inside(inner)
                for program in inner_programs(equation)
                for inner in program.eqns
            )
        return self._enters[id(equation)]

    def _scan(self, equation: Equation, values: list) -> tuple[Sequence[Any], dict[int, Any]]:
        consts, carry = scan_counts(equation)
        body = equation.params["jaxpr"]

        def step(carried: list, scanned: list) -> tuple[list, tuple[list, dict]]:
            outputs, marks = self.run(body, [*values[:consts], *carried, *scanned])
            return outputs[:carry], (outputs[carry:], marks)

        options = {name: equation.params[name] for name in ("length", "reverse", "unroll")}
        start = [_strong(value) for value in values[consts : consts + carry]]
        last, (stacked, marks) = jax.lax.scan(step, start, values[consts + carry :], **options)
        return [*last, *stacked], {name: jnp.any(answers) for name, answers in marks.items()}

    def _cond(self, equation: Equation, values: list) -> tuple[Sequence[Any], dict[int, Any]]:
        branches = equation.params["branches"]
        asked = [self._marks_of(branch, values[1:]) if self._mark else {} for branch in branches]
        nowhere = {name: jnp.array(False) for marks in asked for name in marks}

        def take(branch: Program) -> Callable:
            def taken(*operands: Any) -> tuple[list, dict]:
                outputs, marks = self.run(branch, operands)
                return outputs, {**nowhere, **marks}

            return taken

        return jax.lax.switch(values[0], [take(branch) for branch in branches], *values[1:])

    def _marks_of(self, branch: Program, values: Sequence[Any]) -> dict[int, Any]:
        return jax.eval_shape(lambda *operands: self.run(branch, operands)[1], *values)


def bind(equation: Equation, values: Sequence[Any]) -> list[Any]:
    """Run one equation as it stands."""
    outputs = equation.primitive.bind(
        *values, **equation.primitive.get_bind_params(equation.params)
    )
    return outputs if equation.primitive.multiple_results else [outputs]


def _either(marks: dict[int, Any], found: dict[int, Any]) -> dict[int, Any]:
    for name, answer in found.items():
        marks[name] = marks[name] | answer if name in marks else answer
    return marks


def _strong(value: Any) -> Any:
    return jax.lax.convert_element_type(value, jnp.result_type(value)) if _weak(value) else value


def _weak(value: Any) -> bool:
    return bool(getattr(getattr(value, "aval", value), "weak_type", False))


def _frames(equation: Equation) -> list[Any]:
    traceback = equation.source_info.traceback
    return list(traceback.frames) if traceback is not None else []


def _library_folders() -> list[str]:
    modules = [sys.modules.get(name) for name in LIBRARIES]
    files = [module.__file__ for module in modules if module is not None and module.__file__]
    return [_folder_of(file) for file in files]


@functools.cache
def _folder_of(file: str) -> str:
    """Cached, because every frame of every equation asks for it."""
    return f"{Path(file).parent}/"


def _is_standard(file: str) -> bool:
    """Whether a file belongs to Python itself, as `contextlib` does."""
    folder = sysconfig.get_path("stdlib")
    return file.startswith(f"{folder}/") and "-packages/" not in file


def _unequal_constants(one: Program, other: Program) -> set[Any]:
    variables = getattr(one, "jaxpr", one).constvars
    pairs = zip(variables, one.consts, other.consts, strict=False)
    return {name for name, a, b in pairs if not _same(a, b)}


def _differs(mine: Any, theirs: Any, unequal: set[Any]) -> bool:
    if isinstance(mine, Literal) and isinstance(theirs, Literal):
        return not _same(mine.val, theirs.val)
    return not isinstance(mine, Literal) and mine in unequal


def _same(a: Any, b: Any) -> bool:
    if jnp.shape(a) != jnp.shape(b):
        return False
    if hasattr(a, "dtype") and jnp.issubdtype(a.dtype, jax.dtypes.extended):
        a, b = jax.random.key_data(a), jax.random.key_data(b)
    return bool(np.array_equal(np.asarray(a), np.asarray(b)))


def _own_params(site: Site) -> list[str]:
    """Numbers and words among the parameters; functions and programs print differently."""
    plain = (str, int, float, bool, tuple)
    return [f"{k}={v}" for k, v in site.equation.params.items() if isinstance(v, plain)]


def _short(name: str) -> str:
    return name.rpartition("<locals>.")[2]
