"""What a gradient check costs, beside other checkers and a plain loop.

    python experiments/benchmarks/gradcheck.py [--quick]

The subject is a dense tanh network on 32 examples, right and with faults planted. Times are
wall-clock seconds. A whole check includes its compilation; times of one evaluation do not, and
are the best of several rounds in which the ways take turns. torch and scipy are left out where
they are not installed.
"""

import argparse
import functools
import importlib.util
import itertools
import json
import os
import pathlib
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from _faults import FAULTS
from jax.flatten_util import ravel_pytree

from jaxopt_dl.gradcheck import _check, check_gradients
from jaxopt_dl.gradcheck._evaluate import Evaluator, Moves
from jaxopt_dl.gradcheck._problem import prepare
from jaxopt_dl.gradcheck._subject import study

RESULTS = pathlib.Path(__file__).parents[2] / "docs" / "experiments"
BATCH = 32
ROUNDS = 5
CHUNKS = (16, 64, 256)
"""Rows of the chunked vmap; the best of them is compared with."""
LARGEST_FOR_EVERY_ENTRY = 50_000
SIZES = {
    641: (9, 20, 20, 1),
    4_000: (20, 60, 40, 5),
    50_000: (100, 200, 140, 10),
    1_000_000: (500, 1000, 490, 20),
}
"""Parameters (about) and the widths of the layers."""
LIMITS = {50_000: 10.0, 1_000_000: 20.0}
"""Seconds, compilation included, on two cores."""
MEMORY_LIMIT = 2.0
"""GiB, for the largest."""
LARGE = tuple(LIMITS)
"""Where a wrong gradient is checked as well."""


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


def loss(params: dict, x: Any, y: Any, *, activation: Callable = jnp.tanh) -> Any:
    for name in sorted(params):
        x = activation(x @ params[name]["kernel"] + params[name]["bias"])
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
        evaluator = evaluator_of_a_check(function, params, data)
        index = np.linspace(0, point.size - 1, count).astype(int)
        moves = Moves(index, index + 1, np.full(count, 1e-4))
        rows = jax.jit(jax.vmap(lambda i: function(restore(flat.at[i].add(1e-4)), *data)))
        ways = {
            "check_gradients": lambda: evaluator.values(point, np.ones_like(point), moves),
            "python loop": lambda: python_loop(value, point, index),
        }
        for chunk in CHUNKS:
            ways[f"vmap of {chunk}"] = functools.partial(in_chunks, rows, index, chunk)
        for run in ways.values():
            run()
        rounds = [{name: seconds(run) for name, run in ways.items()} for _ in range(ROUNDS)]
    return {name: min(times[name] for times in rounds) / count for name in ways}


def evaluator_of_a_check(function: Callable, params: dict, data: tuple) -> Evaluator:
    """What `check_gradients` itself evaluates with."""
    problem = prepare(function, params, data, None, False)
    subject = study(*problem.traced(differentiable=True), None, ())
    return _check._witnesses(subject, lambda done: None).evaluator


def python_loop(value: Callable, point: np.ndarray, index: np.ndarray) -> None:
    for i in index:
        moved = point.copy()
        moved[i] += 1e-4
        float(value(moved))


def in_chunks(rows: Callable, index: np.ndarray, chunk: int) -> None:
    for part in index.reshape(-1, chunk):
        rows(part).block_until_ready()


def ours(size: int, fault: str | None = None, **options: Any) -> dict[str, Any]:
    """One whole check in this process, of a gradient that is right or has one of the faults."""
    function, params, data = network(size)
    spoiled = FAULTS[fault](function) if fault else {"function": function}
    arguments = {**spoiled, "params": params, "args": data, **options}
    report: list = []
    took = seconds(lambda: report.append(check_gradients(**arguments)))
    coverage = report[0].coverage
    return {
        "seconds": took,
        "cpu_seconds": time.process_time(),
        "wrong": sum(len(leaf.wrong) for leaf in report[0].leaves),
        "verdict": report[0].verdict,
        "evaluations": coverage.evaluations,
        "components": coverage.components,
        "peak_gib": peak_memory(),
    }


def peak_memory() -> float | None:
    """GiB of this process alone; what `getrusage` says includes the process that started it."""
    status = pathlib.Path("/proc/self/status")
    if not status.exists():
        return None
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 2**20


def in_a_process_of_its_own(size: int, **options: Any) -> dict[str, Any]:
    """A whole check with its own peak memory and nothing compiled before."""
    code = f"import json, gradcheck; print(json.dumps(gradcheck.ours({size}, **{options!r})))"
    folder = pathlib.Path(__file__).resolve().parent
    environment = {**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{folder.parents[1]}"}
    found = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, env=environment
    )
    return json.loads(found.stdout.splitlines()[-1])


def peers(size: int) -> dict[str, dict[str, Any] | None]:
    """Other checkers on the same loss, compilation included; None for one not installed."""
    function, params, data = network(size)
    with jax.enable_x64(True):
        flat, restore = ravel_pytree(jax.tree.map(jnp.asarray, params))
        value = jax.jit(lambda v: function(restore(v), *data))
        slope = jax.jit(jax.grad(value))
        from jax.test_util import check_grads

        found: dict[str, dict[str, Any] | None] = {
            "jax check_grads": judged(lambda: check_grads(value, (flat,), 1, modes=["rev"]))
        }
        if size > LARGEST_FOR_EVERY_ENTRY:
            return found
        found["scipy check_grad"] = None
        if importlib.util.find_spec("scipy"):
            from scipy.optimize import check_grad

            found["scipy check_grad"] = judged(
                lambda: check_grad(lambda v: float(value(v)), lambda v: slope(v), np.asarray(flat))
            )
    return found | torch_peers(params, data)


