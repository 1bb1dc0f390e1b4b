"""Plain functions as layers."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_dl import nn


def test_the_layer_applies_the_function(key):
    layer = nn.lift(nn.relu)
    params, state = layer.init(key, (3,))
    y, _ = layer.apply(params, state, jnp.array([[-1.0, 0.0, 2.0]]), training=True)
    np.testing.assert_array_equal(y, [[0.0, 0.0, 2.0]])


def test_the_kind_is_the_name_of_the_function():
    assert nn.lift(nn.relu).kind == "relu"


def test_a_lambda_has_a_plain_kind():
    assert nn.lift(lambda x: x).kind == "lambda"


def test_a_callable_object_is_named_by_its_class():
    class Twice:
        def __call__(self, x):
            return 2 * x

    assert nn.lift(Twice()).kind == "Twice"


def test_a_name_can_be_given():
    assert nn.lift(nn.relu, name="gate").name == "gate"


def test_a_layer_is_not_lifted_again():
    with pytest.raises(TypeError, match="got the layer dense 'head'"):
        nn.lift(nn.dense(2, name="head"))  # pyright: ignore[reportArgumentType]


def test_something_that_cannot_be_called_raises():
    with pytest.raises(TypeError, match="lift: `function` must be a function"):
        nn.lift(3)  # pyright: ignore[reportArgumentType]
