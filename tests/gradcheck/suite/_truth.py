"""Is a case what it claims to be? Decided in float64 without the checker under test.

The reference is `jax.grad` of a plain formulation where one exists, and central differences
extrapolated over many steps elsewhere. At a kink it is the interval between the one-sided slopes.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxopt_dl._core.trees import leaves_with_paths, path_string
from tests.gradcheck.suite._cases import Case

EXACT, SAMPLED, NEAR = 1e-8, 1e-6, 1e-4  # equal to a derived, a measured, a one-sided slope
CLEAR = 1e-7  # a bug of less than this, relative to its component, is none
SAMPLE = 8  # components of a leaf that are measured


class Reference(NamedTuple):
    """Bounds of the right values of some components of a leaf; the bounds differ at kinks."""

    indices: np.ndarray
    low: np.ndarray
    high: np.ndarray


def problems(case: Case) -> list[str]:
    """Return what the case claims wrongly; empty for a trustworthy case."""
    arguments = case.make()
    if case.theme == "nondeterministic":
        return determinism_problems(case, arguments)
    if is_about("nonfinite", case, arguments):
        return nonfinite_problems(case, arguments)
    found = []
    if case.elsewhere is not None:
        found += mismatches(case, arguments, frozenset())
        arguments = {**arguments, "params": case.elsewhere()}
    if case.theme == "blocked" and case.is_bug and discrete(case, arguments):
        return mismatches(case, arguments, frozenset()) + starvation_problems(case, arguments)
    return found + mismatches(case, arguments, case.leaves or frozenset())


def is_about(kind: str, case: Case, arguments: dict) -> bool:
    """Whether the cause that a case states may be of some kind."""
    return case.find_cause is not None and kind in case.find_cause(arguments).kinds


def loss_of(arguments: dict, function: Callable | None = None) -> Callable:
    """The scalar loss of the parameters alone."""
    function = function or arguments["function"]
    args, kwargs = arguments.get("args", ()), arguments.get("kwargs") or {}

    def loss(params):
        out = function(params, *args, **kwargs)
        return out[0] if isinstance(out, tuple) else out

    return loss


def is_real(leaf) -> bool:
    return jnp.issubdtype(jnp.result_type(leaf), jnp.floating)


def real_leaves(tree) -> dict[str, np.ndarray]:
    """Floating-point leaves by path, in float64 where the leaf has more than 32 bits."""
    return {path: np.asarray(leaf) for path, leaf in leaves_with_paths(tree) if is_real(leaf)}


def gradient_of(loss: Callable, params) -> dict[str, np.ndarray]:
    """`jax.grad` over the floating-point leaves; the others stay as they are."""
    leaves, structure = jax.tree.flatten(params)
    chosen = [i for i, leaf in enumerate(leaves) if is_real(leaf)]

    def chosen_loss(values):
        merged = list(leaves)
        for i, value in zip(chosen, values, strict=True):
            merged[i] = value
        return loss(jax.tree.unflatten(structure, merged))

    values = jax.grad(chosen_loss)([jnp.asarray(leaves[i]) for i in chosen])
    paths = [path for path, _ in leaves_with_paths(params)]
    found = zip(chosen, values, strict=True)
    return {paths[i]: np.asarray(g, np.float64) for i, g in found}


def gradient_under_test(arguments: dict) -> dict[str, np.ndarray]:
    if arguments.get("gradient") is None:
        return gradient_of(loss_of(arguments), arguments["params"])
    args, kwargs = arguments.get("args", ()), arguments.get("kwargs") or {}
    return real_leaves(arguments["gradient"](arguments["params"], *args, **kwargs))


def mismatches(case: Case, arguments: dict, expected: frozenset[str]) -> list[str]:
    """Compare the gradient under test with the reference, leaf by leaf."""
    found = []
    tested, wrong = gradient_under_test(arguments), set()
    derived = is_derived(case, arguments)
    equal, floor = tolerance(case, derived), 0.0 if derived else noise_floor(arguments, tested)
    for path, reference in references(case, arguments).items():
        values = tested[path].reshape(-1)[reference.indices].astype(np.float64)
        distance = np.maximum(reference.low - values, values - reference.high)
        size = np.maximum(np.abs(reference.low), np.abs(reference.high))
        bad = distance > floor + equal * size.max(initial=0.0)
        clear = distance > CLEAR * size
        if np.any(bad & clear):
            wrong.add(path)
            stated = case.components.get(path)
            seen = frozenset(reference.indices[bad].tolist())
            if stated is not None and stated != seen:
                found.append(f"components {sorted(seen)} of {path} are wrong, not {sorted(stated)}")
    if wrong != expected:
        found.append(f"leaves {sorted(wrong)} are wrong, not {sorted(expected)}")
    return found


def is_derived(case: Case, arguments: dict) -> bool:
    """Whether a plain formulation of the loss is there to be differentiated."""
    known = case.truth is not None or arguments.get("gradient") is not None
    return known and not case.at_kink


def tolerance(case: Case, derived: bool) -> float:
    return max(EXACT if derived else NEAR if case.at_kink else SAMPLED, case.noise)


def noise_floor(arguments: dict, tested: dict) -> float:
    """What rounding of the loss makes of a slope that is zero."""
    value = abs(float(loss_of(arguments)(arguments["params"])))
    return 1e-12 * max([value, *(float(np.max(np.abs(g), initial=0.0)) for g in tested.values())])


def references(case: Case, arguments: dict) -> dict[str, Reference]:
    params = arguments["params"]
    if case.at_kink:
        return measured(case, loss_of(arguments), params, one_sided)
    if is_derived(case, arguments):
        loss = loss_of(arguments, case.truth)
        exact = gradient_of(loss, jax.tree.map(promoted, params))
        return {
            path: Reference(np.arange(g.size), g.reshape(-1), g.reshape(-1))
            for path, g in exact.items()
        }
    return measured(case, loss_of(arguments), params, central)


def promoted(leaf):
    return np.asarray(leaf, np.float64) if is_real(leaf) else leaf


def measured(case: Case, loss: Callable, params, slopes: Callable) -> dict[str, Reference]:
    """Measure slopes at some components of every leaf, the stated ones among them."""
    params = jax.tree.map(promoted, params)
    leaves, structure = jax.tree.flatten(params)
    value = jax.jit(lambda real: loss(jax.tree.unflatten(structure, merge(leaves, real))))
    real = [leaf for leaf in leaves if is_real(leaf)]
    paths = [path for path, leaf in leaves_with_paths(params) if is_real(leaf)]
    found = {}
    for number, path in enumerate(paths):
        indices = sampled(real[number].size, case.components.get(path, frozenset()))
        pairs = [slopes(along(value, real, number, i), real[number], i) for i in indices]
        low, high = np.array(pairs).reshape(-1, 2).T
        found[path] = Reference(indices, low, high)
    return found


def merge(leaves: list, real: list) -> list:
    values = iter(real)
    return [next(values) if is_real(leaf) else leaf for leaf in leaves]


def sampled(size: int, stated: frozenset[int]) -> np.ndarray:
    chosen = np.random.default_rng(0).permutation(size)[: max(SAMPLE, 16 if stated else 0)]
    return np.union1d(chosen, sorted(stated)).astype(int)


def along(value: Callable, real: list, number: int, index: int) -> Callable:
    """The loss as a function of one component's shift."""

    def shifted(step: float) -> float:
        leaf = real[number].copy()
        leaf.reshape(-1)[index] += step
        return float(value([*real[:number], leaf, *real[number + 1 :]]))

    return shifted