def judged(check: Callable[[], Any]) -> dict[str, Any]:
    """Time a checker on this correct gradient, and say whether it complains."""
    alarm = []

    def run() -> None:
        try:
            check()
        except (AssertionError, RuntimeError) as error:
            alarm.append(error)

    return {"seconds": seconds(run), "false_alarm": bool(alarm)}


def torch_peers(
    params: dict, data: tuple[np.ndarray, np.ndarray]
) -> dict[str, dict[str, Any] | None]:
    if not importlib.util.find_spec("torch"):
        return {"torch gradcheck": None, "torch gradcheck, fast": None}
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
        "torch gradcheck": judged(check),
        "torch gradcheck, fast": judged(lambda: check(fast_mode=True)),
    }


def measure(quick: bool) -> dict[str, Any]:
    sizes = list(SIZES)[:2] if quick else list(SIZES)
    every = [size for size in sizes if size <= LARGEST_FOR_EVERY_ENTRY]
    before = os.getloadavg()
    return {
        "cores": os.cpu_count(),
        "jax": jax.__version__,
        "per_evaluation": {s: per_evaluation(s, 1024) for s in every},
        "whole_check": {s: in_a_process_of_its_own(s) for s in sizes},
        "every_component": {s: in_a_process_of_its_own(s, components="all") for s in every},
        "wrong": {
            s: {fault: in_a_process_of_its_own(s, fault=fault) for fault in FAULTS}
            for s in LARGE
            if s in sizes
        },
        "peers": {s: peers(s) for s in sizes},
        "load": [before[0], os.getloadavg()[0]],
    }


def text_of(found: dict[str, Any]) -> str:
    before, after = found["load"]
    machine = f"{found['cores']} cores, jax {found['jax']}, load {before:.1f} to {after:.1f}"
    lines = [machine, "", "microseconds per evaluation, compiled"]
    lines += [evaluation_line(size, ways) for size, ways in found["per_evaluation"].items()]
    lines += ["", "a whole check with automatic settings"]
    lines += [check_line(s, result, automatic=True) for s, result in found["whole_check"].items()]
    lines += ["", "a whole check of every entry"]
    for size, result in found["every_component"].items():
        loop = 2 * size * found["per_evaluation"][size]["python loop"]
        line = check_line(size, result, automatic=False)
        lines.append(f"{line}; {result['seconds'] / loop:.1f} two-sided loops")
    lines += ["", "a whole check of a wrong gradient with automatic settings"]
    for size, faults in found["wrong"].items():
        for fault, result in faults.items():
            line = check_line(size, result, automatic=True)
            lines.append(f"{line}, {result['wrong']} entries ({fault})")
    lines += ["", "other checkers, seconds"]
    for size, times in found["peers"].items():
        shown = ", ".join(f"{name} {peer_text(result)}" for name, result in times.items())
        lines.append(f"  {size:>9} parameters: {shown}")
    return "\n".join(lines)


def peer_text(result: dict[str, Any] | None) -> str:
    if result is None:
        return "not installed"
    alarm = " (false alarm)" if result["false_alarm"] else ""
    return f"{result['seconds']:.2f}{alarm}"


def evaluation_line(size: int, ways: dict[str, float]) -> str:
    times = ", ".join(f"{name} {1e6 * value:.1f}" for name, value in ways.items())
    ours = ways["check_gradients"]
    vmap = min(value for name, value in ways.items() if name.startswith("vmap"))
    gains = f"{ways['python loop'] / ours:.1f} x the loop, {vmap / ours:.1f} x the best vmap"
    return f"  {size:>9} parameters: {times}; speed {gains}"


def check_line(size: int, result: dict[str, Any], *, automatic: bool) -> str:
    limit = f" (limit {LIMITS[size]:g} s)" if size in LIMITS and automatic else ""
    memory = "unknown" if result["peak_gib"] is None else f"{result['peak_gib']:.2f} GiB"
    if size == max(SIZES):
        memory += f" (limit {MEMORY_LIMIT:g} GiB)"
    return (
        f"  {size:>9} parameters: {result['seconds']:.1f} s{limit}, "
        f"{result['cpu_seconds']:.1f} s of CPU with the imports, "
        f"{result['evaluations']} evaluations, {result['components']} entries one by one, "
        f"peak memory {memory}, {result['verdict']}"
    )


def draw(found: dict[str, Any], path: pathlib.Path) -> None:
    from matplotlib.figure import Figure

    curves = {
        "check_gradients": found["whole_check"],
        "check_gradients, every entry": found["every_component"],
    }
    for name in next(iter(found["peers"].values())):
        curves[name] = {size: times.get(name) for size, times in found["peers"].items()}
    picture = Figure(figsize=(6, 4), layout="constrained")
    axes = picture.add_subplot()
    for name, results in curves.items():
        measured = {size: result["seconds"] for size, result in results.items() if result}
        if measured:
            axes.loglog(list(measured), list(measured.values()), "o-", label=name)
    axes.set(xlabel="parameters", ylabel="seconds, compilation included")
    axes.legend()
    axes.grid(alpha=0.3)
    picture.savefig(path, metadata={"Date": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    words = "the two smallest only, and nothing is written"
    parser.add_argument("--quick", action="store_true", help=words)
    options = parser.parse_args()
    found = measure(options.quick)
    print(text_of(found))
    if not options.quick:
        text = json.dumps(found, indent=1, allow_nan=False)
        (RESULTS / "gradcheck-cost.json").write_text(text + "\n")
        draw(found, RESULTS / "gradcheck-cost.svg")


if __name__ == "__main__":
    main()
