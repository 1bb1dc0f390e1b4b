"""Layer norm, flatten, embedding, residual and mlp: facts special to each."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_dl import nn

INDICES = jax.ShapeDtypeStruct((4,), jnp.int32)


def run(layer, params, x, **options):
    return layer.apply(params, {}, x, training=False, **options)[0]


def test_layer_norm_centers_and_scales_each_row_alone(key, x64):
    layer = nn.layer_norm(eps=1e-3)
    params = {"scale": jnp.array([1.0, 2.0, -1.0, 0.5]), "bias": jnp.array([0.0, 1.0, 2.0, 3.0])}
    x = np.random.default_rng(0).normal(2.0, 3.0, size=(5, 3, 4))
    unit = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-3)
    expected = unit * np.asarray(params["scale"]) + np.asarray(params["bias"])
    np.testing.assert_allclose(run(layer, params, jnp.asarray(x)), expected, rtol=1e-12)


def test_layer_norm_survives_a_large_offset():
    layer = nn.layer_norm()
    params, _ = layer.init(jax.random.key(0), (4,))
    x = jnp.array([[1.0, 2.0, 3.0, 4.0]])
    np.testing.assert_allclose(run(layer, params, x + 4096), run(layer, params, x), atol=1e-6)


@pytest.mark.parametrize("eps", [0.0, -1.0, float("nan")])
def test_layer_norm_needs_a_positive_eps(eps):
    with pytest.raises(ValueError, match="layer_norm: `eps`"):
        nn.layer_norm(eps=eps)


def test_layer_norm_of_one_feature_raises(key):
    with pytest.raises(ValueError, match="layer_norm: the last axis must have at least 2 features"):
        nn.layer_norm().init(key, (5, 1))


@pytest.mark.parametrize(
    ("layer", "spec", "leaf", "shape"),
    [
        (nn.layer_norm(), (4,), "bias", (1,)),
        (nn.rnn(3), (5, 2), "bias", (1,)),
        (nn.gru(3), (5, 2), "recurrent_kernel", (1, 9)),
        (nn.lstm(3), (5, 2), "kernel", (2, 9)),
        (nn.embedding(5, 3), jax.ShapeDtypeStruct((2,), jnp.int32), "kernel", (9, 3)),
    ],
    ids=lambda value: getattr(value, "kind", None),
)
def test_a_parameter_of_another_shape_is_never_broadcast(key, layer, spec, leaf, shape):
    params, _ = layer.init(key, spec)
    x = jnp.zeros((2, 2), jnp.int32) if layer.kind == "embedding" else jnp.ones((2, *spec))
    with pytest.raises(ValueError, match=rf"{layer.kind}: `params\['{leaf}'\]` must have shape"):
        run(layer, {**params, leaf: jnp.ones(shape)}, x)


def two_by_two(key, shape, dtype):
    return jnp.ones((2, 2), dtype)


@pytest.mark.parametrize(
    ("layer", "spec"),
    [
        (nn.rnn(3, kernel_init=two_by_two), (5, 4)),
        (nn.embedding(5, 3, kernel_init=two_by_two), jax.ShapeDtypeStruct((2,), jnp.int32)),
    ],
    ids=["rnn", "embedding"],
)
def test_an_initializer_that_returns_another_shape_raises(key, layer, spec):
    with pytest.raises(ValueError, match=r"`params\['kernel'\]` must have shape"):
        layer.init(key, spec)


def test_lift_tries_its_function_in_init(key):
    def first_of_three(x):
        if x.shape[1:] != (3,):
            raise ValueError(f"first_of_three: got {x.shape}")
        return x[:, :1]

    nn.lift(first_of_three).init(key, (3,))
    with pytest.raises(ValueError, match=r"first_of_three: got \(2, 4\)"):
        nn.lift(first_of_three).init(key, (4,))


def test_flatten_keeps_an_empty_batch():
    assert run(nn.flatten(), {}, jnp.ones((0, 2, 3))).shape == (0, 6)


def test_embedding_is_dense_on_one_hot_rows(key):
    layer = nn.embedding(5, 3)
    params, _ = layer.init(key, INDICES)
    x = jnp.array([[0, 4, 2, 4]])
    expected = jax.nn.one_hot(x, 5) @ params["kernel"]
    np.testing.assert_allclose(run(layer, params, x), expected, rtol=1e-6)


@pytest.mark.parametrize("bad", [5, -1, 2**31 - 1])
def test_a_concrete_index_out_of_range_raises_and_says_where(key, bad):
    layer = nn.embedding(5, 3, name="words")
    params, _ = layer.init(key, INDICES)
    message = rf"^embedding 'words': indices must lie in 0 to 4, got {bad} at \(1, 2\)"
    with pytest.raises(ValueError, match=message):
        run(layer, params, jnp.array([[0, 1, 2], [3, 4, bad]]))


@pytest.mark.parametrize("bad", [5, -1, 2**31 - 1])
def test_a_traced_index_out_of_range_gives_nan_and_is_never_clamped(key, bad):
    layer = nn.embedding(5, 3)
    params, _ = layer.init(key, INDICES)
    y = jax.jit(lambda x: run(layer, params, x))(jnp.array([[0, bad, 4]]))
    assert np.isnan(y).all(axis=-1).tolist() == [[False, True, False]]


def test_small_integers_index_large_tables(key):
    layer = nn.embedding(300, 2)
    params, _ = layer.init(key, INDICES)
    y = jax.jit(lambda x: run(layer, params, x))(jnp.array([[255]], jnp.uint8))
    np.testing.assert_array_equal(y[0, 0], params["kernel"][255])


def test_floats_are_no_indices(key):
    with pytest.raises(TypeError, match=r"embedding: `spec` must hold integers.*ShapeDtypeStruct"):
        nn.embedding(5, 3).init(key, (4,))


def test_only_rows_that_are_looked_up_get_a_gradient(key):
    layer = nn.embedding(5, 3)
    params, _ = layer.init(key, INDICES)
    grad = jax.grad(lambda p: run(layer, p, jnp.array([[1, 1, 3]])).sum())(params)["kernel"]
    np.testing.assert_array_equal(grad[:, 0], [0, 2, 0, 1, 0])


def test_a_residual_connection_adds_the_input(key):
    block = nn.residual(nn.dense(4))
    params, _ = block.init(key, (4,))
    x = jax.random.normal(key, (3, 4))
    through = run(nn.dense(4), params["layer"], x)
    np.testing.assert_allclose(run(block, params, x), through + x, rtol=1e-6)


def test_a_shortcut_fits_another_width(key):
    block = nn.residual(nn.dense(6), shortcut=nn.dense(6, use_bias=False))
    params, _ = block.init(key, (4,))
    x = jax.random.normal(key, (3, 4))
    around = x @ params["shortcut"]["kernel"]
    expected = run(nn.dense(6), params["layer"], x) + around
    np.testing.assert_allclose(run(block, params, x), expected, rtol=1e-5, atol=1e-6)


def test_another_width_without_a_shortcut_raises_in_init(key):
    with pytest.raises(ValueError, match=r"got \(6,\) and \(4,\)\. Pass `shortcut="):
        nn.residual(nn.dense(6)).init(key, (4,))


def test_a_residual_connection_never_broadcasts(key):
    with pytest.raises(ValueError, match="must end in one shape"):
        nn.residual(nn.dense(1)).init(key, (4,))


def test_a_residual_connection_never_broadcasts_when_applied(key):
    params, _ = nn.dense(1).init(key, (4,))
    with pytest.raises(ValueError, match=r"got \(3, 1\) and \(3, 4\)"):
        run(nn.residual(nn.dense(1)), {"layer": params}, jnp.ones((3, 4)))


def test_errors_inside_a_block_come_with_their_path(key):
    net = nn.sequential(nn.residual(nn.sequential(nn.dense(4, name="a")), name="block"))
    params, _ = net.init(key, (4,))
    with pytest.raises(ValueError, match="^in layer block/layer/a: dense 'a': the last axis"):
        run(net, params, jnp.ones((2, 5)))


def test_only_layers_make_a_residual_block():
    with pytest.raises(TypeError, match="residual: `shortcut` must be a layer, got function"):
        nn.residual(nn.dense(4), shortcut=nn.relu)


def test_both_ways_of_a_residual_block_draw_from_their_own_key(key):
    drop = nn.dropout(keep_prob=0.5)
    y, _ = nn.residual(drop, shortcut=drop).apply(
        {}, {}, jnp.ones((1, 200)), training=True, key=key
    )
    assert set(y.ravel().tolist()) == {0.0, 2.0, 4.0}


def test_mlp_is_the_composition_of_its_layers_risk_01(key):
    net = nn.mlp((5, 4, 3), activation=nn.tanh)
    params, _ = net.init(key, (2,))
    x = jax.random.normal(key, (7, 2))
    h = x
    for index, (name, size) in enumerate(zip(sorted(params), (5, 4, 3), strict=True)):
        h = run(nn.dense(size), params[name], h)
        h = nn.tanh(h) if index < 2 else h
    np.testing.assert_array_equal(run(net, params, x), h)


def test_mlp_starts_each_layer_from_its_own_fan_init_20(key):
    draw = jax.jit(jax.vmap(lambda k: nn.mlp((100, 10)).init(k, (4,))[0]))
    params = draw(jax.random.split(key, 200))
    stds = [float(params[name]["kernel"].std()) for name in sorted(params)]
    np.testing.assert_allclose(stds, [0.7071, 0.1414], rtol=0.01)


def test_keep_probs_go_to_the_input_the_hidden_layers_and_the_output_drop_06():
    net = nn.mlp((5, 4, 3), keep_probs=(1.0, 0.9, 0.5, 1.0))
    kinds = [row.path.partition("_")[2] for row in nn.summary(net, (2,)).rows]
    assert kinds == ["dense", "relu", "dropout", "dense", "relu", "dropout", "dense"]


@pytest.mark.parametrize("keep_probs", [(1.0, 0.0, 1.0), (1.0, 1.1, 1.0)])
def test_keep_probs_out_of_range_raise_drop_06(keep_probs):
    with pytest.raises(ValueError, match="keep_prob"):
        nn.mlp((5, 3), keep_probs=keep_probs)


def test_another_number_of_keep_probs_raises_drop_06():
    with pytest.raises(ValueError, match="must have 3 entries: input, hidden layers, output"):
        nn.mlp((5, 3), keep_probs=(0.9, 1.0))


@pytest.mark.parametrize("layers", [1, 2, 3, 6])
def test_default_keep_probs_follow_the_table_and_spare_the_output_drop_05(layers):
    first, *hidden, last = nn.default_keep_probs(layers)
    assert (first, last) == (1.0, 1.0)
    assert len(hidden) == layers - 1
    assert all(0.8 <= keep <= 0.9 for keep in hidden[:1])
    assert all(0.5 <= keep <= 0.7 for keep in hidden[1:])


def test_default_keep_probs_can_follow_the_text_drop_05():
    assert nn.default_keep_probs(3, early=0.5) == (1.0, 0.5, 0.5, 1.0)


@pytest.mark.parametrize("sizes", [(), 3, "ab"])
def test_an_mlp_needs_sizes(sizes):
    with pytest.raises((TypeError, ValueError), match="mlp: `sizes`"):
        nn.mlp(sizes)


@pytest.mark.parametrize("shape", [(7, 4), (4, 7), (3, 2, 5), (6, 6)])
def test_orthogonal_weights_have_singular_values_of_1(key, shape):
    kernel = np.asarray(nn.orthogonal()(key, shape)).reshape(-1, shape[-1])
    np.testing.assert_allclose(np.linalg.svd(kernel, compute_uv=False), 1.0, rtol=1e-5)


def test_the_gain_of_orthogonal_weights_multiplies_their_squares(key):
    kernel = np.asarray(nn.orthogonal(gain=4.0)(key, (5, 5)))
    np.testing.assert_allclose(np.linalg.svd(kernel, compute_uv=False), 2.0, rtol=1e-5)


def test_orthogonal_weights_are_drawn_without_a_preferred_sign(key):
    draws = jax.vmap(lambda k: nn.orthogonal()(k, (2, 2)))(jax.random.split(key, 400))
    assert abs(float(jnp.mean(jnp.sign(draws[:, 0, 0])))) < 0.2
