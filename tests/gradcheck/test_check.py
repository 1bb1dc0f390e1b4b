"""`check_gradients` on small functions whose derivative is known."""

import dataclasses
import threading
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_dl.gradcheck import assert_gradients, check_gradients


class Pair(NamedTuple):
    weight: jax.Array
    offset: jax.Array


@jax.tree_util.register_dataclass
@dataclasses.dataclass
class Block:
    weight: Any
    name: str = dataclasses.field(default="block", metadata={"static": True})


def cubes(tree) -> jax.Array:
    leaves = [x for x in jax.tree.leaves(tree) if jnp.issubdtype(jnp.result_type(x), jnp.floating)]
    return sum((jnp.sum(leaf**3 + leaf) for leaf in leaves), jnp.zeros(()))


TREES = {
    "bare array": jnp.array([1.0, 2.0]),
    "scalar": jnp.array(1.5),
    "python float": 1.5,
    "nested": {"a": [jnp.ones((2, 3)), (jnp.array(2.0),)], "b": {"c": jnp.arange(3.0)}},
    "named tuple": Pair(jnp.array([1.0, -2.0]), jnp.array(0.5)),
    "dataclass": {"block": Block(jnp.array([1.0, 2.0]))},
    "none": {"w": jnp.array([1.0]), "missing": None},
    "integers": {"w": jnp.array([1.0]), "count": jnp.array([3, 4]), "mask": jnp.array(True)},
    "half": {"w": jnp.array([1.0, 2.0], jnp.bfloat16), "v": np.array([1.0], np.float16)},
    "numpy": {"w": np.array([[1.0, 3.0]])},
    "empty": {"w": jnp.array([1.0]), "nothing": jnp.zeros((0, 3))},
}


@pytest.mark.parametrize("name", TREES)
def test_any_tree_of_parameters_passes(name: str):
    assert check_gradients(cubes, TREES[name]).verdict == "pass"


def test_the_report_names_the_wrong_leaf_and_entry_and_no_other():
    params = {"a": jnp.arange(6.0).reshape(2, 3), "b": jnp.ones(4)}

    def wrong(p):
        right = jax.grad(cubes)(p)
        return {**right, "a": right["a"].at[1, 2].multiply(1 + 3e-6)}

    report = check_gradients(cubes, params, gradient=wrong)
    assert report.verdict == "fail"
    assert {leaf.path: leaf.wrong for leaf in report.leaves} == {"a": ((1, 2),), "b": ()}


@pytest.mark.parametrize("scale", [1e-6, 1e-2, 1.0, 1e9])
def test_parameters_of_every_scale_pass(scale: float):
    params = scale * jnp.array([1.0, -2.0, 3.0])
    assert check_gradients(lambda x: jnp.sum(jnp.sin(x / scale)), params).verdict == "pass"


def test_a_kink_is_accepted_and_named():
    report = check_gradients(lambda x: jnp.sum(jnp.abs(x)), jnp.array([1.0, 0.0, -2.0]))
    assert report.verdict == "pass"
    assert report.leaves[0].kinks == ((1,),)


def test_a_slope_outside_the_kink_fails():
    report = check_gradients(
        lambda x: jnp.sum(jnp.abs(x)), jnp.array([0.0]), gradient=lambda x: jnp.array([1.5])
    )
    assert report.verdict == "fail"


def test_a_large_offset_does_not_drown_the_gradient():
    report = check_gradients(lambda x: 1e8 + jnp.sum(jnp.sin(x)), jnp.arange(1.0, 4.0))
    assert report.verdict == "pass"


def test_an_unused_leaf_passes():
    report = check_gradients(lambda p: jnp.sum(p["w"] ** 2), {"w": jnp.ones(2), "v": jnp.ones(3)})
    assert report.verdict == "pass"


def test_has_aux_args_and_kwargs_reach_the_function():
    def function(p, x, *, power):
        return jnp.sum((x * p) ** power), {"x": x}

    report = check_gradients(
        function, jnp.array([1.0, 2.0]), args=(jnp.ones(2),), kwargs={"power": 3}, has_aux=True
    )
    assert report.verdict == "pass"


def test_promotion_is_told():
    report = check_gradients(cubes, jnp.ones(2, jnp.float32))
    assert any("float32" in note and "float64" in note for note in report.notes)


def test_float64_does_not_leak_after_success():
    check_gradients(cubes, jnp.ones(2))
    assert jnp.ones(2).dtype == jnp.float32


def test_float64_does_not_leak_after_an_exception():
    def broken(p):
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        check_gradients(broken, jnp.ones(2))
    assert jnp.ones(2).dtype == jnp.float32


def test_float64_does_not_leak_into_another_thread():
    seen = []

    def function(p):
        thread = threading.Thread(target=lambda: seen.append(jnp.ones(1).dtype))
        thread.start()
        thread.join()
        return jnp.sum(p**2)

    check_gradients(function, jnp.ones(2))
    assert set(seen) == {jnp.dtype("float32")}


def test_assert_gradients_shows_the_report():
    with pytest.raises(AssertionError, match="gradient check: FAIL"):
        assert_gradients(cubes, jnp.ones(2), gradient=lambda p: 2 * p)


@pytest.mark.parametrize(
    ("function", "params", "error", "message"),
    [
        (3, jnp.ones(2), TypeError, "must be a function"),
        (lambda p: p, jnp.ones(2), ValueError, "but it returned an array of shape"),
        (lambda p: (jnp.sum(p), 1), jnp.ones(2), TypeError, "Pass has_aux=True"),
        (lambda p: jnp.sum(p) > 0, jnp.ones(2), TypeError, "floating-point number"),
        (lambda p: jnp.sum(p), jnp.array([1, 2]), ValueError, "must hold floating-point"),
        (lambda p: jnp.sum(p).real, jnp.ones(2, complex), TypeError, "must be real"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(function, params, error, message):
    with pytest.raises(error, match=message):
        check_gradients(function, params)


def test_a_gradient_of_the_wrong_shape_is_refused():
    with pytest.raises(ValueError, match=r"must have shape \(2,\), got \(3,\)"):
        check_gradients(cubes, jnp.ones(2), gradient=lambda p: jnp.ones(3))
