"""Strict JAX settings for every test, and the fixtures they share."""

import hashlib

import jax
import pytest

jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")


@pytest.fixture
def key(request: pytest.FixtureRequest) -> jax.Array:
    """A PRNG key of this test alone: reproducible, independent of the other tests."""
    digest = hashlib.sha256(request.node.nodeid.encode()).digest()
    return jax.random.key(int.from_bytes(digest[:4], "big"))


@pytest.fixture
def x64():
    """Compute in float64 for the length of the test; leaves no trace afterwards."""
    with jax.enable_x64(True):
        yield


@pytest.fixture
def standard_promotion():
    """Around a peer that fails under strict promotion, such as `optax.adam`."""
    with jax.numpy_dtype_promotion("standard"):
        yield
