"""One training on 1, 2, 4 and 8 virtual devices, in float64 and float32; prints JSON.

Run in a process of its own: the number of devices is fixed when JAX starts.
"""

import json
import sys

import jax
import numpy as np

from jaxopt_dl import losses, nn, optim, train
from tests.train.problems import blobs

WIDTHS = {"float64": np.float64, "float32": np.float32}


def model():
    """A network with batch norm and dropout, whose last batch of training is short."""
    layer = nn.sequential(
        nn.dense(16, use_bias=False),
        nn.batch_norm(),
        nn.lift(nn.relu),
        nn.dropout(keep_prob=0.8),
        nn.dense(3),
    )
    return layer, train.supervised(layer, losses.softmax_cross_entropy)


def curves(devices: int | None, dtype: np.dtype) -> dict[str, list[float]]:
    """Train; return the history and the parameters, flat."""
    layer, objective = model()
    mesh = None
    if devices is not None:
        mesh = jax.sharding.Mesh(np.array(jax.devices()[:devices]), ("data",))
    cast = lambda batch: {**batch, "x": batch["x"].astype(dtype)}  # noqa: E731
    params, state = layer.init(jax.random.key(0), jax.ShapeDtypeStruct((4,), dtype))
    result = train.fit(
        objective,
        params,
        state,
        optim.adam(1e-2),
        cast(blobs(61)),
        dev=cast(blobs(30, seed=1)),
        key=jax.random.key(1),
        epochs=4,
        batch_size=16,
        mesh=mesh,
        progress=None,
    )
    leaves = [np.asarray(leaf, np.float64).ravel() for leaf in jax.tree.leaves(result.last)]
    return {
        "train_loss": result.history["train_loss"].tolist(),
        "dev_loss": result.history["dev_loss"].tolist(),
        "params": np.concatenate(leaves).tolist(),
    }


def main() -> None:
    """Print every run as JSON: dtype -> devices (null for no mesh) -> curves."""
    found = {}
    for name, dtype in WIDTHS.items():
        with jax.enable_x64(name == "float64"):
            found[name] = {str(n): curves(n, dtype) for n in (None, *map(int, sys.argv[1:]))}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
