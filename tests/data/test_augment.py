"""Augmentation: oracles AUG-01 to AUG-03, exact cases, keys, dtypes, what is refused."""

import dataclasses

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage

from jaxopt_dl.data import (
    augment,
    elastic_distort,
    hflip,
    random_crop,
    random_rotate,
    random_shift,
    random_zoom,
    vflip,
)
from jaxopt_dl.data._geometry import Geometry
from jaxopt_dl.data._warp import Points

SMALL = jnp.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]).reshape(1, 2, 3, 1)


def images(key, *shape):
    return jax.random.uniform(key, shape or (6, 7, 7, 2))


def changed(key, x, *steps, **options):
    """Return the images after some steps, each put into its place in a chain of all of them.

    The numbers are data, so tests of one shape and one border share one compiled program.
    """
    neutral = {type(step): step for step in NEUTRAL}
    chain = neutral | {type(step): step for step in steps}
    return compiled(augment(*chain.values(), **options), key, x)


def compiled(step, key, x):
    return on_batch(step, key, {"x": x})["x"]


@jax.jit
def on_batch(step, key, batch):
    return step(key, batch)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Move(Geometry):
    """A shift of known size, as a step: pixels down, pixels right."""

    down: float
    right: float

    def sources(self, draws, points):
        return Points(points.y - self.down, points.x - self.right)


NEUTRAL = [
    random_rotate(0.0),
    random_zoom(1.0, 1.0),
    Move(0.0, 0.0),
    random_crop(padding=0),
    random_shift(0.0),
    hflip(p=0.0),
    vflip(p=0.0),
    elastic_distort(0.0),
]


def test_aug_01_hflip_mirrors_the_columns(key):
    mirrored = changed(key, SMALL, hflip(p=1.0)).reshape(2, 3)
    assert mirrored.tolist() == [[3, 2, 1], [6, 5, 4]]


def test_aug_01_two_flips_are_the_identity(key):
    x = images(key)
    once = changed(key, x, hflip(p=1.0))
    assert not np.array_equal(once, x)
    assert np.array_equal(changed(key, once, hflip(p=1.0)), x)
    assert np.array_equal(compiled(augment(hflip(p=1.0), hflip(p=1.0)), key, x), x)


def test_vflip_mirrors_the_rows(key):
    assert changed(key, SMALL, vflip(p=1.0)).reshape(2, 3).tolist() == [[4, 5, 6], [1, 2, 3]]


@pytest.mark.parametrize("border", ["constant", "edge", "reflect"])
def test_aug_02_03_no_amplitude_is_the_identity(key, border):
    """AUG-02 rotate 0, zoom 1, pad 0; AUG-03 alpha = 0: nothing changes, to the last bit."""
    x = images(key)
    assert np.array_equal(changed(key, x, *NEUTRAL, border=border), x)


def test_what_is_not_finite_stays_to_be_seen_and_reaches_its_neighbors_alone(key):
    x = images(key)
    spoiled = changed(key, x.at[0, 2, 3, 0].set(jnp.nan), *NEUTRAL)
    near = np.isnan(spoiled)
    assert near[0, 2, 3, 0] and not near[1:].any() and not near[..., 1].any()
    assert not near[0, [0, 4, 5, 6]].any() and np.array_equal(spoiled[~near], x[~near])


def test_the_derivative_at_the_center_of_a_pixel_is_that_towards_a_neighbor(key):
    read = lambda down: augment(Move(down, 0.0), border="edge")(key, {"x": SMALL})["x"]  # noqa: E731
    slope = jax.jacfwd(read)(0.0).reshape(2, 3)
    assert slope.tolist() == [[-3, -3, -3], [0, 0, 0]]


@pytest.mark.parametrize("quarters", [-2, -1, 1, 5])
@pytest.mark.parametrize("size", [6, 7])
def test_aug_02_quarter_turns_are_rot90(key, quarters, size):
    x = images(key, 6, size, size, 2)
    turned = changed(key, x, random_rotate((90 * quarters, 90 * quarters)))
    assert np.array_equal(turned, jnp.rot90(x, quarters, axes=(1, 2)))


