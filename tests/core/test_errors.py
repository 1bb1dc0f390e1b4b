"""Checks of user input: what passes, what raises, and what it says."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_dl._core import errors


@pytest.mark.parametrize(
    "value", [0, 0.5, np.float32(0.5), np.int64(0), jnp.float32(0.25), jnp.bfloat16(0.5)]
)
def test_numbers_in_range_pass(value):
    errors.check_number("f", "x", value, low=0, high=1)


@pytest.mark.parametrize(
    ("value", "kind", "words"),
    [
        (-0.1, ValueError, r"f: `x` must lie in \[0, 1\), got -0.1\. Pass a number in \[0, 1\)\."),
        (1.0, ValueError, "must lie in"),
        (float("nan"), ValueError, "got nan"),
        (float("inf"), ValueError, "got inf"),
        ("0.1", TypeError, r"must be a number, got '0.1' \(str\)"),
        (True, TypeError, r"got True \(bool\)"),
        (np.bool_(True), TypeError, "must be a number"),
        (None, TypeError, r"got None \(NoneType\)"),
        (1j, TypeError, "must be a number"),
        (jnp.ones(3), ValueError, r"must be one number, got an array of shape \(3,\)"),
        (np.array(1j), TypeError, "dtype complex128"),
        (jnp.array(True), TypeError, "dtype bool"),
        (jnp.float32(-1), ValueError, "must lie in"),
        (1e-46, ValueError, "must fit into float32, got 1e-46. It would be stored as zero"),
    ],
)
def test_bad_numbers_raise_and_say_what_came(value, kind, words):
    with pytest.raises(kind, match=words):
        errors.check_number("f", "x", value, low=0, high=1, high_open=True)


def test_a_number_beyond_float32_passes_in_float64(x64):
    errors.check_number("f", "x", 1e-46, low=0)


def test_tracers_pass_once_shape_and_dtype_are_right():
    @jax.jit
    def inside(x):
        errors.check_number("f", "x", x, low=0, high=1)
        return x

    assert float(inside(7.0)) == 7.0
    with pytest.raises(ValueError, match="must be one number"):
        inside(jnp.ones(2))


@pytest.mark.parametrize("value", [1, np.int32(5)])
def test_integers_pass(value):
    errors.check_integer("f", "n", value, low=1)


@pytest.mark.parametrize(
    ("value", "kind"), [(0, ValueError), (1.0, TypeError), (True, TypeError), ("1", TypeError)]
)
def test_bad_integers_raise(value, kind):
    with pytest.raises(kind, match="`n` must be"):
        errors.check_integer("f", "n", value, low=1)


def test_a_choice_suggests_the_nearest_spelling():
    with pytest.raises(ValueError, match=r"one of 'adam', 'sgd', got 'adm' \(str\)\. Did you mean"):
        errors.check_choice("f", "rule", "adm", ["adam", "sgd"])


def test_a_choice_is_not_fooled_by_equal_values_of_other_types():
    with pytest.raises(ValueError, match="got 1"):
        errors.check_choice("f", "flag", 1, [True, False])


@pytest.mark.parametrize(("shape", "expected"), [((3, 1), (3,)), ((3,), (4,)), ((), (None,))])
def test_shapes_must_match_exactly(shape, expected):
    with pytest.raises(ValueError, match="must have shape"):
        errors.check_shape("f", "x", np.zeros(shape), expected)


def test_none_in_an_expected_shape_matches_any_size():
    errors.check_shape("f", "x", np.zeros((3, 7)), (3, None))


def test_n_never_meets_n_by_1():
    with pytest.raises(ValueError, match=r"same shape, got \(3,\) and \(3, 1\)"):
        errors.check_same_shape("f", "a", np.zeros(3), "b", np.zeros((3, 1)))


@pytest.mark.parametrize("key", [jax.random.key(0), jax.random.PRNGKey(0)])
def test_typed_and_legacy_keys_pass(key):
    errors.check_key("f", key)


@pytest.mark.parametrize("value", [0, None, np.zeros(2), "seed"])
def test_what_is_not_a_key_says_how_to_make_one(value):
    with pytest.raises(TypeError, match=r"must be a PRNG key.*jax\.random\.key\(seed\)"):
        errors.check_key("f", value)


def test_integers_are_not_floating_point():
    with pytest.raises(TypeError, match="floating-point numbers, got dtype uint8"):
        errors.check_floating("f", "x", np.zeros(3, np.uint8))


def test_unknown_keys_name_the_nearest():
    with pytest.raises(ValueError, match="got 'lerning_rate'.*Did you mean 'learning_rate'"):
        errors.check_known_keys("f", "config", ["lerning_rate"], ["learning_rate", "decay"])


def test_a_missing_extra_says_what_to_install():
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'jaxopt_dl\[app\]'"):
        errors.require("plots", "a_module_nobody_has.sub", "app")


def test_a_present_module_is_returned():
    assert errors.require("f", "json", "app").loads("1") == 1


def test_long_values_are_shortened_in_messages():
    with pytest.raises(TypeError) as caught:
        errors.check_number("f", "x", ["a"] * 100)
    assert len(str(caught.value)) < 200
