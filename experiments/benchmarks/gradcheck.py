"""What a gradient check costs, beside other checkers and a plain loop.

    python experiments/benchmarks/gradcheck.py [--quick] [--json FILE] [--picture FILE]

The subject is a dense tanh network on 32 examples. Times are wall-clock seconds; the first
call of each checker includes its compilation. torch and scipy are left out where they are
not installed.
"""

import argparse
import functools
import importlib.util
import itertools
import json
import os
import pathlib
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from jaxopt_dl.gradcheck import check_gradients
from jaxopt_dl.gradcheck._evaluate import Evaluator, Moves

BATCH = 32
SIZES = {
    641: (9, 20, 20, 1),
    4_000: (20, 60, 40, 5),
    50_000: (100, 200, 140, 10),
    1_000_000: (500, 1000, 490, 20),
}
"""Parameters (about) and the widths of the layers."""
LIMITS = {50_000: 10.0, 1_000_000: 20.0}
"""Seconds, compilation included, on two cores."""


def network(size: int) -> tuple[Callable, dict, tuple[np.ndarray, np.ndarray]]:
    """A loss, its parameters and its data."""
    random = np.random.default_rng(0)
    widths = SIZES[size]
    params = {
        f"{i:02d}": {"kernel": random.normal(size=(a, b)) / np.sqrt(a), "bias": np.zeros(b)}
        for i, (a, b) in enumerate(itertools.pairwise(widths))
    }
    data = random.normal(size=(BATCH, widths[0])), random.normal(size=(BATCH, widths[-1]))
    return loss, params, data


def loss(params: dict, x: Any, y: Any) -> Any:
    for name in sorted(params):
        x = jnp.tanh(x @ params[name]["kernel"] + params[name]["bias"])
    return jnp.mean((x - y) ** 2)


def seconds(run: Callable[[], Any]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def per_evaluation(size: int, count: int) -> dict[str, float]:
    """Seconds per value of the function, after compilation, three ways."""
    function, params, data = network(size)
    with jax.enable_x64(True):
        flat, restore = ravel_pytree(jax.tree.map(jnp.asarray, params))
        value = jax.jit(lambda v: function(restore(v), *data))
        point = np.asarray(flat)
        evaluator = Evaluator(lambda v: function(restore(v), *data), 8 * size, print_nothing)
        index = np.arange(count) % point.size
        moves = Moves(index, index + 1, np.full(count, 1e-4))
        chunk = 128 if size < 10_000 else 64
        rows = jax.jit(jax.vmap(lambda i: function(restore(flat.at[i].add(1e-4)), *data)))
        loops = {
            "check_gradients": lambda: evaluator.values(point, np.ones_like(point), moves),
            "python loop": lambda: python_loop(value, point, index),
            "chunked vmap": lambda: [
                rows(index[i : i + chunk]).block_until_ready()
                for i in range(0, count - chunk + 1, chunk)
            ],
        }
        for run in loops.values():
            run()
        return {name: min(seconds(run) for _ in range(3)) / count for name, run in loops.items()}


def print_nothing(done: int) -> None:
    del done


def python_loop(value: Callable, point: np.ndarray, index: np.ndarray) -> None:
    for i in index:
        moved = point.copy()
        moved[i] += 1e-4
        float(value(moved))


def ours(size: int, **options: Any) -> dict[str, Any]:
    """One whole check in this process."""
    function, params, data = network(size)
    report: list = []
    took = seconds(lambda: report.append(check_gradients(function, params, args=data, **options)))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    coverage = report[0].coverage
    return {
        "seconds": took,
        "verdict": report[0].verdict,
        "evaluations": coverage.evaluations,
        "components": coverage.components,
        "peak_gib": peak,
    }


def in_a_process_of_its_own(size: int) -> dict[str, Any]:
    """A whole check with its own peak memory and nothing compiled before."""
    code = (
        "import json, sys; from experiments.benchmarks import gradcheck;"
        f"print(json.dumps(gradcheck.ours({size})))"
    )
    root = pathlib.Path(__file__).resolve().parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    found = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, cwd=root, env=environment
    )
    return json.loads(found.stdout.splitlines()[-1])