def test_aug_02_four_quarter_turns_are_the_identity(key):
    x = images(key)
    assert np.array_equal(compiled(augment(*[random_rotate((90, 90))] * 4), key, x), x)


@pytest.mark.parametrize("border", ["constant", "edge", "reflect"])
def test_resampling_is_that_of_scipy(key, border):
    """A turn by 30 degrees and a zoom in one pass, against scipy's interpolation in float64."""
    with jax.enable_x64(True):
        x = jnp.asarray(np.asarray(images(key, 1, 9, 12, 1), np.float64))
        steps = random_rotate((30, 30)), random_zoom(0.7, 0.7)
        ours = np.asarray(changed(key, x, *steps, border=border, fill=0.25))[0, :, :, 0]
    angle, center = np.deg2rad(30), np.array([4.0, 5.5])
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    matrix = turn / 0.7
    # scipy's "mirror" reflects at the center of the border pixel; its "grid-constant" blends.
    mode = {"constant": "grid-constant", "edge": "nearest", "reflect": "mirror"}[border]
    theirs = scipy.ndimage.affine_transform(
        np.asarray(x)[0, :, :, 0], matrix, center - matrix @ center, order=1, mode=mode, cval=0.25
    )
    np.testing.assert_allclose(ours, theirs, atol=1e-12)


def test_steps_change_the_image_in_their_order(key):
    x = images(key)
    down, turn = Move(1.0, 0.0), random_rotate((90, 90))
    turned_first = changed(key, changed(key, x, turn), down)
    assert np.array_equal(changed(key, x, down, turn), turned_first)
    other_order = compiled(augment(down, turn), key, x)
    assert np.array_equal(other_order, changed(key, changed(key, x, down), turn))
    assert not np.array_equal(other_order, turned_first)


def test_half_a_pixel_is_the_mean_of_two(key):
    x = images(key)
    moved = changed(key, x, Move(0.0, 0.5), border="edge")
    np.testing.assert_allclose(moved[:, :, 1:], (x[:, :, 1:] + x[:, :, :-1]) / 2, rtol=1e-6)


def test_a_crop_moves_by_whole_pixels_and_reaches_every_place(key):
    x = jnp.tile(jnp.arange(1.0, 26).reshape(1, 5, 5, 1), (400, 1, 1, 1))
    centers = np.asarray(changed(key, x, random_crop(padding=2), border="edge")[:, 2, 2, 0])
    assert sorted(set(centers.tolist())) == list(range(1, 26))


def test_a_shift_is_uniform_and_stays_in_its_range(key):
    slope = jnp.tile(jnp.arange(21.0).reshape(1, 1, 21, 1), (4000, 1, 1, 1))
    moves = 10 - np.asarray(changed(key, slope, random_shift(3.0))[:, 0, 10, 0])
    # The rows move as well; where they leave the single row, the pixel is partly filled.
    assert moves.min() >= -3 - 1e-5
    inside = 10 - np.asarray(changed(key, slope, random_shift(3.0), border="edge")[:, 0, 10, 0])
    assert np.abs(inside).max() <= 3 + 1e-5
    assert abs(inside.mean()) < 0.12 and abs(inside.var() - 3.0) < 0.15


def test_an_elastic_field_moves_by_alpha_in_root_mean_square(key):
    slope = jnp.tile(jnp.arange(64.0).reshape(1, 1, 64, 1), (200, 16, 1, 1))
    moved = changed(key, slope, elastic_distort(0.7, sigma=2.0), border="edge")
    moves = np.asarray(moved - slope)[:, :, 10:-10]
    assert abs(np.sqrt((moves**2).mean()) - 0.7) < 0.02
    neighbors = (moves[:, :, 1:] * moves[:, :, :-1]).mean() / (moves**2).mean()
    assert abs(neighbors - np.exp(-1 / (4 * 2.0**2))) < 0.02  # a Gaussian, convolved with itself


def test_each_example_is_changed_in_its_own_way_whatever_the_batch(key):
    x = jnp.tile(images(key)[:1], (6, 1, 1, 1))
    turned = changed(key, x, random_rotate(40))
    assert len(np.unique(np.asarray(turned).reshape(6, -1), axis=0)) == 6
    assert np.array_equal(changed(key, x[:2], random_rotate(40)), turned[:2])


