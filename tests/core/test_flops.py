"""Counting operations from shapes."""

import jax
import jax.numpy as jnp
import pytest

from jaxopt_dl._core.flops import count_flops


def count(function, *shapes):
    return count_flops(jax.make_jaxpr(function)(*(jnp.ones(shape) for shape in shapes)))


def loop(x):
    return jax.lax.fori_loop(0, 3, lambda _, y: y * 2.0, x)


def choose(x):
    return jax.lax.cond(x[0] > 0, lambda y: y * 2.0, lambda y: jnp.sin(y) + y, x)


@pytest.mark.parametrize(
    ("function", "shapes", "expected"),
    [
        (lambda a, b: a @ b, [(2, 3), (3, 5)], 2 * 2 * 3 * 5),
        (lambda a, b: jnp.einsum("bij,bjk->bik", a, b), [(4, 2, 3), (4, 3, 5)], 240),
        (lambda a: a * 2.0 + 1.0, [(7,)], 14),
        (lambda a: jnp.sum(a, axis=0), [(7, 3)], 21),
        (lambda a: a.reshape(3, 2).T, [(6,)], 0),
        (jax.jit(lambda a: a * a), [(5,)], 5),
        (loop, [(5,)], 15),
        (choose, [(5,)], 10),
        (lambda a: jax.lax.scan(lambda c, _: (c * 2.0, None), a, length=9)[0], [(5,)], 45),
        (jax.nn.relu, [(5,)], 0),
        (jnp.max, [(5,)], 0),
    ],
)
def test_operations_are_counted_by_hand(function, shapes, expected):
    assert count(function, *shapes) == expected


def test_grouped_convolutions_count_their_own_inputs():
    def convolve(x, kernel):
        return jax.lax.conv_general_dilated(
            x,
            kernel,
            (1, 1),
            "VALID",
            feature_group_count=2,
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )

    assert count(convolve, (1, 5, 5, 4), (3, 3, 2, 6)) == 2 * 3 * 3 * 6 * 9 * 2
