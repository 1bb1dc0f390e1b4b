"""X-02: which bugs the textbook's check finds with its three thresholds, and which pass."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from experiments import _style
from experiments._checked_network import EXAMPLES, network
from experiments._experiment import Answer, Experiment, Measured, verdict_of
from jaxopt_dl.gradcheck import finite_difference, relative_difference

LAMBDA = 0.1
KEEP = 0.8
THRESHOLDS = (1e-7, 1e-5, 1e-3)
RIGHT = ("right", "dropout, one fixed mask")
GROSS = (
    "missing 1/m",
    "wrong sign",
    "one bias forgotten",
    "penalty forgotten",
    "penalty doubled",
    "dropout, new masks",
)
LOCAL = ("one weight 1 % off", "one weight 0.01 % off")


def measure(seeds: int, quick: bool) -> Measured:
    del quick
    with jax.enable_x64(True):
        runs = [_differences(seed) for seed in range(seeds)]
    return {"differences": {name: [run[name] for run in runs] for name in runs[0]}}


def judge(measured: Measured) -> Answer:
    found = {name: np.asarray(values) for name, values in measured["differences"].items()}
    right = all(np.max(found[name]) < THRESHOLDS[0] for name in RIGHT)
    gross = all(np.min(found[name]) > THRESHOLDS[2] for name in GROSS)
    listed = ", ".join(f"{name} {np.median(found[name]):.2g}" for name in (*RIGHT, *GROSS))
    local = " and ".join(f"{np.median(found[name]):.1e} ({name})" for name in LOCAL)
    finding = (
        f"Relative differences: {listed}. Small local bugs fall between the thresholds: {local}. "
        "One number for all parameters is not enough."
    )
    return Answer(verdict_of(right, gross), finding)


def draw(measured: Measured) -> Figure:
    figure, (axes,) = _style.panels(height=5.0)
    names = (*RIGHT, *LOCAL[::-1], *GROSS)
    medians = [np.median(measured["differences"][name]) for name in names]
    colors = [_style.COLORS[0] if name in RIGHT else _style.COLORS[1] for name in names]
    axes.barh(range(len(names)), medians, color=colors)
    axes.set_yticks(range(len(names)), names)
    axes.set_xscale("log")
    for threshold in THRESHOLDS:
        axes.axvline(threshold, color="0.3", linestyle="--", linewidth=1)
    axes.set_xlabel("relative difference; dashed: the three thresholds")
    axes.set_ylabel("what was done to the gradient")
    return figure


def _differences(seed: int) -> dict[str, float]:
    """Return the textbook's number for every version of the gradient."""
    plain, params = network()
    random = np.random.default_rng(seed)
    params = jax.tree.map(lambda w: w + 0.3 * random.normal(size=w.shape), params)

    def penalty(params: Any) -> jax.Array:
        kernels = (leaf for leaf in jax.tree.leaves(params) if leaf.ndim == 2)
        return LAMBDA / 2 * jnp.sum(jnp.stack([jnp.sum(kernel**2) for kernel in kernels]))

    def loss(params: Any) -> jax.Array:
        return plain(params) + penalty(params)

    numeric = finite_difference(loss, params)
    right, own = jax.grad(loss)(params), jax.grad(penalty)(params)
    found = {"right": right, "wrong sign": jax.tree.map(jnp.negative, right)}
    found["missing 1/m"] = jax.tree.map(lambda g, p: EXAMPLES * (g - p) + p, right, own)
    found["penalty forgotten"] = jax.tree.map(jnp.subtract, right, own)
    found["penalty doubled"] = jax.tree.map(jnp.add, right, own)
    found["one bias forgotten"] = _with(right, lambda leaf: 0 * leaf, "00_dense", "bias")
    for percent in ("1", "0.01"):
        factor = 1 + float(percent) / 100
        change = _one_entry(factor)
        found[f"one weight {percent} % off"] = _with(right, change, "02_dense", "kernel")
    differences = {name: relative_difference(g, numeric) for name, g in found.items()}
    return differences | _with_dropout(seed, params)


def _with_dropout(seed: int, params: Any) -> dict[str, float]:
    """Return the number for a dropped-out network, with one mask and with new ones."""
    random = np.random.default_rng(seed)
    masks = random.random((10_000, 4)) < KEEP
    x = random.normal(size=(EXAMPLES, 5))
    calls = iter(range(10_000))

    def loss(params: Any, mask: Any) -> jax.Array:
        first, last = params["00_dense"], params["02_dense"]
        hidden = jnp.tanh(x @ first["kernel"] + first["bias"][None]) * mask / KEEP
        return jnp.mean((hidden @ last["kernel"] + last["bias"][None]) ** 2)

    def fresh(params: Any) -> float:
        return float(loss(params, masks[next(calls)]))

    chosen = {name: params[name] for name in ("00_dense", "02_dense")}
    exact = jax.grad(loss)(chosen, masks[0])
    fixed = finite_difference(lambda p: loss(p, masks[0]), chosen)
    return {
        "dropout, one fixed mask": relative_difference(exact, fixed),
        "dropout, new masks": relative_difference(exact, _on_the_host(fresh, chosen)),
    }


def _on_the_host(function: Callable, params: Any) -> Any:
    """Return two-sided differences of a function that is no JAX program, entry by entry."""
    leaves, structure = jax.tree.flatten(jax.tree.map(np.array, params))
    slopes = [np.zeros_like(leaf) for leaf in leaves]
    for leaf, slope in zip(leaves, slopes, strict=True):
        for index in np.ndindex(leaf.shape):
            value, ends = leaf[index], []
            for step in (1e-7, -1e-7):
                leaf[index] = value + step
                ends.append(function(jax.tree.unflatten(structure, leaves)))
            leaf[index] = value
            slope[index] = (ends[0] - ends[1]) / 2e-7
    return jax.tree.unflatten(structure, slopes)


def _with(tree: Any, change: Callable, layer: str, leaf: str) -> Any:
    return {**tree, layer: {**tree[layer], leaf: change(tree[layer][leaf])}}


def _one_entry(factor: float) -> Callable:
    return lambda kernel: kernel.at[1, 2].multiply(factor)


EXPERIMENT = Experiment(
    id="X-02",
    title="Bugs and the three thresholds",
    claim=(
        "A gradient check tells right from wrong with the thresholds 1e-7, 1e-5 and 1e-3; it "
        "needs the penalty, and fails under dropout."
    ),
    setup=(
        "A 5-4-3-1 tanh network with L2 penalty; the gradient as it should be and with bugs, "
        "compared with two-sided differences of step 1e-7."
    ),
    criterion="right gradients stay below 1e-7 and every gross bug lies above 1e-3, in all seeds.",
    seeds=5,
    measure=measure,
    judge=judge,
    draw=draw,
    caption="Relative difference of right gradients (blue) and of wrong ones (orange).",
)
