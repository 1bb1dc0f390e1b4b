"""Every layer of the table keeps the promises that `testing.check_layer` asserts."""

import functools

import pytest

from jaxopt_dl.testing import _layers
from jaxopt_dl.testing._promise import hold
from tests.contracts.layer_cases import LAYERS, LayerCase

every_case = pytest.mark.parametrize("case", LAYERS, ids=lambda case: case.name)


@functools.cache
def subject_of(case: LayerCase) -> _layers.Subject:
    """The layer of a case with its compiled programs, shared by all tests of it."""
    return _layers.Subject(case.factory(), case.spec, case.indices)


@every_case
@pytest.mark.parametrize("promise", _layers.PROMISES, ids=lambda promise: promise.__name__)
def test_it_keeps_the_promises_of_a_layer(case, promise):
    hold("check_layer", promise, subject_of(case))


@every_case
def test_only_a_layer_that_draws_needs_a_key(case):
    assert subject_of(case).needs_key == case.needs_key