def unit_of(leaf: np.ndarray, index: int) -> float:
    """The natural step of a component: its own size, else its leaf's, else 1."""
    own = abs(leaf.reshape(-1)[index])
    return own or float(np.max(np.abs(leaf))) or 1.0


def central(shifted: Callable, leaf: np.ndarray, index: int) -> tuple[float, float]:
    """Extrapolated central differences at the step where neighbors agree best."""
    steps = unit_of(leaf, index) * 0.05 * 0.5 ** np.arange(22)
    plain = np.array([(shifted(h) - shifted(-h)) / (2 * h) for h in steps])
    fourth = plain[1:] + (plain[1:] - plain[:-1]) / 3
    sixth = fourth[1:] + (fourth[1:] - fourth[:-1]) / 15
    rounding = 1e-16 * abs(shifted(0.0)) / steps[3:]
    gaps = np.abs(sixth[1:] - sixth[:-1]) + rounding
    gaps = np.where(np.isfinite(gaps), gaps, np.inf)
    best = sixth[1:][np.argmin(gaps + np.roll(gaps, 1))]
    return best, best


def one_sided(shifted: Callable, leaf: np.ndarray, index: int) -> tuple[float, float]:
    """The slopes on both sides, close enough to stay on one piece."""
    step, here = 2.0**-33, shifted(0.0)
    right, left = (shifted(step) - here) / step, (here - shifted(-step)) / step
    return min(left, right), max(left, right)


def determinism_problems(case: Case, arguments: dict) -> list[str]:
    loss = loss_of(arguments)
    values = {float(loss(arguments["params"])) for _ in range(4)}
    return [] if (len(values) > 1) == case.is_bug else [f"four calls gave {values}"]


def nonfinite_problems(case: Case, arguments: dict) -> list[str]:
    loss = loss_of(arguments)
    found = [] if np.isfinite(float(loss(arguments["params"]))) else ["the loss is not finite"]
    bad = {p: ~np.isfinite(g.reshape(-1)) for p, g in gradient_under_test(arguments).items()}
    wrong = {path for path, mask in bad.items() if mask.any()}
    if wrong != case.leaves:
        found.append(f"leaves {sorted(wrong)} are not finite, not {sorted(case.leaves or ())}")
    for path, stated in case.components.items():
        if set(np.flatnonzero(bad[path])) != stated:
            found.append(f"components {np.flatnonzero(bad[path])} of {path} are not finite")
    return found


def starvation_problems(case: Case, arguments: dict) -> list[str]:
    """A starved leaf has gradient 0 exactly, and yet the loss depends on it."""
    loss, params = loss_of(arguments), arguments["params"]
    tested, here = gradient_under_test(arguments), float(loss_of(arguments)(params))
    generator = np.random.default_rng(1)
    found = []
    for path in case.leaves or ():
        move = functools.partial(moved_leaf, generator, path)
        moves = (jax.tree_util.tree_map_with_path(move, params) for _ in range(20))
        if all(float(loss(moved)) == here for moved in moves):
            found.append(f"the loss does not depend on {path}")
        if np.any(tested[path]):
            found.append(f"{path} has a gradient")
    return found


def moved_leaf(generator: np.random.Generator, path: str, key: tuple, leaf):
    same = path_string(key) == path
    return leaf + 2 * generator.normal(size=np.shape(leaf)) if same else leaf


def discrete(case: Case, arguments: dict) -> bool:
    return not is_about("stop_gradient", case, arguments)
