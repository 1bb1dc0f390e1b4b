"""Where the NaN are."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_dl.data import _blocks, check_finite


def with_nan(shape, *positions):
    x = np.zeros(shape, np.float32)
    for position in positions:
        x[position] = np.nan
    return x


@pytest.mark.parametrize(
    "x", [np.ones((3, 2)), np.arange(3), np.array([True]), jnp.ones((2, 2), jnp.bfloat16), 1.0]
)
def test_finite_data_passes(x):
    check_finite("fit", "x", x)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_each_kind_of_bad_number_is_found(bad):
    with pytest.raises(ValueError, match=r"1 of 2 rows \(row 1\), column 0"):
        check_finite("fit", "x", np.array([[1.0, 2.0], [bad, 3.0]]))


def test_rows_are_counted_once_and_only_the_first_are_listed():
    x = with_nan((20, 3), *[(row, column) for row in range(8) for column in (0, 2)])
    with pytest.raises(ValueError, match=r"8 of 20 rows \(rows 0; 1; 2; 3; 4 and 3 more\)"):
        check_finite("fit", "x", x)


def test_looking_piece_by_piece_finds_the_same(monkeypatch):
    monkeypatch.setattr(_blocks, "_BYTES", 3 * 8)
    x = with_nan((20, 2), (4, 0), (19, 1))
    with pytest.raises(ValueError, match=r"2 of 20 rows \(rows 4; 19\), columns 0; 1\."):
        check_finite("fit", "x", x)


def test_a_single_number_is_looked_at():
    with pytest.raises(ValueError, match=r"in 1 of 1 rows \(row 0\)\."):
        check_finite("fit", "x", float("nan"))


def test_columns_are_named_where_names_are_known():
    with pytest.raises(ValueError, match=r"column 'b'\. Drop or fill these rows\."):
        check_finite("fit", "x", with_nan((4, 2), (2, 1)), columns=("a", "b"))


def test_pixels_are_named_by_their_position():
    with pytest.raises(ValueError, match=r"\(row 2\), column 1, 0, 3\."):
        check_finite("fit", "x", with_nan((4, 2, 3, 4), (2, 1, 0, 3)))


def test_vectors_have_rows_only():
    with pytest.raises(ValueError, match=r"1 of 3 rows \(row 1\)\. Drop"):
        check_finite("fit", "y", with_nan(3, 1))


def test_half_precision_is_looked_at_too():
    with pytest.raises(ValueError, match="1 of 2 rows"):
        check_finite("fit", "x", jnp.array([[1.0], [jnp.inf]], jnp.bfloat16))


def test_the_message_begins_with_who_asked():
    with pytest.raises(ValueError, match=r"^fit: `x` must be finite"):
        check_finite("fit", "x", [np.nan])


def test_strings_are_refused():
    with pytest.raises(TypeError, match="must hold real numbers, got dtype <U1"):
        check_finite("fit", "x", ["a"])


def test_tracers_are_let_through():
    jax.jit(lambda x: check_finite("fit", "x", x) or x)(jnp.array(jnp.nan))
