"""The same trainings with the library: `fit` as it comes, silent."""

import jax
import jax.numpy as jnp
from _problems import LEARNING_RATE, Problem

from jaxopt_dl import losses, nn, optim, train


def network(problem: Problem) -> nn.Layer:
    """The problem's network from the library's layers."""
    *hidden, outputs = problem.widths[1:]
    layers = []
    for place, width in enumerate(hidden):
        if problem.kind == "conv":
            layers += [nn.conv(width, (3, 3)), nn.lift(nn.relu), nn.max_pool((2, 2))]
        elif problem.kind == "residual" and place > 0:
            # As small as by hand: fifty layers add up.
            small = nn.dense(width, kernel_init=nn.he_normal(gain=0.04))
            layers += [nn.residual(nn.sequential(small, nn.lift(nn.relu)))]
        else:
            norm = [nn.batch_norm()] if problem.batch_norm else []
            layers += [nn.dense(width, use_bias=not norm), *norm, nn.lift(nn.relu)]
    flatten = [nn.flatten()] if problem.kind == "conv" else []
    return nn.sequential(*layers, *flatten, nn.dense(outputs))


def fit(problem: Problem):
    """`train.fit` with its defaults; every call is a run of its own."""
    layer = network(problem)
    objective = train.supervised(layer, losses.softmax_cross_entropy)
    params, state = layer.init(jax.random.key(0), problem.data[0].shape[1:])
    data, dev = (
        dict(zip("xy", map(jnp.asarray, part), strict=True)) for part in (problem.data, problem.dev)
    )

    def run(epochs: int) -> float:
        result = train.fit(
            objective,
            params,
            state,
            optim.adam(LEARNING_RATE),
            data,
            key=jax.random.key(1),
            epochs=epochs,
            batch_size=problem.batch_size,
            dev=dev,
            progress=None,
        )
        return result.history["dev_loss"].min()

    return run
