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


def join(address: str, rank: str) -> None:
    """Become one of two processes that train together."""
    jax.distributed.initialize(address, 2, int(rank), initialization_timeout=60)


def main() -> None:
    """Print runs as JSON: dtype -> devices (null for no mesh) -> curves.

    Arguments are `float64:2,8 float32:4`; `process:ADDRESS:RANK` in front joins another process.
    """
    wanted = sys.argv[1:]
    alone = not wanted[0].startswith("process:")
    if not alone:
        join(*wanted.pop(0).removeprefix("process:").rsplit(":", 1))
    found = {}
    for name, _, counts in (one.partition(":") for one in wanted):
        with jax.enable_x64(name == "float64"):
            numbers = [None] * alone + [int(count) for count in counts.split(",")]
            found[name] = {str(n): curves(n, WIDTHS[name]) for n in numbers}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
