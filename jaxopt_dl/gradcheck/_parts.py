"""The parts of a report: plain data about one entry, one leaf, one cause, and the coverage."""

from typing import NamedTuple


class ComponentReport(NamedTuple):
    """One entry of a leaf.

    Attributes:
      index: where in the leaf; `()` for a scalar.
      gradient: the value under test.
      differences: the slope that finite differences found; NaN where none was taken.
      bar: how far off that slope may be; infinite where none was taken.
      stripped: automatic differentiation without the user's rules; NaN where there is none.
      status: "pass", "kink" (a valid subgradient), "fail" or "unresolved".

    Examples:
      >>> import jax.numpy as jnp
      >>> from jaxopt_dl.gradcheck import check_gradients
      >>> report = check_gradients(jnp.sum, jnp.ones(2), gradient=lambda x: 2 * x)
      >>> worst = report.leaves[0].worst[0]
      >>> worst.status, worst.gradient, round(worst.differences, 6)
      ('fail', 2.0, 1.0)
    """

    index: tuple[int, ...]
    gradient: float
    differences: float
    bar: float
    stripped: float
    status: str


class LeafReport(NamedTuple):
    """One leaf of the parameters.

    Attributes:
      path: such as `00_dense/kernel`; empty where the parameters are one bare array.
      shape: its shape.
      verdict: "pass", "fail" or "inconclusive".
      error: `|g - r| / (|g| + |r|)` in Euclidean norms, r the surest reference; 0 to 1.
      checked: how many entries differences were taken for, one by one.
      wrong: the index of every entry that fails.
      worst: the entries that disagree most, worst first.
      kinks: the index of every entry where the loss has a kink.

    Examples:
      >>> import jax
      >>> import jax.numpy as jnp
      >>> from jaxopt_dl.gradcheck import check_gradients
      >>> loss = lambda p: jnp.sum(jax.nn.relu(p["bias"]))
      >>> leaf = check_gradients(loss, {"bias": jnp.array([0.0, 1.0])}).leaves[0]
      >>> leaf.path, leaf.verdict, leaf.kinks
      ('bias', 'pass', ((0,),))
    """

    path: str
    shape: tuple[int, ...]
    verdict: str
    error: float
    checked: int
    wrong: tuple[tuple[int, ...], ...]
    worst: tuple[ComponentReport, ...]
    kinks: tuple[tuple[int, ...], ...]


class Cause(NamedTuple):
    """Where a wrong gradient comes from.

    Attributes:
      kind: "rule" (a wrong custom rule, or a wrong function given to an operation such as
        `custom_root`), "surrogate" (`stop_gradient`, or a rule that replaces the derivative on
        purpose), "blocked" (a function without a derivative cuts the path), "non_finite",
        "gradient" (the hand-written gradient), "edge" (an operation that changes its answer
        exactly at the parameters), "nondeterministic" or "unexplained".
      function: name of the function or primitive.
      file: where it is defined or called; empty if unknown.
      line: line in that file; 0 if unknown.
      leaves: paths of the leaves it affects.
      detail: one sentence.
      allowed: whether the caller listed it in `allow`.

    Examples:
      >>> import jax.numpy as jnp
      >>> from jaxopt_dl.gradcheck import check_gradients
      >>> report = check_gradients(lambda p: jnp.sum(jnp.round(p["w"])), {"w": jnp.array([0.3])})
      >>> cause = report.causes[0]
      >>> cause.kind, cause.function, cause.leaves
      ('blocked', 'round', ('w',))
    """

    kind: str
    function: str
    file: str
    line: int
    leaves: tuple[str, ...]
    detail: str
    allowed: bool = False

    @property
    def location(self) -> str:
        """Return file and line with a colon between them, as editors link them."""
        return f"{self.file}:{self.line}" if self.file else "an unknown place"


class Coverage(NamedTuple):
    """How much was compared with what.

    Attributes:
      components: entries compared with differences one by one.
      directions: masked random directions compared with differences.
      size: entries in all floating-point leaves.
      evaluations: values of the function that differences used.
      stripped: entries compared with automatic differentiation without the user's rules.
      points: names of the parameter values that were tried.

    Examples:
      >>> import jax.numpy as jnp
      >>> from jaxopt_dl.gradcheck import check_gradients
      >>> coverage = check_gradients(lambda x: jnp.sum(x**2), jnp.ones(5), components=2).coverage
      >>> coverage.components, coverage.size
      (2, 5)
    """

    components: int
    directions: int
    size: int
    evaluations: int
    stripped: int
    points: tuple[str, ...]
