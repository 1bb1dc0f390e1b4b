"""The standard error of a share."""

import pytest

from jaxopt_dl import data


@pytest.mark.parametrize(("n", "expected"), [(100, 0.00995), (2000, 0.002225), (10_000, 0.000995)])
def test_data_07_standard_error_of_an_error_rate(n, expected):
    assert data.error_rate_stderr(0.01, n) == pytest.approx(expected, rel=1e-3)


def test_a_share_and_its_complement_have_one_standard_error():
    assert data.error_rate_stderr(0.3, 7) == pytest.approx(data.error_rate_stderr(0.7, 7))


@pytest.mark.parametrize("p", [0.0, 1.0])
def test_a_certain_share_has_none(p):
    assert data.error_rate_stderr(p, 5) == 0.0


@pytest.mark.parametrize(("p", "n", "name"), [(-0.1, 5, "p"), (1.1, 5, "p"), (0.5, 0, "n")])
def test_numbers_out_of_range_raise_and_are_named(p, n, name):
    with pytest.raises(ValueError, match=f"error_rate_stderr: `{name}` must"):
        data.error_rate_stderr(p, n)