def test_float64_images_are_changed_as_float32_ones(key, x64):
    step = augment(random_rotate(20), elastic_distort(0.5), hflip(), random_crop(padding=2))
    x = images(key, 4, 9, 9, 1).astype(jnp.float32)
    wide = compiled(step, key, x.astype(jnp.float64))
    assert wide.dtype == jnp.float64
    np.testing.assert_allclose(compiled(step, key, x), wide, atol=2e-5)


@pytest.mark.parametrize("dtype", ["uint8", "bfloat16"])
def test_shapes_and_dtypes_are_kept_and_whole_numbers_rounded(key, dtype):
    x = jnp.round(images(key, 3, 8, 6, 3) * 255).astype(dtype)
    turned = changed(key, x, random_rotate(20), border="edge")
    chex.assert_equal_shape([turned, x])
    assert turned.dtype == x.dtype
    reference = changed(key, x.astype(jnp.float32), random_rotate(20), border="edge")
    np.testing.assert_allclose(turned.astype(jnp.float32), reference, atol=1.01)


def test_maps_of_labels_move_with_the_images(key):
    x = images(key, 3, 6, 6, 1)
    labels = jnp.arange(108).reshape(3, 6, 6)
    step = augment(hflip(p=1.0), Move(2.0, 0.0), maps={"classes": 255})
    moved = on_batch(step, key, {"x": x, "classes": labels})["classes"]
    assert moved.dtype == labels.dtype
    assert np.array_equal(moved[:, 2:], labels[:, :4, ::-1])
    assert (moved[:, :2] == 255).all()


def test_other_entries_stay(key):
    batch = {"x": SMALL, "y": jnp.array([3]), "weight": jnp.ones(1)}
    chex.assert_trees_all_equal(on_batch(augment(hflip(p=1.0)), key, batch) | {"x": SMALL}, batch)


def test_a_function_is_a_step_between_others(key):
    doubled = augment(hflip(p=1.0), lambda key, batch: {**batch, "x": 2 * batch["x"]}, vflip(p=1.0))
    assert compiled(doubled, key, SMALL).reshape(2, 3).tolist() == [[12, 10, 8], [6, 4, 2]]


