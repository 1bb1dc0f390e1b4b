"""The overview of a network: counts by hand, and a table that fits."""

import jax
import jax.numpy as jnp
import pytest

from jaxopt_dl import nn


def only(layer, spec):
    (row,) = nn.summary(layer, spec).rows
    return row


def test_a_dense_layer_by_hand():
    row = only(nn.dense(3, name="head"), (4,))
    assert row.path == "dense 'head'"
    assert (row.output.shape, row.output.dtype) == ((3,), jnp.float32)
    assert row.parameters == 4 * 3 + 3
    assert row.flops == 2 * 4 * 3 + 3
    assert row.memory == 3 * 4


@pytest.mark.parametrize("kernel", [(3, 3), (7, 7)])
def test_a_convolution_by_hand_in_either_form(kernel):
    row = only(nn.conv(5, kernel, strides=2), (28, 28, 2))
    window = kernel[0] * kernel[1] * 2
    assert row.output.shape == (14, 14, 5)
    assert row.parameters == window * 5 + 5
    assert row.flops == 14 * 14 * 5 * (2 * window + 1)
    assert row.memory == 14 * 14 * 5 * 4


def test_a_recurrent_layer_counts_every_step():
    step = 2 * 3 * 3 + 3 + 3  # recurrent product, sum, tanh
    inputs = 2 * 2 * 3 + 3
    assert only(nn.rnn(3), (7, 2)).flops == 7 * (step + inputs)


def test_rows_are_the_innermost_layers_in_order():
    net = nn.sequential(
        nn.residual(nn.sequential(nn.dense(4), nn.lift(nn.relu)), name="block"),
        nn.dropout(keep_prob=0.5),
        nn.dense(2, name="head"),
    )
    found = nn.summary(net, (4,))
    assert [row.path for row in found.rows] == [
        "block/layer/00_dense",
        "block/layer/01_relu",
        "01_dropout",
        "head",
    ]


def test_the_total_holds_what_lies_between_the_layers():
    found = nn.summary(nn.residual(nn.dense(4)), (4,))
    assert found.total.flops == found.rows[0].flops + 4
    assert found.total.parameters == found.rows[0].parameters == 20


def test_a_layer_alone_is_its_own_total():
    found = nn.summary(nn.batch_norm(), (4,))
    assert found.total == found.rows[0]._replace(path="total")


def test_integer_specs_and_other_dtypes_are_counted():
    spec = jax.ShapeDtypeStruct((6,), jnp.int32)
    row = only(nn.embedding(10, 3, dtype=jnp.bfloat16), spec)
    assert (row.output.shape, row.parameters, row.memory) == ((6, 3), 30, 6 * 3 * 2)


def test_nothing_is_computed():
    row = only(nn.dense(200_000), (200_000,))
    assert row.parameters == 200_000 * 200_001


def test_the_table_fits_into_80_columns():
    deep = nn.dense(1000, name="a_layer_with_a_very_long_name_indeed")
    for level in range(4):
        deep = nn.sequential(deep, name=f"level_number_{level}_with_a_long_name")
    lines = str(nn.summary(nn.sequential(deep), (100, 100, 1000))).splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[1].startswith("…")
    assert "a_very_long_name_indeed" in lines[1]
    assert len({len(line) for line in lines}) == 1


def test_only_layers_have_a_summary():
    with pytest.raises(TypeError, match="summary: `layer` must be a layer, got function"):
        nn.summary(nn.relu, (4,))


def test_watching_ends_with_the_summary(key):
    net = nn.mlp((3, 2))
    nn.summary(net, (4,))
    params, state = net.init(key, (4,))
    y, _ = net.apply(params, state, jnp.ones((1, 4)), training=False)
    assert y.shape == (1, 2)
