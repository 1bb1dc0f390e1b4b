"""Strict JAX settings for every test, and the fixtures they share."""

import hashlib
import os

import jax
import pytest
from jax.experimental.compilation_cache import compilation_cache

jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")
os.environ["JAXOPT_DL_CACHE"] = "none"  # tests compile by themselves and leave nothing behind


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


@pytest.fixture
def compile_cache():
    """Compiled programs may be kept in a folder for the length of the test."""
    settings = (
        "jax_compilation_cache_dir",
        "jax_persistent_cache_min_compile_time_secs",
        "jax_persistent_cache_min_entry_size_bytes",
    )
    before = {setting: getattr(jax.config, setting) for setting in settings}
    yield
    for setting, value in before.items():
        jax.config.update(setting, value)
    compilation_cache.reset_cache()
