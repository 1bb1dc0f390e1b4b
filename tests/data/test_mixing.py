"""Cutout and mixup: where, how much, with which labels."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_dl.data import augment, cutout, mixup


@jax.jit
def changed(step, key, batch):
    return augment(step)(key, batch)


def test_cutout_hides_a_square_of_its_size_and_nothing_else(key):
    x = 1 + jax.random.uniform(key, (50, 12, 10, 3))
    after = np.asarray(changed(cutout(4, fill=-1.0), key, {"x": x})["x"])
    hidden = after == -1
    assert np.array_equal(after[~hidden], np.asarray(x)[~hidden])
    for image in hidden:
        assert (image == image[..., :1]).all()
        rows, columns = image[..., 0].any(axis=1), image[..., 0].any(axis=0)
        assert 2 <= rows.sum() <= 4 and 2 <= columns.sum() <= 4
        assert np.array_equal(image[..., 0], rows[:, None] & columns)
        assert np.abs(np.diff(rows.astype(int))).sum() <= 2
    assert (hidden[..., 0].sum(axis=(1, 2)) == 16).any()


def test_cutout_centers_on_every_pixel_alike(key):
    x = jnp.ones((6400, 4, 4, 1))
    hidden = np.asarray(changed(cutout(1), key, {"x": x})["x"] == 0).sum(axis=0)
    assert np.abs(hidden - 400).max() < 5 * np.sqrt(400)


def test_cutout_happens_with_its_probability(key):
    x = jnp.ones((2000, 3, 3, 1))
    share = (changed(cutout(9, p=0.3), key, {"x": x})["x"] == 0).mean()
    assert abs(share - 0.3) < 0.05


def test_mixup_mixes_inputs_and_targets_by_one_share(key):
    labels = jnp.arange(40) % 4
    batch = {"x": jax.nn.one_hot(labels, 4)[:, None, :], "y": jax.nn.one_hot(labels, 4)}
    after = changed(mixup(0.8), key, batch)
    np.testing.assert_allclose(after["x"][:, 0], after["y"], atol=1e-6)
    np.testing.assert_allclose(after["y"].sum(axis=1), 1, atol=1e-6)
    assert (after["y"].max(axis=1) < 0.99).any()
    own = np.take_along_axis(np.asarray(after["y"]), np.asarray(labels)[:, None], axis=1)
    assert (own >= 0.5 - 1e-6).all()


def test_mixup_draws_its_shares_from_the_beta_distribution(key):
    n = 20_000
    # Partners of value 1 for rows of value 0: what is mixed in is 1 - share.
    x = jnp.concatenate([jnp.zeros(n), jnp.ones(n)])
    after = np.asarray(changed(mixup(0.4), key, {"x": x, "y": x})["x"][:n])
    mixed = after[after > 0]
    draws = np.random.default_rng(0).beta(0.4, 0.4, 200_000)
    smaller = np.minimum(draws, 1 - draws)
    quantiles = [0.1, 0.25, 0.5, 0.75, 0.9]
    expected = np.quantile(smaller[smaller > 1e-7], quantiles)
    np.testing.assert_allclose(np.quantile(mixed, quantiles), expected, atol=0.015)


def test_mixup_of_amplitude_0_is_the_identity(key):
    batch = {"x": jax.random.normal(key, (5, 3)), "y": jnp.eye(5)}
    after = changed(mixup(0.0), key, batch)
    assert np.array_equal(after["x"], batch["x"]) and np.array_equal(after["y"], batch["y"])


def test_mixup_takes_nothing_from_rows_that_do_not_count(key):
    weight, mask = jnp.array([1.0, 2.0, 1.0, 0.0, 1.0]), jnp.array([True, True, True, True, False])
    bad = (weight == 0) | ~mask
    batch = {"x": jnp.where(bad, jnp.nan, 1.0), "y": jnp.ones(5), "weight": weight, "mask": mask}
    after = jax.vmap(lambda k: changed(mixup(1.0), k, batch))(jax.random.split(key, 20))
    assert np.isfinite(after["x"][:, :3]).all()


def test_mixup_refuses_class_indexes(key):
    batch = {"x": jnp.ones((3, 2)), "y": jnp.array([0, 1, 2])}
    with pytest.raises(TypeError, match="one_hot"):
        augment(mixup(0.2))(key, batch)


REFUSED = {
    "alpha negative": (lambda: mixup(-1), "alpha"),
    "size negative": (lambda: cutout(-1), "size"),
    "size in parts": (lambda: cutout(2.5), "size"),
    "p above 1": (lambda: cutout(2, p=2), "`p`"),
    "no targets": (lambda: augment(mixup(1))(jax.random.key(0), {"x": jnp.ones(3)}), "`y`"),
    "integer inputs": (
        lambda: augment(mixup(1))(
            jax.random.key(0), {"x": jnp.ones((2, 2), int), "y": jnp.ones((2, 1))}
        ),
        "`x`",
    ),
}


@pytest.mark.parametrize(("call", "named"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_meant_is_refused(call, named):
    with pytest.raises((TypeError, ValueError), match=named):
        call()
