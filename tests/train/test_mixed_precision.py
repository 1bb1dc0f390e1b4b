"""Half precision inside the layers and nowhere else."""

import dataclasses
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_dl import losses, optim, train
from tests.train.problems import blobs, classifier


def train_on(objective, params, state):
    return train.fit(
        objective,
        params,
        state,
        optim.adam(1e-2),
        blobs(),
        key=jax.random.key(1),
        epochs=8,
        batch_size=16,
        dev=blobs(30, seed=1),
        progress=None,
    )


@pytest.fixture(scope="module")
def half():
    objective, params, state = classifier(keep_prob=1.0)
    return train_on(train.mixed_precision(objective), params, state)


def test_the_curve_is_that_of_float32_to_the_precision_of_bfloat16(half):
    full = train_on(*classifier(keep_prob=1.0))
    np.testing.assert_allclose(half.history["dev_loss"], full.history["dev_loss"], rtol=0.05)
    assert half.history["dev_loss"][-1] != full.history["dev_loss"][-1]


def test_parameters_statistics_and_moments_stay_in_float32(half):
    kept = (half.last, half.run.train.opt_state[1:])
    kinds = {
        leaf.dtype for leaf in jax.tree.leaves(kept) if jnp.issubdtype(leaf.dtype, jnp.floating)
    }
    assert kinds == {np.dtype(np.float32)}


def test_every_matrix_product_is_of_half_precision():
    objective, params, state = classifier()
    loss = lambda p: train.mixed_precision(objective)(  # noqa: E731
        p, state, blobs(), key=jax.random.key(0), training=True
    )[0]
    program = str(jax.make_jaxpr(jax.grad(loss))(params))
    assert set(re.findall(r":(\w+)\[[^\]]*\] = dot_general", program)) == {"bf16"}


def test_loss_and_metrics_see_outputs_in_float32():
    seen = []

    def watching(outputs, targets):
        seen.append(outputs.dtype)
        return losses.softmax_cross_entropy(outputs, targets)

    objective, params, state = classifier(keep_prob=1.0)
    objective = dataclasses.replace(objective, loss=watching)
    batch = {name: jnp.asarray(values) for name, values in blobs().items()}
    train.mixed_precision(objective)(params, state, batch, key=None, training=True)
    assert seen == [np.dtype(np.float32)]


def test_the_same_objective_gives_an_equal_one():
    objective = classifier()[0]
    assert train.mixed_precision(objective) == train.mixed_precision(objective)


def test_another_kind_of_objective_and_another_dtype_are_refused():
    with pytest.raises(TypeError, match="must come from `train.supervised`, got function"):
        train.mixed_precision(lambda params, state, batch, *, key, training: None)
    with pytest.raises(ValueError, match="`compute_dtype` must be one of 'bfloat16', 'float16'"):
        train.mixed_precision(classifier()[0], compute_dtype=jnp.float32)
