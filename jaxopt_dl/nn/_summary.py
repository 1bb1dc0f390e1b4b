"""What a network consists of, layer by layer, without computing anything."""

import math
from typing import NamedTuple

import jax

from jaxopt_dl._core.errors import fail
from jaxopt_dl._core.flops import count_flops
from jaxopt_dl._core.numerics import as_spec
from jaxopt_dl._core.trees import size
from jaxopt_dl._core.types import Layer, PyTree, Spec

from ._checks import label
from ._children import Call, watching

WIDTH = 80
"""Columns of a terminal; longer paths lose their beginning."""


class SummaryRow(NamedTuple):
    """One layer of a network.

    Attributes:
      path: its name, after those of the layers around it, as in the paths of its parameters.
      output: shape and dtype of what it returns for one example, without the batch axis.
      parameters: number of scalars in its parameters.
      flops: floating-point operations of one example's forward pass in evaluation mode.
      memory: bytes of its output for one example.

    Examples:
      >>> from jaxopt_dl import nn
      >>> row = nn.summary(nn.dense(3), (4,)).rows[0]
      >>> row.path, row.output.shape, row.parameters, row.flops, row.memory
      ('dense', (3,), 15, 27, 12)
    """

    path: str
    output: jax.ShapeDtypeStruct
    parameters: int
    flops: int
    memory: int


class Summary(NamedTuple):
    """The layers of a network and their total; `str(summary)` is a table.

    Attributes:
      rows: one per layer that is not itself made of layers, in the order they are applied.
      total: the whole network. Its operations include those between the layers, such as the
        addition of a residual connection; its memory is the sum over the rows.

    Examples:
      >>> from jaxopt_dl import nn
      >>> nn.summary(nn.mlp((8, 3)), (4,)).total.parameters
      67
    """

    rows: tuple[SummaryRow, ...]
    total: SummaryRow

    def __str__(self) -> str:
        """Return a table that fits into 80 columns."""
        return _table(self)


def summary(layer: Layer, spec: Spec) -> Summary:
    """List the layers of a network with their output shapes, parameters and costs.

    Nothing is computed: shapes come from tracing, and operations are counted from the shapes in
    the traced program. Matrix products and convolutions count 2 per multiply-add (padding
    included), arithmetic and functions such as `exp` 1 per output, sums 1 per input, moving and
    comparing numbers (ReLU, a largest value) nothing. Layers count the same in every form but
    one: average pooling adds less often on CPU. A backward pass takes about twice as many.

    Args:
      layer: the network, or any layer.
      spec: shape and dtype of one example, without the batch axis; a tuple means float32.

    Returns:
      A `Summary`. Memory is that of the outputs in float32 or whatever their dtype is, a lower
      bound of what training keeps for the backward pass; multiply it by the batch size.

    Raises:
      TypeError: if `layer` is not a layer; errors of its `init` and `apply`.
      ValueError: errors of its `init` and `apply`.

    Examples:
      >>> from jaxopt_dl import nn
      >>> print(summary(nn.sequential(nn.conv(8, (3, 3)), nn.flatten(), nn.dense(10)), (8, 8, 1)))
      layer       output     parameters   flops   memory
      00_conv     (8, 8, 8)          80   9.7 k  2.0 KiB
      01_flatten  (512,)              0       0  2.0 KiB
      02_dense    (10,)           5,130  10.2 k     40 B
      total                       5,210  20.0 k  4.0 KiB
    """
    if not isinstance(layer, Layer):
        came = f"got {type(layer).__name__}"
        advice = "Pass what a factory such as `nn.sequential` returned."
        fail("summary", "`layer` must be a layer", came, advice, kind=TypeError)
    key = jax.eval_shape(lambda: jax.random.key(0))
    params, state = jax.eval_shape(lambda key: layer.init(key, spec), key)
    spec = as_spec(spec)
    x = jax.ShapeDtypeStruct((1, *spec.shape), spec.dtype)
    calls: list[Call] = []
    with watching(calls.append):
        output = jax.eval_shape(_forward(layer), params, state, x)
    # Inner layers report before outer ones: an outer one follows a path that begins with its own.
    leaves = [
        call
        for before, call in zip([None, *calls], calls, strict=False)
        if before is None or before.path[: len(call.path)] != call.path
    ]
    rows = tuple(_row("/".join(c.path), c.layer, c.params, c.state, c.x, c.y) for c in leaves)
    whole = _row(label(layer.kind, layer.name), layer, params, state, x, output)
    rows = rows or (whole,)
    total = whole._replace(path="total", memory=sum(row.memory for row in rows))
    return Summary(rows, total)


def _row(
    path: str,
    layer: Layer,
    params: PyTree,
    state: PyTree,
    x: jax.ShapeDtypeStruct | jax.Array,
    y: jax.ShapeDtypeStruct | jax.Array,
) -> SummaryRow:
    kinds = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), (params, state))
    program = jax.make_jaxpr(_forward(layer))(*kinds, jax.ShapeDtypeStruct(x.shape, x.dtype))
    output = jax.ShapeDtypeStruct(y.shape[1:], y.dtype)
    memory = math.prod(output.shape) * output.dtype.itemsize
    return SummaryRow(path, output, size(params), count_flops(program), memory)


def _forward(layer: Layer):
    return lambda params, state, x: layer.apply(params, state, x, training=False)[0]


def _table(summary: Summary) -> str:
    cells = [("layer", "output", "parameters", "flops", "memory")]
    for row in (*summary.rows, summary.total):
        shape = "" if row is summary.total else str(row.output.shape)
        numbers = (f"{row.parameters:,}", _short(row.flops), _bytes(row.memory))
        cells.append((row.path, shape, *numbers))
    widths = [max(len(line[column]) for line in cells) for column in range(5)]
    widths[0] = min(widths[0], max(WIDTH - sum(widths[1:]) - 8, 5))
    return "\n".join(_line(line, widths) for line in cells)


def _line(cells: tuple[str, ...], widths: list[int]) -> str:
    path, shape, *numbers = cells
    path = path if len(path) <= widths[0] else "…" + path[1 - widths[0] :]
    right = [f"{text:>{width}}" for text, width in zip(numbers, widths[2:], strict=True)]
    return "  ".join([f"{path:{widths[0]}}", f"{shape:{widths[1]}}", *right])


def _short(number: int) -> str:
    """Write a count with three digits and a thousands letter."""
    value, units = float(number), iter(("", " k", " M", " G", " T", " P"))
    unit = next(units)
    while value >= 999.95 and unit != " P":
        value, unit = value / 1000, next(units)
    return f"{number}" if unit == "" else f"{value:.1f}{unit}"


def _bytes(number: int) -> str:
    value, units = float(number), iter(("B", "KiB", "MiB", "GiB", "TiB"))
    unit = next(units)
    while value >= 1023.95 and unit != "TiB":
        value, unit = value / 1024, next(units)
    return f"{number} B" if unit == "B" else f"{value:.1f} {unit}"
