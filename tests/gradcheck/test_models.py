"""Models of other libraries, and objectives with a key, as users pass them."""

import equinox as eqx
import flax.linen as linen
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jaxopt_dl.gradcheck import check_gradients

X = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)


def test_a_flax_model_passes():
    model = linen.Sequential([linen.Dense(4), linen.tanh, linen.Dense(2)])
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        variables = model.init(jax.random.key(0), X)
        report = check_gradients(
            lambda v, x: jnp.mean(jnp.square(jnp.asarray(model.apply(v, x)))), variables, args=(X,)
        )
    assert report.verdict == "pass"
    assert {leaf.path for leaf in report.leaves} >= {"params/layers_0/kernel"}


@pytest.fixture
def nnx_model():
    with jax.numpy_dtype_promotion("standard"):
        yield nnx.Linear(3, 2, rngs=nnx.Rngs(0))


def test_an_nnx_model_passes(nnx_model):
    report = check_gradients(lambda model, x: jnp.mean(model(x) ** 2), nnx_model, args=(X,))
    assert report.verdict == "pass"
    assert {leaf.path for leaf in report.leaves} == {"bias", "kernel"}


def test_the_parameters_of_an_nnx_model_pass(nnx_model):
    graph, params = nnx.split(nnx_model, nnx.Param)
    report = check_gradients(
        lambda p, x: jnp.mean(nnx.merge(graph, p)(x) ** 2), params, args=(X,), points=()
    )
    assert report.verdict == "pass"
    assert report.coverage.size == 3 * 2 + 2


def test_an_equinox_model_with_functions_among_its_leaves_passes():
    model = eqx.nn.MLP(3, 2, 4, 1, activation=jnp.tanh, key=jax.random.key(1))
    report = check_gradients(lambda m, x: jnp.mean(jax.vmap(m)(x) ** 2), model, args=(X,))
    assert report.verdict == "pass"
    assert report.coverage.size == 3 * 4 + 4 + 4 * 2 + 2


def test_a_stateful_model_of_equinox_that_counts_in_32_bits_passes():
    model, state = eqx.nn.make_with_state(eqx.nn.BatchNorm)(3, "batch", mode="batch")

    def loss(model, state, x):
        run = jax.vmap(model, axis_name="batch", in_axes=(0, None), out_axes=(0, None))
        y, state = run(x, state)
        return jnp.mean(jnp.sin(y)), state

    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        report = check_gradients(loss, model, args=(state, X), has_aux=True, points=())
        assert report.verdict == "pass"
        enclosed = check_gradients(lambda m, x: loss(m, state, x)[0], model, args=(X,), points=())
    assert enclosed.verdict == "pass"


def test_a_wrong_rule_of_equinox_is_the_users():
    @eqx.filter_custom_vjp
    def square(x):
        return x**2

    square.def_fwd(lambda perturbed, x: (x**2, None))
    square.def_bwd(lambda saved, g, perturbed, x: 3 * g * x)
    report = check_gradients(lambda x: jnp.sum(square(x)), jnp.ones(2), points=())
    assert report.verdict == "fail"
    assert [(cause.kind, cause.file) for cause in report.causes] == [("rule", __file__)]


def test_an_objective_with_its_key_passes():
    def objective(params, state, batch, *, key, training):
        kept = jax.random.uniform(key, (5, 3), jnp.float32) < 0.8
        x = jnp.where(kept, batch["x"], jnp.zeros_like(batch["x"])) if training else batch["x"]
        loss = jnp.mean((x @ params["kernel"]) ** 2)
        return loss, {"state": state}

    report = check_gradients(
        objective,
        {"kernel": jnp.ones((3, 2))},
        args=({}, {"x": X}),
        kwargs={"key": jax.random.key(2), "training": True},
        has_aux=True,
    )
    assert report.verdict == "pass"
