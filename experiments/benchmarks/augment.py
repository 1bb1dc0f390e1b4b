"""How fast is augmentation on the device, against augmax, dm-pix and Pillow?

The same work for all: 256 images, flipped with probability 1/2, padded by 4 pixels and cropped
at random, turned by up to 15 degrees with bilinear interpolation. Every library takes a key per
image and is compiled with `vmap` and `jit`, Pillow runs in a loop on the host. They take turns in
one process; ratios are formed within a turn.

    python experiments/benchmarks/augment.py
"""

import json
import os
import pathlib
import statistics
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from jaxopt_dl import data

RESULTS = pathlib.Path(__file__).parents[2] / "docs" / "experiments" / "augment.json"
ROUNDS = 15
BATCH = 256
PADDING, DEGREES = 4, 15
SIZES = {"28 x 28 x 1": (28, 28, 1), "32 x 32 x 3": (32, 32, 3)}


def ours(images: jax.Array) -> Callable[[jax.Array], jax.Array]:
    """One fused warp."""
    chain = data.augment(
        data.hflip(), data.random_crop(padding=PADDING), data.random_rotate(DEGREES)
    )
    program = jax.jit(lambda chain, key, x: chain(key, {"x": x})["x"])
    return lambda key: program(chain, key, images)


def augmax(images: jax.Array) -> Callable[[jax.Array], jax.Array]:
    """Its chain of geometric transformations, fused by itself."""
    import augmax

    height, width, _ = images.shape[1:]
    chain = augmax.Chain(
        augmax.HorizontalFlip(),
        augmax.RandomCrop(width, height),
        augmax.Rotate((-DEGREES, DEGREES), p=1.0),
    )

    def apply(key: jax.Array, x: jax.Array) -> jax.Array:
        padded = jnp.pad(x, ((0, 0), (PADDING, PADDING), (PADDING, PADDING), (0, 0)))
        return jax.vmap(chain)(jax.random.split(key, len(x)), padded)

    return _jitted(apply, images)


def dm_pix(images: jax.Array) -> Callable[[jax.Array], jax.Array]:
    """Its three functions, one after another."""
    import dm_pix

    def one(key: jax.Array, image: jax.Array) -> jax.Array:
        flip, crop, turn = jax.random.split(key, 3)
        image = dm_pix.random_flip_left_right(flip, image)
        padded = jnp.pad(image, ((PADDING, PADDING), (PADDING, PADDING), (0, 0)))
        image = dm_pix.random_crop(crop, padded, image.shape)
        angle = jnp.deg2rad(jax.random.uniform(turn, minval=-DEGREES, maxval=DEGREES))
        return dm_pix.rotate(image, angle, order=1)

    return _jitted(lambda key, x: jax.vmap(one)(jax.random.split(key, len(x)), x), images)


def pillow(images: jax.Array) -> Callable[[jax.Array], np.ndarray]:
    """A loop over images on the host, bytes instead of floats."""
    from PIL import Image

    height, width, channels = images.shape[1:]
    pixels = np.asarray(jnp.round(images * 255).astype(jnp.uint8))
    sources = [Image.fromarray(image if channels == 3 else image[..., 0]) for image in pixels]
    generator = np.random.default_rng(0)

    def one(image: Image.Image) -> np.ndarray:
        if generator.random() < 0.5:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        left, top = generator.integers(-PADDING, PADDING + 1, 2)
        image = image.crop((left, top, left + width, top + height))
        return np.asarray(
            image.rotate(generator.uniform(-DEGREES, DEGREES), Image.Resampling.BILINEAR)
        )

    return lambda key: np.stack([one(image) for image in sources])


PEERS = {"ours": ours, "augmax": augmax, "dm-pix": dm_pix, "Pillow": pillow}


def _jitted(apply: Callable, images: jax.Array) -> Callable[[jax.Array], jax.Array]:
    program = jax.jit(apply)
    return lambda key: program(key, images)


def programs(images: jax.Array) -> dict[str, Callable]:
    """Return what is installed, compiled; say what is left out."""
    found = {}
    for name, make in PEERS.items():
        try:
            found[name] = make(images)
        except ModuleNotFoundError as missing:
            print(f"{name} is left out: {missing.name} is not installed.")
    for program in found.values():
        jax.block_until_ready(program(jax.random.PRNGKey(0)))
    return found


def measure(found: dict[str, Callable]) -> dict[str, list[float]]:
    """Return milliseconds per batch, one number per turn."""
    times = {name: [] for name in found}
    for turn in range(ROUNDS):
        key = jax.random.PRNGKey(turn)
        for name, program in found.items():
            begin = time.perf_counter()
            jax.block_until_ready(program(key))
            times[name].append((time.perf_counter() - begin) * 1e3)
    return times


def summarize(times: dict[str, list[float]]) -> dict[str, dict[str, float]]:
    """Return the median milliseconds, and how many times faster we are, with quartiles."""
    table = {}
    for name, values in times.items():
        low, middle, high = statistics.quantiles(
            [theirs / own for theirs, own in zip(values, times["ours"], strict=True)], n=4
        )
        table[name] = {
            "ms": round(statistics.median(values), 3),
            "times_ours": round(middle, 2),
            "quartiles": [round(low, 2), round(high, 2)],
        }
    return table


def main() -> None:
    """Measure, print, write the results."""
    results = {
        "unit": f"milliseconds per batch of {BATCH}; times ours: median of {ROUNDS} turns",
        "backend": jax.default_backend(),
        "jax": jax.__version__,
        "cores": os.cpu_count(),
        "load_before": round(os.getloadavg()[0], 2),
        "sizes": {},
    }
    for name, shape in SIZES.items():
        images = jax.random.uniform(jax.random.key(0), (BATCH, *shape))
        results["sizes"][name] = summarize(measure(programs(images)))
        print(name)
        for peer, row in results["sizes"][name].items():
            low, high = row["quartiles"]
            print(f"  {peer:8}{row['ms']:9.2f} ms {row['times_ours']:8.2f}x  [{low}, {high}]")
    results["load_after"] = round(os.getloadavg()[0], 2)
    write(results)


def write(results: dict) -> None:
    """Write the results, unless peers are missing in them: the table is about all of them."""
    if any(rows.keys() != PEERS.keys() for rows in results["sizes"].values()):
        print(f"{RESULTS.name} stays as it is, because peers were left out.")
        return
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
