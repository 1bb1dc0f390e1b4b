"""Prove the gradients of every layer and every loss at many random shapes.

    python -m tests.contracts.gradient_suite [--json FILE] [--shapes N] [--only NAME ...]

Nearly all of the time goes into compiling, and every shape is a new program. So several shapes
are put into one: their values are added up, each with parameters of its own, and the checker
names the shape by the path of the leaf. The exit status is 1 if a gradient is not proven.
"""

import argparse
import hashlib
import json
import pathlib
import platform
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxopt_dl.gradcheck import GradientReport, check_gradients
from tests.contracts.gradient_cases import LAYERS, LOSSES

SHAPES = 200
TOGETHER = 10
"""Shapes in one program; more gain nothing, since compiling then grows with them."""


class Part(NamedTuple):
    """One shape of one layer or loss.

    Attributes:
      value: `value(leaves, constants)` returns a scalar.
      leaves: what the gradient is checked by.
      constants: arrays that are no parameters.
    """

    value: Callable[[Any, Any], jax.Array]
    leaves: Any
    constants: Any


class Row(NamedTuple):
    """What was found for one layer or loss.

    Attributes:
      name: its name in the tables of cases.
      shapes: how many were checked.
      entries: how many derivatives were compared with finite differences.
      error: largest relative error over all programs.
      wrong: paths of leaves that are not proven, beginning with the number of the shape.
    """

    name: str
    shapes: int
    entries: int
    error: float
    wrong: list[str]


def random_of(name: str, draw: int) -> np.random.Generator:
    digest = hashlib.sha256(f"{name} {draw}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:4], "big"))


def layer_part(name: str, draw: int) -> Part:
    """Return a layer at a random shape, with random numbers in all of its parameters."""
    random = random_of(name, draw)
    layer, spec = LAYERS[name](random)
    x, kind = _inputs(name, random, (int(random.integers(2, 4)), *spec))
    key = jax.random.key(draw, impl="rbg")  # compiles four times faster than the default

    def forward(params, state, x):
        return layer.apply(params, state, x, training=True, key=key)[0]

    init = jax.eval_shape(lambda key: layer.init(key, jax.ShapeDtypeStruct(spec, kind)), key)
    # Not those of `init`: biases of 0 and scales of 1 would hide what is done with them.
    params, state = jax.tree.map(lambda leaf: random.uniform(0.5, 1.5, leaf.shape), init)
    params = jax.tree.map(lambda leaf: leaf * random.choice([-1.0, 1.0], leaf.shape), params)
    weights = random.normal(size=jax.eval_shape(forward, params, state, x).shape)
    # Integers are no parameters, so they are not among the leaves.
    leaves = {"params": params} if kind == jnp.int32 else {"params": params, "x": x}

    def value(leaves, constants):
        state, weights = constants
        return jnp.sum(weights * jnp.sin(forward(leaves["params"], state, leaves.get("x", x))))

    return Part(value, leaves, (state, weights))


def loss_part(name: str, draw: int) -> Part:
    """Return a loss at a random shape."""
    random = random_of(name, draw)
    loss, inputs = LOSSES[name]
    outputs, targets = inputs(random)

    def value(outputs, constants):
        targets, weights = constants
        return jnp.sum(weights * loss(outputs, targets))

    return Part(value, outputs, (targets, random.normal(size=len(outputs))))


def check(name: str, draws: Iterable[int]) -> GradientReport:
    """Check a layer or a loss at several shapes, as one function."""
    part = layer_part if name in LAYERS else loss_part
    parts = {f"{draw:03d}": part(name, draw) for draw in draws}

    def total(leaves, constants):
        values = (p.value(leaves[draw], constants[draw]) for draw, p in parts.items())
        return sum(values, jnp.zeros(()))

    leaves = {draw: p.leaves for draw, p in parts.items()}
    constants = {draw: p.constants for draw, p in parts.items()}
    return check_gradients(total, leaves, args=(constants,), points=(), progress=False)


def check_many(name: str, shapes: int) -> Row:
    """Check a layer or a loss at many shapes."""
    reports = []
    for start in range(0, shapes, TOGETHER):
        reports.append(check(name, range(start, min(start + TOGETHER, shapes))))
        jax.clear_caches()
    wrong = [leaf.path for r in reports for leaf in r.leaves if leaf.verdict != "pass"]
    wrong += [f"{r.causes}" for r in reports if r.verdict != "pass" and not r.leaves]
    entries = sum(report.coverage.components for report in reports)
    return Row(name, shapes, entries, max(r.relative_error for r in reports), wrong)


def as_json(rows: list[Row]) -> str:
    """Write versions, and one line per layer or loss."""
    head = {"python": platform.python_version(), "jax": jax.__version__}
    lines = ",\n".join(
        f"  {json.dumps(row._replace(error=float(f'{row.error:.1e}'))._asdict())}" for row in rows
    )
    return f'{json.dumps(head, indent=1)[:-2]},\n "rows": [\n{lines}\n ]\n}}\n'


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", type=pathlib.Path, help="write what was found to this file")
    parser.add_argument("--shapes", type=int, default=SHAPES, help="random shapes of each")
    parser.add_argument("--only", action="append", help="a layer or a loss; may be repeated")
    options = parser.parse_args()
    rows = []
    for name in options.only or [*LAYERS, *LOSSES]:
        begin = time.process_time()
        rows.append(row := check_many(name, options.shapes))
        seconds = time.process_time() - begin
        print(f"{seconds:6.1f} s  {name}: {row.entries} entries, {row.error:.1e}", *row.wrong)
    if options.json:
        options.json.write_text(as_json(rows))
    sys.exit(any(row.wrong for row in rows))


def _inputs(name: str, random: np.random.Generator, shape: tuple[int, ...]):
    """Return what goes into a layer, and its dtype."""
    if name == "embedding":
        return random.integers(0, 5, shape).astype(np.int32), jnp.int32
    return random.normal(size=shape), jnp.float32


if __name__ == "__main__":
    main()