def test_other_numbers_compile_nothing(key):
    @jax.jit
    @chex.assert_max_traces(n=1)
    def apply(step, key, x):
        return step(key, {"x": x})["x"]

    for degrees in (5, 10):
        apply(augment(random_rotate(degrees), random_crop(padding=degrees // 5)), key, SMALL)


def test_vmap_over_keys_gives_several_versions_of_a_batch(key):
    x = images(key)
    step = augment(random_rotate(20))
    keys = jax.random.split(key, 3)
    versions = jax.jit(jax.vmap(compiled, (None, 0, None)))(step, keys, x)
    np.testing.assert_allclose(versions[1], compiled(step, keys[1], x), atol=1e-6)


def test_a_gradient_flows_through_the_pixels_and_the_numbers(key):
    x = images(key, 2, 6, 6, 1)
    through = lambda x, d: (changed(key, x, random_rotate((d, d))) ** 2).sum()  # noqa: E731
    to_pixels, to_angle = jax.jit(jax.grad(through, (0, 1)))(x, jnp.float32(10.0))
    assert np.isfinite(to_pixels).all() and np.isfinite(to_angle) and to_angle != 0


@pytest.mark.parametrize(
    ("border", "height_width"), [("constant", (5, 1)), ("edge", (1, 5)), ("reflect", (1, 1))]
)
def test_images_of_one_row_or_column(key, border, height_width):
    x = images(key, 2, *height_width, 1)
    steps = random_crop(padding=3), random_rotate(30), random_zoom(0.5, 2), elastic_distort(1.0)
    assert np.isfinite(changed(key, x, *steps, border=border)).all()


def test_moves_far_beyond_the_image_read_the_border(key):
    x = images(key)
    assert (changed(key, x, Move(50.0, 0.0), fill=7.0) == 7).all()
    far = changed(key, x, Move(50.0, 0.0), border="edge")
    assert np.array_equal(far, jnp.broadcast_to(x[:, :1], x.shape))
    near = changed(key, x, Move(2.0, 0.0), border="reflect")
    assert np.array_equal(near[:, :4], x[:, jnp.array([2, 1, 0, 1])])


def labeled(label, dtype):
    batch = {"x": SMALL, "m": jnp.zeros((1, 2, 3), dtype)}
    return augment(random_crop(padding=4), maps={"m": label})(jax.random.key(0), batch)


REFUSED = {
    "no steps": (lambda: augment(), "steps"),
    "a step that is no function": (lambda: augment(3), "`steps` must be a function"),
    "an unknown border": (lambda: augment(hflip(), border="wrap"), "border"),
    "a NaN fill": (lambda: augment(hflip(), fill=float("nan")), "fill"),
    "a label that is no number": (lambda: augment(hflip(), maps={"s": "x"}), "maps"),
    "p above 1": (lambda: hflip(1.5), r"`p` must lie in \[0, 1\]"),
    "p negative": (lambda: vflip(-0.1), "`p`"),
    "negative padding": (lambda: random_crop(padding=-1), "padding"),
    "padding in parts": (lambda: random_crop(padding=1.5), "padding"),
    "a negative shift": (lambda: random_shift(-1.0), "pixels"),
    "a negative angle": (lambda: random_rotate(-5), "degrees"),
    "three angles": (lambda: random_rotate((1, 2, 3)), "degrees"),
    "a range upside down": (lambda: random_rotate((5, 1)), "degrees"),
    "a zoom by 0": (lambda: random_zoom(0, 1), "low"),
    "a zoom upside down": (lambda: random_zoom(2, 1), "low"),
    "a negative displacement": (lambda: elastic_distort(-1), "alpha"),
    "no width": (lambda: elastic_distort(1, sigma=0), "sigma"),
    "vectors": (lambda: changed(jax.random.key(0), jnp.ones((3, 64)), hflip()), "reshape"),
    "booleans": (lambda: changed(jax.random.key(0), SMALL > 2, hflip()), "real numbers"),
    "no images": (lambda: augment(hflip())(jax.random.key(0), {"y": SMALL}), "`x`"),
    "an array": (lambda: augment(hflip())(jax.random.key(0), SMALL), "dict"),
    "no key": (lambda: augment(hflip())(0, {"x": SMALL}), "key"),
    "a fill the images cannot hold": (
        lambda: augment(hflip(), fill=300)(jax.random.key(0), {"x": SMALL.astype(jnp.uint8)}),
        "fill",
    ),
    "a fill beyond float16": (
        lambda: augment(hflip(), fill=1e5)(jax.random.key(0), {"x": SMALL.astype(jnp.float16)}),
        r"`fill` must fit into float16, got 100000.0",
    ),
    "a label bytes cannot hold": (lambda: labeled(300, jnp.uint8), r"`maps\['m'\]` must fit"),
    "a negative label of bytes": (lambda: labeled(-1, jnp.uint8), r"whole number in \[0, 255\]"),
    "half a label": (lambda: labeled(0.5, jnp.int32), "must fit into int32, got 0.5"),
    "a label of truth": (lambda: labeled(2, bool), r"whole number in \[0, 1\]"),
    "whole numbers of 32 bits": (
        lambda: augment(hflip())(jax.random.key(0), {"x": SMALL.astype(jnp.int32)}),
        "8 or 16 bits, got int32. Convert them to uint8 .* float32",
    ),
    "a step that returns an array": (
        lambda: augment(lambda key, batch: batch["x"])(jax.random.key(0), {"x": SMALL}),
        "a step must return a batch, got ArrayImpl",
    ),
    "a map that is not there": (
        lambda: changed(jax.random.key(0), SMALL, hflip(), maps={"classes": 0}),
        "no such entry",
    ),
    "a map of another size": (
        lambda: augment(hflip(), maps={"m": 0})(
            jax.random.key(0), {"x": SMALL, "m": jnp.zeros((1, 3, 2), int)}
        ),
        "label every pixel",
    ),
}


@pytest.mark.parametrize(("call", "named"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_meant_is_refused(call, named):
    with pytest.raises((TypeError, ValueError), match=named):
        call()
