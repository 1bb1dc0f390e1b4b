"""Which form of convolution and pooling is fast on this machine, in a loop and in a scan?

Three questions, each answered side by side in one run, the forms taking turns:

- one training step of a small convolutional network (28 x 28 x 1, conv 16, batch norm, pool,
  conv 32, batch norm, pool, dense; batch of 128) in each form;
- up to which kernel patches beat XLA's convolution (`_convolve.LARGEST_WINDOW`);
- up to which window slices beat XLA's `reduce_window` (`_reduce_windows.LONGEST_SIDE`).

    python experiments/benchmarks/conv.py
"""

import contextlib
import functools
import json
import os
import pathlib
import statistics
import time

import jax
import jax.numpy as jnp
import numpy as np

from jaxopt_dl import losses, nn, train
from jaxopt_dl.nn import _convolve, _reduce_windows

RESULTS = pathlib.Path(__file__).parents[2] / "docs" / "experiments" / "conv.json"
STEPS = 5
ROUNDS = 5
ALWAYS, NEVER = 10**9, 0


@contextlib.contextmanager
def forms(patches: bool, slices: bool):
    """Force a form of convolution and of pooling while a program is traced."""
    before = _convolve.LARGEST_WINDOW, _reduce_windows.LONGEST_SIDE
    _convolve.LARGEST_WINDOW = ALWAYS if patches else NEVER
    _reduce_windows.LONGEST_SIDE = ALWAYS if slices else NEVER
    try:
        yield
    finally:
        _convolve.LARGEST_WINDOW, _reduce_windows.LONGEST_SIDE = before


def compiled(step, start, batches, *, scan: bool, patches: bool, slices: bool):
    """Return a function that runs all steps once, compiled in the wanted form."""

    # New functions, since `jit` would give the program it traced for the other form.
    def one_step(carry, batch):
        return step(carry, batch)

    def all_steps(start, batches):
        return jax.lax.scan(lambda carry, batch: (step(carry, batch), None), start, batches)[0]

    one = jax.tree.map(lambda leaf: leaf[0], batches)
    with forms(patches, slices):
        if scan:
            program = jax.jit(all_steps).lower(start, batches).compile()
            return lambda: program(start, batches)
        program = jax.jit(one_step).lower(start, one).compile()
    parts = [jax.tree.map(lambda leaf, i=i: leaf[i], batches) for i in range(STEPS)]
    return lambda: functools.reduce(program, parts, start)


def compare(programs: dict) -> dict[str, float]:
    """Return the median milliseconds per step of each program; they take turns."""
    times = {name: [] for name in programs}
    for turn in range(ROUNDS + 1):
        for name, program in programs.items():
            begin = time.perf_counter()
            jax.block_until_ready(program())
            if turn > 0:
                times[name].append((time.perf_counter() - begin) / STEPS * 1e3)
    return {name: round(statistics.median(values), 2) for name, values in times.items()}


def network_step():
    """Return one step of gradient descent, its start and its batches."""
    layer = nn.sequential(
        nn.conv(16, (3, 3), use_bias=False),
        nn.batch_norm(),
        nn.lift(nn.relu),
        nn.max_pool((2, 2)),
        nn.conv(32, (3, 3), use_bias=False),
        nn.batch_norm(),
        nn.lift(nn.relu),
        nn.max_pool((2, 2)),
        nn.flatten(),
        nn.dense(10),
    )
    objective = train.supervised(layer, losses.softmax_cross_entropy)

    def step(carry, batch):
        params, state = carry
        grads, aux = jax.grad(objective, has_aux=True)(
            params, state, batch, key=None, training=True
        )
        return jax.tree.map(lambda w, g: w - 0.01 * g, params, grads), aux.state

    rng = np.random.default_rng(0)
    x = rng.normal(size=(STEPS, 128, 28, 28, 1)).astype(np.float32)
    batches = {"x": jnp.asarray(x), "y": jnp.asarray(rng.integers(0, 10, (STEPS, 128)))}
    return step, layer.init(jax.random.key(0), (28, 28, 1)), batches


def layer_step(layer: nn.Layer, spec: tuple[int, ...], batch: int):
    """Return a step that needs the gradient of one layer in its input and its parameters."""

    def loss(params, x):
        return jnp.sum(jnp.square(layer.apply(params, {}, x, training=True)[0]))

    def step(carry, x):
        params, moved = carry
        grads, slope = jax.grad(loss, argnums=(0, 1))(params, x + moved)
        return jax.tree.map(lambda w, g: w - 1e-6 * g, params, grads), 1e-6 * slope

    params, _ = layer.init(jax.random.key(0), spec)
    x = np.random.default_rng(0).normal(size=(STEPS, batch, *spec)).astype(np.float32)
    return step, (params, jnp.zeros(x.shape[1:])), jnp.asarray(x)


def network() -> dict[str, dict[str, float]]:
    """Compare the forms of the whole network."""
    kinds = {
        "xla convolution, reduce_window": (False, False),
        "xla convolution, slices": (False, True),
        "patches, reduce_window": (True, False),
        "patches, slices": (True, True),
    }
    problem = network_step()
    programs = {
        f"{kind}, {engine}": compiled(*problem, scan=engine == "scan", patches=p, slices=s)
        for kind, (p, s) in kinds.items()
        for engine in ("loop", "scan")
    }
    times = compare(programs)
    return {
        kind: {engine: times[f"{kind}, {engine}"] for engine in ("loop", "scan")} for kind in kinds
    }


def two_forms(layer: nn.Layer, spec: tuple[int, ...], batch: int) -> dict[str, float]:
    """Compare both forms of one layer, in a loop and in a scan."""
    problem = layer_step(layer, spec, batch)
    programs = {
        f"{name}, {engine}": compiled(*problem, scan=engine == "scan", patches=ours, slices=ours)
        for name, ours in (("ours", True), ("xla", False))
        for engine in ("loop", "scan")
    }
    return compare(programs)


def main() -> None:
    """Measure, print ratios, write the results."""
    results = {
        "unit": "milliseconds per step, forward and backward, median of turns taken in one run",
        "backend": jax.default_backend(),
        "jax": jax.__version__,
        "cores": os.cpu_count(),
        "load_before": round(os.getloadavg()[0], 2),
        "network": network(),
        "kernels": {
            f"{size} x {size}, {channels} channels": two_forms(
                nn.conv(16, (size, size)), (16, 16, channels), 16
            )
            for size, channels in ((1, 16), (3, 16), (5, 4), (5, 16), (7, 4), (7, 16), (11, 4))
        },
        "pools": {
            f"window {size}, stride {stride}": two_forms(
                nn.max_pool((size, size), strides=stride), (32, 32, 8), 16
            )
            for size, stride in ((2, 2), (3, 2), (4, 4), (8, 8), (8, 2), (16, 16))
        },
    }
    results["load_after"] = round(os.getloadavg()[0], 2)
    for part in ("network", "kernels", "pools"):
        print(part)
        for name, times in results[part].items():
            print(f"  {name:34}", "  ".join(f"{k} {v:8.2f} ms" for k, v in times.items()))
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