def peers(size: int) -> dict[str, float | str]:
    """Seconds of other checkers on the same loss, compilation included."""
    function, params, data = network(size)
    found: dict[str, float | str] = {}
    with jax.enable_x64(True):
        flat, restore = ravel_pytree(jax.tree.map(jnp.asarray, params))
        value = jax.jit(lambda v: function(restore(v), *data))
        slope = jax.jit(jax.grad(value))
        from jax.test_util import check_grads

        found["jax check_grads"] = seconds(lambda: check_grads(value, (flat,), 1, modes=["rev"]))
        if importlib.util.find_spec("scipy"):
            from scipy.optimize import check_grad

            found["scipy check_grad"] = seconds(
                lambda: check_grad(lambda v: float(value(v)), lambda v: slope(v), np.asarray(flat))
            )
        else:
            found["scipy check_grad"] = "not installed"
    found.update(torch_peers(params, data))
    return found


def torch_peers(params: dict, data: tuple[np.ndarray, np.ndarray]) -> dict[str, float | str]:
    if not importlib.util.find_spec("torch"):
        return {"torch gradcheck": "not installed", "torch gradcheck, fast": "not installed"}
    torch = importlib.import_module("torch")
    leaves = [torch.tensor(params[n][k], requires_grad=True) for n in params for k in params[n]]
    x, y = (torch.tensor(part) for part in data)

    def function(*leaves: Any) -> Any:
        h = x
        for kernel, bias in zip(leaves[::2], leaves[1::2], strict=True):
            h = torch.tanh(h @ kernel + bias)
        return torch.mean((h - y) ** 2)

    check = functools.partial(torch.autograd.gradcheck, function, leaves)
    return {
        "torch gradcheck": seconds(check),
        "torch gradcheck, fast": seconds(lambda: check(fast_mode=True)),
    }


def measure(quick: bool) -> dict[str, Any]:
    sizes = [size for size in SIZES if size <= (50_000 if quick else 1_000_000)]
    return {
        "cores": os.cpu_count(),
        "jax": jax.__version__,
        "per_evaluation": {s: per_evaluation(s, 1024) for s in sizes if s <= 50_000},
        "whole_check": {s: in_a_process_of_its_own(s) for s in sizes},
        "every_component": {s: ours(s, components="all") for s in sizes if s <= 4_000},
        "peers": {s: peers(s) for s in sizes if s <= 4_000},
    }


def text_of(found: dict[str, Any]) -> str:
    lines = [f"{found['cores']} cores, jax {found['jax']}", "", "microseconds per evaluation"]
    for size, ways in found["per_evaluation"].items():
        times = ", ".join(f"{name} {1e6 * value:.1f}" for name, value in ways.items())
        gain = ways["python loop"] / ways["check_gradients"]
        lines.append(f"  {size:>9} parameters: {times}; {gain:.1f} times faster than the loop")
    for part in ("whole_check", "every_component"):
        lines += ["", part.replace("_", " ")]
        for size, result in found[part].items():
            limit = f", limit {LIMITS[size]:g} s" if size in LIMITS else ""
            lines.append(
                f"  {size:>9} parameters: {result['seconds']:.1f} s{limit}, "
                f"{result['evaluations']} evaluations, {result['components']} entries one by one, "
                f"peak {result['peak_gib']:.2f} GiB, {result['verdict']}"
            )
    lines += ["", "other checkers, seconds"]
    for size, times in found["peers"].items():
        shown = ", ".join(
            f"{n} {t if isinstance(t, str) else f'{t:.2f}'}" for n, t in times.items()
        )
        lines.append(f"  {size:>9} parameters: {shown}")
    return "\n".join(lines)


def draw(found: dict[str, Any], path: pathlib.Path) -> None:
    from matplotlib.figure import Figure

    picture = Figure(figsize=(6, 4), layout="constrained")
    axes = picture.add_subplot()
    whole = found["whole_check"]
    axes.loglog(list(whole), [r["seconds"] for r in whole.values()], "o-", label="check_gradients")
    for name in next(iter(found["peers"].values())):
        times = {s: t[name] for s, t in found["peers"].items() if not isinstance(t[name], str)}
        if times:
            axes.loglog(list(times), list(times.values()), "o-", label=name)
    axes.set(xlabel="parameters", ylabel="seconds, compilation included")
    axes.legend()
    axes.grid(alpha=0.3)
    picture.savefig(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="leave out the million parameters")
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--picture", type=pathlib.Path)
    options = parser.parse_args()
    found = measure(options.quick)
    print(text_of(found))
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))
    if options.picture:
        draw(found, options.picture)


if __name__ == "__main__":
    main()
